"""Build one data set file."""

from rnnxai.config import check_config
from rnnxai.stages.dataset import make_dataset
from rnnxai.stages.job import job

config = check_config(snakemake.config)
with job(snakemake.log[0], f"{config.results}/.jobs"):
    make_dataset(
        config.datasets[snakemake.wildcards.dataset], snakemake.output[0], **config.data.model_dump()
    )
