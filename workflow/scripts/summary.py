"""Put the scores of the study together."""

import json

from rnnxai.stages.job import job
from rnnxai.stages.score import summarise_study

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    summarise_study(
        snakemake.input.rows,
        snakemake.output.scores,
        snakemake.output.summary,
        **json.loads(snakemake.params.statistics),
    )
