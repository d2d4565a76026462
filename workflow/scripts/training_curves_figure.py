"""Draw the training curves of one data set and number of steps."""

from rnnxai.stages.figures import draw_figure
from rnnxai.stages.job import job

with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    networks = (tuple(network) for network in snakemake.params.networks)
    draw_figure(
        "training-curves",
        snakemake.output.png.removesuffix(".png"),
        {
            "metrics": dict(zip(networks, snakemake.input.metrics, strict=True)),
            "gate": snakemake.params.gate,
            "title": f"{snakemake.wildcards.dataset}, T = {snakemake.wildcards.steps}",
        },
    )
