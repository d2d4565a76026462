"""Train one stack of folds."""

import json

from rnnxai.stages.job import job
from rnnxai.stages.stopping import stopping
from rnnxai.stages.train import train_stack
from rnnxai.training.settings import TrainSettings

_, _, steps = snakemake.wildcards.network.split("/")
architecture = json.loads(snakemake.params.architecture)
run = snakemake.config["train_job"]
with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"), stopping(run["minutes"]) as stop:
    train_stack(
        snakemake.input.dataset,
        dict(zip(snakemake.params.folds, snakemake.output.networks, strict=True)),
        dict(zip(snakemake.params.folds, snakemake.output.metrics, strict=True)),
        snakemake.params.checkpoint,
        architecture=architecture["cell"],
        sizes=architecture["sizes"],
        steps=int(steps.removeprefix("t")),
        settings=TrainSettings(**json.loads(snakemake.params.settings)),
        code=snakemake.params.code,
        checkpoint_seconds=run["checkpoint_seconds"],
        stop=stop,
    )
