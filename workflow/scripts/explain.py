"""Explain one network with one group of methods."""

import json

from rnnxai.stages.explain import explain_network
from rnnxai.stages.job import job

explainers = json.loads(snakemake.params.explainers)
wildcards = snakemake.wildcards
with job(snakemake.log[0], f"{snakemake.config['results']}/.jobs"):
    explain_network(
        snakemake.input.dataset,
        snakemake.input.network,
        {explainer["name"]: path for explainer, path in zip(explainers, snakemake.output, strict=True)},
        dataset=wildcards.dataset,
        architecture=wildcards.architecture,
        steps=int(wildcards.steps),
        fold="quality" if wildcards.fold == "quality" else int(wildcards.fold),
        explainers=explainers,
        **json.loads(snakemake.params.settings),
    )
