"""data: one HDF5 file per data set."""


rule dataset:
    output:
        f"{RESULTS}/datasets/{{dataset}}.h5",
    log:
        f"{RESULTS}/logs/dataset/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/dataset/{{dataset}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        definition=lambda wildcards: canonical(asdict(definition(wildcards))),
        code=lambda wildcards: code("dataset.py", *code_of_dataset(definition(wildcards))),
    script:
        "../scripts/dataset.py"


# Nodes of a cluster often have no way out, and the data sets may have to be downloaded.
localrules:
    dataset,
