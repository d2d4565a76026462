"""Draw the cosine plot of one data set."""

from rnnxai.scoring.table import QUALITY, read_table
from rnnxai.stages.figures import draw_figure
from rnnxai.stages.job import job

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    scores = read_table(snakemake.input.scores)
    rows = scores[scores["dataset"] == snakemake.wildcards.dataset]
    # Folds repeat each other and get an interval. The fixed split is shown where it is all there is.
    folds = rows[rows["fold"] != QUALITY]
    draw_figure(
        "cosine",
        snakemake.output.png.removesuffix(".png"),
        {
            "scores": rows if folds.empty else folds,
            "level": snakemake.params.level,
            "blocks": snakemake.params.blocks,
        },
    )
