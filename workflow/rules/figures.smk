"""figures: every picture in three formats, with the CSV it was drawn from; tables for reading.

Pictures of the same numbers or archives are drawn in one job, since starting one takes longer than drawing. So
there is a rule for every set of figures that some jobs draw together.
"""

for label, names in several(SCORE_FIGURES):

    rule:
        name:
            f"score_figures{label}"
        input:
            scores=f"{RESULTS}/scores/scores.csv",
            differences=f"{RESULTS}/scores/differences.csv",
            references=references_of,
        output:
            **figures_files("{view}", names, view="{view}"),
        log:
            f"{RESULTS}/logs/figures/scores/{{view}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/figures/scores/{{view}}.tsv"
        wildcard_constraints:
            view=drawn_together(SCORE_FIGURES, names),
        localrule: True
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            names=names,
            dataset=lambda wildcards: VIEWS[wildcards.view].dataset,
            comparison=lambda wildcards: canonical(astuple(VIEWS[wildcards.view].comparison)),
            level=CONFIG.statistics.level,
            folds=lambda wildcards: CONFIG.datasets[VIEWS[wildcards.view].dataset].folds,
            code=figure_code("score_figures.py", *names),
        script:
            "../scripts/score_figures.py"


for label, names in several(ARCHIVE_FIGURES):

    rule:
        name:
            f"archive_figures{label}"
        input:
            dataset=lambda wildcards: f"{RESULTS}/datasets/{SCENES[wildcards.scene].view.dataset}.h5",
            archives=lambda wildcards: list(cells(SCENES[wildcards.scene], EXPLAINERS).values()),
        output:
            **figures_files("{scene}", names, scene="{scene}"),
        log:
            f"{RESULTS}/logs/figures/archives/{{scene}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/figures/archives/{{scene}}.tsv"
        wildcard_constraints:
            scene=drawn_together(ARCHIVE_FIGURES, names),
        localrule: True
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=2000,
            runtime=15,
        params:
            names=names,
            cells=lambda wildcards: list(cells(SCENES[wildcards.scene], EXPLAINERS)),
            settings=canonical(CONFIG.figures.model_dump(include={"samples", "choice", "step_class"})),
            code=figure_code("archive_figures.py", *names),
        script:
            "../scripts/archive_figures.py"


rule where_did_the_score_go_figure:
    input:
        archives=lambda wildcards: list(cells(SCENES[wildcards.scene], CONSERVING).values()),
    output:
        **figure_files("{scene}", "where-did-the-score-go", scene="{scene}"),
    log:
        f"{RESULTS}/logs/figures/where-did-the-score-go/{{scene}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/where-did-the-score-go/{{scene}}.tsv"
    wildcard_constraints:
        scene=one_of(SCENES),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        cells=lambda wildcards: list(cells(SCENES[wildcards.scene], CONSERVING)),
        code=figure_code("where_did_the_score_go_figure.py", "where-did-the-score-go"),
    script:
        "../scripts/where_did_the_score_go_figure.py"


rule overview_figures:
    input:
        dataset=f"{RESULTS}/datasets/{{dataset}}.h5",
        archives=lambda wildcards: list(cells(OVERVIEWS[wildcards.dataset], EXPLAINERS).values()),
        networks=lambda wildcards: [
            f"{RESULTS}/models/{path_of(case)}.safetensors"
            for case in cases_of(OVERVIEWS[wildcards.dataset])
        ],
        scores=f"{RESULTS}/scores/scores.csv",
        references=f"{RESULTS}/scores/{{dataset}}/references.csv",
    output:
        **figures_files("{dataset}", ("overview", "problem"), dataset="{dataset}"),
    log:
        f"{RESULTS}/logs/figures/overview/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/overview/{{dataset}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        cells=lambda wildcards: list(cells(OVERVIEWS[wildcards.dataset], EXPLAINERS)),
        architectures=lambda wildcards: [case.architecture for case in cases_of(OVERVIEWS[wildcards.dataset])],
        steps=lambda wildcards: OVERVIEWS[wildcards.dataset].steps,
        level=CONFIG.statistics.level,
        folds=lambda wildcards: definition(wildcards).folds,
        code=figure_code("overview_figures.py", "overview", "problem"),
    script:
        "../scripts/overview_figures.py"


rule training_curves_figure:
    input:
        metrics=lambda wildcards: [
            f"{RESULTS}/models/{path_of(case)}.metrics.jsonl" for case in compared(wildcards)
        ],
    output:
        **figure_files("{dataset}-t{steps}", "training-curves", dataset="{dataset}", T="{steps}"),
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
        code=figure_code("training_curves_figure.py", "training-curves"),
    script:
        "../scripts/training_curves_figure.py"


rule tables:
    input:
        networks=[f"{RESULTS}/models/{path_of(case)}.safetensors" for case in ONE_OF_EACH],
        scores=f"{RESULTS}/scores/scores.csv",
        summary=f"{RESULTS}/scores/summary.csv",
        differences=f"{RESULTS}/scores/differences.csv",
        references=[f"{RESULTS}/scores/{dataset}/references.csv" for dataset in MARKED],
    output:
        **table_files(),
    log:
        f"{RESULTS}/logs/tables.log",
    benchmark:
        f"{RESULTS}/benchmarks/tables.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        networks=canonical([[case.dataset, case.architecture, case.steps] for case in ONE_OF_EACH]),
        marked=MARKED,
        gates=canonical(dict(CONFIG.accuracy_gate)),
        code=code("tables.py"),
    script:
        "../scripts/tables.py"


localrules:
    where_did_the_score_go_figure,
    overview_figures,
    training_curves_figure,
    tables,
