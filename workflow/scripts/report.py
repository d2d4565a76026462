"""Write the report."""

from rnnxai.stages.job import job
from rnnxai.stages.report import make_report

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    make_report(
        snakemake.params.snakefile,
        snakemake.config,
        [*snakemake.input.figures, *snakemake.input.tables],
        snakemake.output[0],
    )
