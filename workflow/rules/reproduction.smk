"""reproduction: the book of finished runs, and the page that sets them beside published numbers."""

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
for case in STUDY.cases if REPRODUCTION else ():
    if case.dataset not in MARKED:
        ALIKE.setdefault((case.dataset, case.steps, case.fold), []).append(case)
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


if REPRODUCTION:

    rule record:
        input:
            network=f"{RESULTS}/models/{CASE}.safetensors",
            scores=scores_of,
            dataset=f"{RESULTS}/datasets/{{dataset}}.h5",
            archives=lambda wildcards: list(archives_of_case(case_of(wildcards)).values()),
        output:
            f"{RESULTS}/reproduction/{CASE}.csv",
        log:
            f"{RESULTS}/logs/reproduction/{CASE}.log",
        benchmark:
            f"{RESULTS}/benchmarks/reproduction/{CASE}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            folder=REPRODUCTION.folder,
            explainers=lambda wildcards: list(archives_of_case(case_of(wildcards))),
            identities=identities_of,
            of_class=CONFIG.figures.step_class,
            code=code("record.py"),
        script:
            "../scripts/record.py"

    rule record_likeness:
        input:
            first=lambda wildcards: [first for _, first, _ in pairs_of(wildcards)],
            second=lambda wildcards: [second for _, _, second in pairs_of(wildcards)],
        output:
            f"{RESULTS}/reproduction/likeness/{{dataset}}-t{{steps}}-fold-{{fold}}.csv",
        log:
            f"{RESULTS}/logs/reproduction/likeness/{{dataset}}-t{{steps}}-fold-{{fold}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/reproduction/likeness/{{dataset}}-t{{steps}}-fold-{{fold}}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            folder=REPRODUCTION.folder,
            pairs=lambda wildcards: canonical([names for names, _, _ in pairs_of(wildcards)]),
            code=code("record_likeness.py"),
        script:
            "../scripts/record_likeness.py"

    rule reproduction:
        input:
            published=REPRODUCTION.published,
            records=every_record(),
        output:
            REPRODUCTION.page,
        log:
            f"{RESULTS}/logs/reproduction.log",
        benchmark:
            f"{RESULTS}/benchmarks/reproduction.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            study=canonical(CONFIG.model_dump(mode="json", exclude=OUTSIDE)),
            code=code("reproduction.py"),
        script:
            "../scripts/reproduction.py"

    localrules:
        record,
        record_likeness,
        reproduction,
