"""Write the report."""

from pathlib import Path

from rnnxai.stages.job import job
from rnnxai.stages.report import make_report

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    make_report(
        snakemake.config,
        snakemake.input.figures,
        snakemake.input.tables,
        Path(snakemake.scriptdir).parent / "report",
        snakemake.output[0],
    )
