"""Draw the figures of scores of one data set and comparison."""

import json

from rnnxai.scoring.differences import read_differences
from rnnxai.scoring.references import read_references
from rnnxai.scoring.table import read_table
from rnnxai.stages.figures import draw_figure
from rnnxai.stages.job import job

params = snakemake.params
with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    name, architectures, _baselines = json.loads(params.comparison)
    scores = read_table(snakemake.input.scores)
    scores = scores[(scores["dataset"] == params.dataset) & scores["architecture"].isin(architectures)]
    differences = read_differences(snakemake.input.differences)
    differences = differences[
        (differences["dataset"] == params.dataset) & (differences["comparison"] == name)
    ]
    levels = {"folds": params.folds, "level": params.level}
    if snakemake.input.references:
        levels["references"] = read_references(snakemake.input.references[0])
    arguments = {
        "cosine": {"scores": scores, **levels},
        "look": {"scores": scores, **levels},
        "differences": {"differences": differences, "level": params.level},
        "checks": {"scores": scores},
    }
    for figure in params.names:
        png = snakemake.output[f"{figure.replace('-', '_')}_png"]
        draw_figure(figure, png.removesuffix(".png"), arguments[figure])
