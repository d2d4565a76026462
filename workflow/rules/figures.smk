"""figures: every picture in three formats, with the CSV it was drawn from."""


rule cosine_figure:
    input:
        scores=f"{RESULTS}/scores/scores.csv",
    output:
        **figure_files("cosine/{dataset}", "cosine", dataset="{dataset}"),
    log:
        f"{RESULTS}/logs/figures/cosine/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/cosine/{{dataset}}.tsv"
    conda:
        ENVIRONMENT
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
        archives=lambda wildcards: list(cells(wildcards, EXPLAINERS).values()),
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
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        cells=lambda wildcards: list(cells(wildcards, EXPLAINERS)),
        samples=CONFIG.figures.samples,
        code=figure_code("heatmaps"),
    script:
        "../scripts/heatmaps_figure.py"


rule training_curves_figure:
    input:
        metrics=lambda wildcards: [
            f"{RESULTS}/models/{path_of(case)}.metrics.jsonl" for case in compared(wildcards)
        ],
    output:
        **figure_files(
            "training-curves/{dataset}-t{steps}", "training-curves", dataset="{dataset}", T="{steps}"
        ),
    log:
        f"{RESULTS}/logs/figures/training-curves/{{dataset}}-t{{steps}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/training-curves/{{dataset}}-t{{steps}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        networks=lambda wildcards: [(case.architecture, case.fold) for case in compared(wildcards)],
        gate=lambda wildcards: CONFIG.accuracy_gate.get(wildcards.dataset),
        code=figure_code("training-curves"),
    script:
        "../scripts/training_curves_figure.py"


rule where_did_the_score_go_figure:
    input:
        archives=lambda wildcards: list(cells(wildcards, CONSERVING).values()),
    output:
        **figure_files(
            "where-did-the-score-go/{dataset}-t{steps}-fold-{fold}",
            "where-did-the-score-go",
            dataset="{dataset}",
            T="{steps}",
            fold="{fold}",
        ),
    log:
        f"{RESULTS}/logs/figures/where-did-the-score-go/{{dataset}}-t{{steps}}-fold-{{fold}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/where-did-the-score-go/{{dataset}}-t{{steps}}-fold-{{fold}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        cells=lambda wildcards: list(cells(wildcards, CONSERVING)),
        code=figure_code("where-did-the-score-go"),
    script:
        "../scripts/where_did_the_score_go_figure.py"


localrules:
    cosine_figure,
    heatmaps_figure,
    training_curves_figure,
    where_did_the_score_go_figure,
