"""Write the tables of the study."""

import json
from pathlib import Path

from rnnxai.stages.job import job
from rnnxai.stages.tables import make_tables

params = snakemake.params
with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    keys = ("dataset", "architecture", "T")
    networks = [dict(zip(keys, network, strict=True)) for network in json.loads(params.networks)]
    make_tables(
        Path(snakemake.output.scores_csv).parent,
        list(zip(networks, snakemake.input.networks, strict=True)),
        snakemake.input.scores,
        snakemake.input.summary,
        snakemake.input.differences,
        dict(zip(params.marked, snakemake.input.references, strict=True)),
        json.loads(params.gates),
    )
