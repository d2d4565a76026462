"""What it gains to train folds as a stack: time per fold of a stack of K against a single network.

Both sides run the project's own loop on the same made-up data, one after the other in each round, and the
ratio is taken round by round. Run with ``make bench`` or ``python benchmarks/folded_training.py --help``.
"""

import argparse
import json
import platform
import statistics
import time

import torch

from rnnxai.models.build import build_model
from rnnxai.models.zoo import MODELS
from rnnxai.training.batches import Pixels, epoch
from rnnxai.training.loop import Run, _step
from rnnxai.training.settings import TrainSettings
from rnnxai.training.streams import generators

STEPS, WIDTH, CLASSES, SAMPLES = 12, 84, 10, 2000


def seconds_per_fold(architecture: str, folds: int, pixels: Pixels) -> float:
    """Time one epoch of a stack, after a few steps to warm up."""
    settings, names = TrainSettings(), list(range(folds))
    model = build_model(
        architecture,
        image_size=(28, WIDTH),
        steps=STEPS,
        classes=CLASSES,
        generators=generators(0, names, "initialisation"),
    )
    run = Run(model.train(), names, settings, "cpu")
    rows = [torch.arange(SAMPLES)] * folds
    batches = list(epoch(rows, settings.batch_size, run.orders))
    for batch in batches[:3]:
        _step(run, *pixels.take(batch))
    started = time.process_time()
    for batch in batches:
        _step(run, *pixels.take(batch))
    return (time.process_time() - started) / folds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    shape = (SAMPLES, STEPS, 28 * WIDTH // STEPS)
    pixels = Pixels(torch.randint(0, 256, shape, dtype=torch.uint8), torch.randint(0, CLASSES, (SAMPLES,)))
    results = {}
    for architecture in MODELS:
        ratios = []
        for _ in range(wanted.rounds):
            single = seconds_per_fold(architecture, 1, pixels)
            ratios.append(single / seconds_per_fold(architecture, wanted.folds, pixels))
        results[architecture] = {
            "median": statistics.median(ratios),
            "low": min(ratios),
            "high": max(ratios),
        }
    if wanted.json:
        about = {"folds": wanted.folds, "torch": torch.__version__, "machine": platform.machine()}
        print(json.dumps(about | {"speed-up per fold": results}, sort_keys=True))
        return
    print(
        f"A stack of {wanted.folds} folds against one, time per fold, torch {torch.__version__}, one thread"
    )
    for architecture, ratio in results.items():
        print(f"  {architecture:10} {ratio['median']:.2f} [{ratio['low']:.2f} .. {ratio['high']:.2f}]")


if __name__ == "__main__":
    main()
