"""Put a finished network into the book of runs."""

import json
from pathlib import Path

from rnnxai.reproduction.run import rows_of_run
from rnnxai.software import commit_of
from rnnxai.stages.job import job
from rnnxai.stages.reproduction import keep

params, given = snakemake.params, snakemake.input
with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    rows = rows_of_run(
        given.network,
        given.scores,
        given.dataset,
        dict(zip(params.explainers, given.archives, strict=True)),
        json.loads(params.identities),
        commit_of(Path(snakemake.scriptdir).parents[1], "src", "workflow"),
        params.of_class,
    )
    keep("runs", params.folder, snakemake.output[0], rows)
