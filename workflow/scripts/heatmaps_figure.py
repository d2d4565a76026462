"""Draw the heatmap grid of one data set, number of steps and fold."""

from rnnxai.stages.figures import draw_figure
from rnnxai.stages.job import job

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    cells = (tuple(cell) for cell in snakemake.params.cells)
    draw_figure(
        "heatmaps",
        snakemake.output.png.removesuffix(".png"),
        {
            "dataset_path": snakemake.input.dataset,
            "archives": dict(zip(cells, snakemake.input.archives, strict=True)),
            "samples": snakemake.params.samples,
        },
    )
