"""Put the scores of the study together."""

import json

from rnnxai.scoring.comparisons import Comparison
from rnnxai.stages.job import job
from rnnxai.stages.summary import summarise_study

comparisons = {
    dataset: [
        Comparison(name, tuple(architectures), tuple(baselines)) for name, architectures, baselines in each
    ]
    for dataset, each in json.loads(snakemake.params.comparisons).items()
}
with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    summarise_study(
        snakemake.input.rows,
        snakemake.output.scores,
        snakemake.output.summary,
        snakemake.output.differences,
        comparisons=comparisons,
        folds=json.loads(snakemake.params.folds),
        **json.loads(snakemake.params.statistics),
    )
