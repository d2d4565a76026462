"""How well the books close on trained networks, in float64 and in float32.

For every network of a study that has run: the largest |sum of input relevance - start| / sum of |relevance|
over the test sequences of its fold, for DTD and LRP, and the largest amount that any sample dropped.

Run with ``make bench`` after ``make demo``, or with ``--results`` for another study.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from rnnxai.data.dataset import Dataset, Fold
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.strategy import make_strategy
from rnnxai.models.pixels import to_input
from rnnxai.models.weights import load_network

METHODS = ("dtd", "lrp-a1.5b0.5")
CHUNK = 200


def largest_errors(dataset: Dataset, network: Path, dtype: torch.dtype) -> tuple[dict[str, float], float]:
    """Return the largest relative error of each method, and the largest amount dropped."""
    model, about = load_network(network)
    model.to(dtype)
    plan = Plan(model, model.bounds)
    strategies = {method: make_strategy(method) for method in METHODS}
    fold: Fold = about["fold"]
    rows = dataset.rows(fold, "test")
    errors, dropped = dict.fromkeys(METHODS, 0.0), 0.0
    for start in range(0, len(rows), CHUNK):
        index = rows[start : start + CHUNK]
        images = to_input(torch.from_numpy(dataset.sequences(index))).to(dtype)
        targets = torch.from_numpy(dataset.labels[index])
        _, explanations = explain_batch(plan, images, targets, strategies, ledgers=True)
        for method, explanation in explanations.items():
            relevance = explanation.relevance.double().flatten(1)
            difference = (relevance.sum(1) - explanation.start.double()).abs()
            scale = relevance.abs().sum(1)
            relative = torch.where(scale > 0, difference / scale.clamp(min=1e-300), difference)
            errors[method] = max(errors[method], float(relative.max()))
            if explanation.ledger is not None:
                dropped = max(dropped, float(np.abs(explanation.ledger.dropped).max()))
    return errors, dropped


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results/demo"), help="folder of a study")
    parser.add_argument("--fold", default="0", help="fold whose networks are measured")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    networks = sorted((wanted.results / "models").glob(f"*/*/*/fold-{wanted.fold}.safetensors"))
    if not networks:
        print(f"{wanted.results} holds no network of fold {wanted.fold}; run the study first (make demo)")
        return
    print(f"{'network':40} {'dtype':8} " + " ".join(f"{method:>14}" for method in METHODS) + "   dropped")
    for network in networks:
        case = network.relative_to(wanted.results / "models")
        dataset = Dataset.open(wanted.results / "datasets" / f"{case.parts[0]}.h5")
        for dtype in (torch.float64, torch.float32):
            errors, dropped = largest_errors(dataset, network, dtype)
            figures = " ".join(f"{errors[method]:14.1e}" for method in METHODS)
            print(f"{case.parent!s:40} {str(dtype)[6:]:8} {figures}   {dropped:g}")


if __name__ == "__main__":
    main()
