"""Explain the test set of one network with a group of methods: one archive per method."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from rnnxai.archive.layout import Layout, stored_rows
from rnnxai.archive.provenance import explanation, provenance
from rnnxai.archive.write import AttributionWriter
from rnnxai.data.dataset import Dataset, Fold
from rnnxai.errors import Error
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.strategy import make_strategy
from rnnxai.files import sha256
from rnnxai.memory import keep_freed_memory
from rnnxai.models.pixels import to_input
from rnnxai.models.weights import load_network
from rnnxai.stages.device import choose_device

MAPS_SEED = 0


def explain_network(
    dataset_path: str | Path,
    network_path: str | Path,
    archives: Mapping[str, str | Path],
    *,
    dataset: str,
    architecture: str,
    steps: int,
    fold: Fold,
    explainers: Sequence[Mapping[str, Any]],
    maps: int | Literal["all"],
    chunk: int,
    keep_bits: int | None = None,
    threads: int = 1,
    device: str = "cpu",
) -> None:
    """Explain the true class of every test sample, right or wrong, with one forward pass for all methods.

    Parameters
    ----------
    dataset_path, network_path : str or Path
    archives : Mapping[str, path]
        Explainer name to output file.
    dataset, architecture, steps, fold
        Which case of the study it is.
    explainers : sequence of Mapping
        ``name``, ``method`` and ``options`` of each.
    maps : int or "all"
        Samples whose full heatmap is kept; sums per step and block are kept of all.
    chunk : int
        Samples explained at once.
    keep_bits : int, optional
        Bits of the mantissa to which heatmaps are rounded.
    threads : int
        CPU threads; results depend on it in the last bits.
    device : {"cpu", "cuda", "auto"}

    Raises
    ------
    Error
        If the network was trained on another data set file.
    """
    torch.set_num_threads(threads)
    keep_freed_memory()
    device = choose_device(device)
    model, about_network = load_network(network_path)
    if about_network["dataset_sha256"] != sha256(dataset_path):
        raise Error(
            f"{dataset_path}: not the data set file that {network_path} was trained on; their hashes differ. "
            "Put that file back, or run the study again to train on this one"
        )
    model.to(device)
    samples = Dataset.open(dataset_path)
    rows = samples.rows(fold, "test")
    strategies = {e["name"]: make_strategy(e["method"], e["options"]) for e in explainers}
    height, width = samples.image_size
    about = provenance(
        {
            "explainers": list(explainers),
            "maps": maps,
            "chunk": chunk,
            "keep_bits": keep_bits,
            "fold": fold,
            "steps": steps,
        },
        {"dataset": dataset_path, "network": network_path},
        seed=MAPS_SEED,
        threads=threads,
        device=device,
    )
    plan = Plan(model, model.bounds)
    with ExitStack() as stack:
        writers = {}
        for explainer in explainers:
            name = explainer["name"]
            layout = Layout(
                samples=len(rows),
                channels=1,
                height=height,
                width=width,
                steps=steps,
                classes=len(samples.classes),
                blocks=None if samples.majority is None else samples.majority.shape[1],
                maps=stored_rows(len(rows), maps, MAPS_SEED),
                conserves=strategies[name].conserves,
            )
            which = explanation(
                dataset=dataset,
                architecture=architecture,
                steps=steps,
                fold=fold,
                explainer=name,
                parameters={"method": explainer["method"], **explainer["options"]},
                model_sha256=sha256(network_path),
            )
            writers[name] = stack.enter_context(
                AttributionWriter(archives[name], layout, about | which, keep_bits)
            )
        for start in range(0, len(rows), chunk):
            index = rows[start : start + chunk]
            images = to_input(torch.from_numpy(samples.sequences(index)).to(device))
            labels = samples.labels[index]
            targets = torch.from_numpy(labels).to(device)
            scores, explanations = explain_batch(plan, images, targets, strategies, ledgers=True)
            logits = scores.cpu().numpy()
            for name, result in explanations.items():
                ledger = result.ledger
                writers[name].append(
                    relevance=result.relevance.cpu().numpy(),
                    prediction=logits,
                    label=labels,
                    index=index,
                    explained_score=logits[np.arange(len(labels)), labels],
                    start=None if ledger is None else ledger.start,
                    kept=None if ledger is None else ledger.kept,
                )
