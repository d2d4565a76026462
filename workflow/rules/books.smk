"""The books of finished networks: which rows there will be, and what each is made of."""

from rnnxai.reproduction.identity import identities, pair_identity

REPRODUCTION = CONFIG.reproduction
IDENTITIES = identities(STUDY) if REPRODUCTION else {}


def case_of(wildcards):
    """The network of a job's wildcards."""
    return next(case for case in STUDY.cases if path_of(case) == CASE.format(**wildcards))


def archives_of_case(case):
    """Paths of a network's archives by the names of its explainers."""
    paths = {name: path for group in STUDY.groups_of(case) for name, path in archives_of(group).items()}
    return {name: path.format(**case._asdict()) for name, path in paths.items()}


def identities_of(wildcards):
    case = case_of(wildcards)
    return canonical({name: IDENTITIES[case, name] for name in archives_of_case(case)})


def scores_of(wildcards):
    return [
        SCORE_FILES.format(**wildcards, group=group) + ".scores.csv"
        for group in STUDY.groups_of(case_of(wildcards))
    ]


# Maps of single images are compared with those of the first architecture that reads them in as many steps.
ALIKE = {}
for each in STUDY.cases if REPRODUCTION else ():
    if each.dataset not in MARKED:
        ALIKE.setdefault((each.dataset, each.steps, each.fold), []).append(each)
ALIKE = {key: cases for key, cases in ALIKE.items() if len(cases) > 1}


def pairs_of(wildcards):
    """Names, first and second archive of the pairs of networks of a job."""
    key = wildcards.dataset, int(wildcards.steps), wildcards.fold
    ours = {(dataset, steps, str(fold)): cases for (dataset, steps, fold), cases in ALIKE.items()}
    first, *others = ours[key]
    for other in others:
        archives, theirs = archives_of_case(first), archives_of_case(other)
        for name in [name for name in archives if name in theirs]:
            yield (
                {
                    "config": pair_identity(IDENTITIES[first, name], IDENTITIES[other, name]),
                    "dataset": other.dataset,
                    "architecture": other.architecture,
                    "T": other.steps,
                    "fold": str(other.fold),
                    "explainer": name,
                    "other": first.architecture,
                },
                archives[name],
                theirs[name],
            )


def every_record():
    runs = [f"{RESULTS}/reproduction/{path_of(case)}.csv" for case in STUDY.cases]
    return runs + [
        f"{RESULTS}/reproduction/likeness/{dataset}-t{steps}-fold-{fold}.csv"
        for dataset, steps, fold in ALIKE
    ]
