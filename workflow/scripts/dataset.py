"""Build one data set file."""

import json

from rnnxai.data.dataset import build_dataset
from rnnxai.data.definition import DatasetDefinition
from rnnxai.stages.job import job

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    definition = DatasetDefinition(**json.loads(snakemake.params.definition))
    build_dataset(definition, snakemake.output[0], **snakemake.config["data"])
