"""Have Snakemake report how figures and tables were made."""

from rnnxai.stages.job import job
from rnnxai.stages.snakemake_report import make_snakemake_report

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    make_snakemake_report(
        snakemake.params.snakefile,
        snakemake.config,
        [*snakemake.input.figures, *snakemake.input.tables],
        snakemake.output[0],
    )
