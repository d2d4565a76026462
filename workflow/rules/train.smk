"""train: one job per fold, or per stack of folds, and one network file per fold in any case."""


def train_settings(dataset, architecture, steps):
    return canonical(STUDY.train_settings(dataset, architecture, int(steps)).model_dump())


def every_network():
    return [f"{RESULTS}/models/{path_of(case)}.safetensors" for case in STUDY.cases]


def stacked(folds):
    """Regular expression of the networks whose given folds are trained as one stack."""
    networks = (f"{s.dataset}/{s.architecture}/t{s.steps}" for s in STUDY.stacks if s.folds == folds)
    return "|".join(map(re.escape, networks))


# Snakemake needs the number of outputs when it reads a rule, so there is one rule for every set of folds
# that is trained together. With folds_per_job: 1 that is one rule per fold.
for folds in sorted({stack.folds for stack in STUDY.stacks}, key=str):
    label = "-".join(map(str, folds))
    base = "models/{network}/fold-"

    rule:
        name:
            f"train_{label.replace('-', '_')}"
        input:
            dataset=lambda wildcards: f"{RESULTS}/datasets/{wildcards.network.split('/')[0]}.h5",
        output:
            networks=[f"{RESULTS}/{base}{fold}.safetensors" for fold in folds],
            metrics=[f"{RESULTS}/{base}{fold}.metrics.jsonl" for fold in folds],
        log:
            f"{RESULTS}/logs/train/{{network}}/folds-{label}.log",
        benchmark:
            f"{RESULTS}/benchmarks/train/{{network}}/folds-{label}.tsv"
        wildcard_constraints:
            network=stacked(folds),
        threads: THREADS
        resources:
            mem_mb=lambda wildcards, attempt: 3000 * attempt,
            runtime=lambda wildcards, attempt: 240 * attempt,
            gpu=GPUS,
        params:
            folds=folds,
            settings=lambda wildcards: train_settings(*re.split("/t?", wildcards.network)),
            code=lambda wildcards: code("train.py", code_of_architecture(wildcards.network.split("/")[1])),
            checkpoint=f"{RESULTS}/checkpoints/{{network}}/folds-{label}.safetensors",
        script:
            "../scripts/train.py"
