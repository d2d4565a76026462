"""Score explanations that look at nothing, on one data set."""

import json

from rnnxai.scoring.archives import Score
from rnnxai.stages.job import job
from rnnxai.stages.references import score_references

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    scores = [Score(**score) for score in json.loads(snakemake.params.scores)]
    score_references(snakemake.input[0], snakemake.output[0], scores)
