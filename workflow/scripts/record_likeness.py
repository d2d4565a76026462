"""Put down how alike the maps of some networks are."""

import json
from pathlib import Path

from rnnxai.reproduction.likeness import rows_of_pairs
from rnnxai.software import commit_of
from rnnxai.stages.job import job
from rnnxai.stages.reproduction import keep

params, given = snakemake.params, snakemake.input
with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    pairs = zip(json.loads(params.pairs), given.first, given.second, strict=True)
    commit = commit_of(Path(snakemake.scriptdir).parents[1], "src", "workflow")
    keep("likeness", params.folder, snakemake.output[0], rows_of_pairs(pairs, commit))
