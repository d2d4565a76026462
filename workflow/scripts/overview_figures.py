"""Draw the overview of one data set, and what its problem is."""

from rnnxai.scoring.references import read_references
from rnnxai.scoring.table import read_table
from rnnxai.stages.figures import draw_figure
from rnnxai.stages.job import job

params = snakemake.params
with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    cells = (tuple(cell) for cell in params.cells)
    scores = read_table(snakemake.input.scores)
    own = (scores["dataset"] == snakemake.wildcards.dataset) & (scores["T"] == params.steps)
    draw_figure(
        "overview",
        snakemake.output.overview_png.removesuffix(".png"),
        {
            "dataset_path": snakemake.input.dataset,
            "archives": dict(zip(cells, snakemake.input.archives, strict=True)),
            "networks": dict(zip(params.architectures, snakemake.input.networks, strict=True)),
            "scores": scores[own],
            "references": read_references(snakemake.input.references),
            "folds": params.folds,
            "level": params.level,
        },
    )
    draw_figure(
        "problem",
        snakemake.output.problem_png.removesuffix(".png"),
        {"dataset_path": snakemake.input.dataset},
    )
