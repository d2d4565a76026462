"""Draw where the score went in the networks of one data set, number of steps and fold."""

from rnnxai.stages.figures import draw_figure
from rnnxai.stages.job import job

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    cells = (tuple(cell) for cell in snakemake.params.cells)
    draw_figure(
        "where-did-the-score-go",
        snakemake.output.png.removesuffix(".png"),
        {"archives": dict(zip(cells, snakemake.input.archives, strict=True))},
    )
