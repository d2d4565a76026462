"""Write the page that sets the study beside published numbers."""

from rnnxai.config import check_config
from rnnxai.stages.job import job
from rnnxai.stages.reproduction import write_reproduction
from rnnxai.study import Study

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    write_reproduction(Study(check_config(snakemake.config)))
