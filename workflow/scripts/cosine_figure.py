"""Draw the cosine plot of one data set."""

from rnnxai.scoring.table import read_table
from rnnxai.stages.figures import draw_figure
from rnnxai.stages.job import job

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    scores = read_table(snakemake.input.scores)
    draw_figure(
        "cosine",
        snakemake.output.png.removesuffix(".png"),
        {
            "scores": scores[scores["dataset"] == snakemake.wildcards.dataset],
            "level": snakemake.params.level,
            "blocks": snakemake.params.blocks,
        },
    )
