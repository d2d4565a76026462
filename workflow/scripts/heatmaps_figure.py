"""Draw the heatmap grid of one data set, number of steps and fold."""

from rnnxai.archive.read import AttributionArchive
from rnnxai.stages.figures import draw_figure
from rnnxai.stages.job import job


def shown(path):
    """Return which architecture and explainer an archive is of."""
    with AttributionArchive(path) as archive:
        return archive.architecture, archive.explainer


with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    draw_figure(
        "heatmaps",
        snakemake.output.png.removesuffix(".png"),
        {
            "dataset_path": snakemake.input.dataset,
            "archives": {shown(path): path for path in snakemake.input.archives},
            "samples": snakemake.params.samples,
        },
    )
