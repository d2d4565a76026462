"""reproduction: the book of finished runs, and the page that sets them beside published numbers."""

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
