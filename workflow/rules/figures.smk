"""figures: every picture in three formats, with the CSV it was drawn from."""

from rnnxai.figures.catalogue import FIGURES

FORMATS = ("png", "svg", "pdf", "csv")


def figure_code(name):
    return code(f"{name.replace('-', '_')}_figure.py", FIGURES.target(name))


def figure_files(stem, name, **labels):
    """Outputs of a figure. The report shows the PNG; the others lie beside it."""
    stem = f"{RESULTS}/figures/{stem}"
    shown = report(
        f"{stem}.png",
        category="Figures",
        subcategory=FIGURES[name][:1].upper() + FIGURES[name][1:],
        labels=labels,
        caption=f"../report/{name}.rst",
    )
    return {"png": shown} | {ending: f"{stem}.{ending}" for ending in FORMATS[1:]}


def cases_of(wildcards):
    """The networks a figure compares: those of its data set, steps and, where it has one, fold."""
    wanted = {key: value for key, value in wildcards.items() if key in Case._fields}
    return [
        case for case in STUDY.cases if all(str(getattr(case, key)) == value for key, value in wanted.items())
    ]


def archives_to_show(wildcards):
    return [
        path.format(**case._asdict())
        for case in cases_of(wildcards)
        for group in STUDY.groups
        for path in archives_of(group).values()
    ]


def every_figure():
    figures = []
    for dataset in STUDY.datasets:
        cases = STUDY.of_dataset(dataset)
        if CONFIG.datasets[dataset].task == "majority":
            figures.append(f"cosine/{dataset}")
        for steps in dict.fromkeys(case.steps for case in cases):
            folds = [case.fold for case in cases if case.steps == steps]
            fold = "quality" if "quality" in folds else min(folds)
            figures.append(f"heatmaps/{dataset}-t{steps}-fold-{fold}")
            figures.append(f"training-curves/{dataset}-t{steps}")
    return [f"{RESULTS}/figures/{figure}.png" for figure in figures]


rule cosine_figure:
    input:
        scores=f"{RESULTS}/scores/scores.csv",
    output:
        **figure_files("cosine/{dataset}", "cosine", dataset="{dataset}"),
    log:
        f"{RESULTS}/logs/figures/cosine/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/cosine/{{dataset}}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        level=CONFIG.statistics.level,
        blocks=lambda wildcards: definition(wildcards).blocks,
        code=figure_code("cosine"),
    script:
        "../scripts/cosine_figure.py"


rule heatmaps_figure:
    input:
        dataset=f"{RESULTS}/datasets/{{dataset}}.h5",
        archives=archives_to_show,
    output:
        **figure_files(
            "heatmaps/{dataset}-t{steps}-fold-{fold}",
            "heatmaps",
            dataset="{dataset}",
            T="{steps}",
            fold="{fold}",
        ),
    log:
        f"{RESULTS}/logs/figures/heatmaps/{{dataset}}-t{{steps}}-fold-{{fold}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/heatmaps/{{dataset}}-t{{steps}}-fold-{{fold}}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        samples=CONFIG.figures.samples,
        code=figure_code("heatmaps"),
    script:
        "../scripts/heatmaps_figure.py"


rule training_curves_figure:
    input:
        metrics=lambda wildcards: [
            f"{RESULTS}/models/{path_of(case)}.metrics.jsonl" for case in cases_of(wildcards)
        ],
    output:
        **figure_files(
            "training-curves/{dataset}-t{steps}", "training-curves", dataset="{dataset}", T="{steps}"
        ),
    log:
        f"{RESULTS}/logs/figures/training-curves/{{dataset}}-t{{steps}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/training-curves/{{dataset}}-t{{steps}}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        networks=lambda wildcards: [(case.architecture, case.fold) for case in cases_of(wildcards)],
        gate=lambda wildcards: CONFIG.accuracy_gate.get(wildcards.dataset),
        code=figure_code("training-curves"),
    script:
        "../scripts/training_curves_figure.py"


localrules:
    cosine_figure,
    heatmaps_figure,
    training_curves_figure,
