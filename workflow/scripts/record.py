"""Put a finished network into the book of runs."""

import json
from pathlib import Path

from rnnxai.software import commit_of
from rnnxai.stages.job import job
from rnnxai.stages.reproduction import record_run

params, given = snakemake.params, snakemake.input
with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    record_run(
        params.folder,
        snakemake.output[0],
        network=given.network,
        scores=given.scores,
        dataset=given.dataset,
        archives=dict(zip(params.explainers, given.archives, strict=True)),
        identities=json.loads(params.identities),
        commit=commit_of(Path(snakemake.scriptdir).parents[1], "src", "workflow"),
        of_class=params.of_class,
    )
