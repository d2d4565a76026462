"""Score the archives of one network and group."""

import json

from rnnxai.scoring.archives import Score
from rnnxai.stages.job import job
from rnnxai.stages.score import score_group

archives = dict(snakemake.input.items())
dataset = archives.pop("dataset")
with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    scores = [Score(**score) for score in json.loads(snakemake.params.scores)]
    score_group(dataset, archives, snakemake.output.samples, snakemake.output.rows, scores)
