"""Put down how alike the maps of some networks are."""

import json
from pathlib import Path

from rnnxai.software import commit_of
from rnnxai.stages.job import job
from rnnxai.stages.reproduction import record_likeness

params, given = snakemake.params, snakemake.input
with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    record_likeness(
        params.folder,
        snakemake.output[0],
        list(zip(json.loads(params.pairs), given.first, given.second, strict=True)),
        commit_of(Path(snakemake.scriptdir).parents[1], "src", "workflow"),
    )
