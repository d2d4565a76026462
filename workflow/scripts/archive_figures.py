"""Draw the figures of archives of one comparison, number of steps and fold."""

import json

from rnnxai.stages.figures import draw_figure
from rnnxai.stages.job import job

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    settings = json.loads(snakemake.params.settings)
    cells = (tuple(cell) for cell in snakemake.params.cells)
    archives = {
        "dataset_path": snakemake.input.dataset,
        "archives": dict(zip(cells, snakemake.input.archives, strict=True)),
    }
    chosen = {"samples": settings["samples"], "choice": settings["choice"]}
    arguments = {
        "heatmaps": archives | chosen,
        "positive-heatmaps": archives | chosen,
        "relevance-per-step": archives | {"of_class": settings["step_class"]},
        "block-shares": archives,
    }
    for figure in snakemake.params.names:
        png = snakemake.output[f"{figure.replace('-', '_')}_png"]
        draw_figure(figure, png.removesuffix(".png"), arguments[figure])
