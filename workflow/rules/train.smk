"""train: one job per fold, or per stack of folds, and one network file per fold in any case."""

# Snakemake needs the number of outputs when it reads a rule, so there is one rule for every set of folds
# that is trained together. With folds_per_job: 1 that is one rule per fold.
for folds in sorted({stack.folds for stack in STUDY.stacks}, key=str):
    label = "-".join(map(str, folds))
    base = "models/{network}/fold-"

    rule:
        name:
            f"train_{label.replace('-', '_')}"
        input:
            dataset=lambda wildcards: f"{RESULTS}/datasets/{parts_of(wildcards.network)[0]}.h5",
        output:
            networks=[f"{RESULTS}/{base}{fold}.safetensors" for fold in folds],
            metrics=[f"{RESULTS}/{base}{fold}.metrics.jsonl" for fold in folds],
        log:
            f"{RESULTS}/logs/train/{{network}}/folds-{label}.log",
        benchmark:
            f"{RESULTS}/benchmarks/train/{{network}}/folds-{label}.tsv"
        wildcard_constraints:
            network=networks_of(folds),
        group:
            TRAININGS
        conda:
            ENVIRONMENT
        threads: lambda wildcards: settings_of(wildcards).threads
        resources:
            mem_mb=lambda wildcards, attempt: 3000 * attempt,
            runtime=minutes(240, "train/{network}/*.tsv", share_of_a_day(TRAININGS)),
            gpu=gpus,
            one_at_a_time=1,
            slurm_extra="--signal=USR1@120",  # time for a checkpoint, then the job is put back into the queue
        params:
            folds=folds,
            settings=lambda wildcards: canonical(settings_of(wildcards).model_dump()),
            architecture=lambda wildcards: canonical(architecture_of(wildcards).model_dump()),
            code=lambda wildcards: code("train.py", code_of_architecture(architecture_of(wildcards))),
            checkpoint=f"{RESULTS}/checkpoints/{{network}}/folds-{label}.safetensors",
        script:
            "../scripts/train.py"
