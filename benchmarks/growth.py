"""How the time and memory of an explanation, and the time of training, grow with the size of the problem.

Explanations are of Shallow by LRP with alpha 1.5 and beta 0.5. One size grows at a time: the steps T (seven
columns each, so that the width is 7 T), the units, the batch, the samples; and of training steps the folds K.
All sizes of a curve are timed in every round, and doublings are stated as ratios. Memory is the peak of the
tensors that are allocated on the way.

Run with ``make bench`` or ``python benchmarks/growth.py --help``; ``--plot FILE.png`` draws the curves.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from allocated import Allocated
from timing import Spread, Times, Variant, arguments, clock_of, interleaved, machine, show

from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.strategy import make_strategy
from rnnxai.memory import keep_freed_memory
from rnnxai.models.build import build_model
from rnnxai.models.cells.shallow import Shallow
from rnnxai.models.classifier import Classifier

METHOD, HEIGHT, COLUMNS, CLASSES, CHUNK = "lrp-a1.5b0.5", 28, 7, 10, 200
CURVES: Mapping[str, tuple[str, Sequence[int]]] = {
    "steps": ("time steps T, batch 50", (3, 6, 12, 24, 48, 96, 192)),
    "units": ("hidden and recurrent units, T = 12, batch 50", (64, 128, 256, 512, 1024)),
    "batch": ("batch, T = 12", (1, 5, 10, 25, 50, 100, 200, 400)),
    "samples": ("samples by chunks of 200, T = 12", (200, 400, 800, 1600)),
    "folds": ("folds K, a training step of 50 samples each", (1, 2, 4, 7, 14)),
}


def network(steps: int = 12, units: int = 256) -> Classifier:
    """Return Shallow with as many units."""
    cell = Shallow(
        folds=1,
        patch=(HEIGHT, COLUMNS),
        classes=CLASSES,
        dropout=0.2,
        bias="negative",
        hidden=units,
        recurrent=units,
    )
    model = Classifier(cell, (HEIGHT, COLUMNS * steps), steps).eval()
    for layer in model.affine_layers().values():
        layer.initialise([torch.Generator().manual_seed(0)])
    return model


def explaining(steps: int = 12, units: int = 256, count: int = 50) -> Callable[[], Any]:
    """Return what explains some samples, by chunks."""
    model = network(steps, units)
    plan, strategies = Plan(model, model.bounds), {METHOD: make_strategy(METHOD)}
    images = torch.rand(count, 1, HEIGHT, COLUMNS * steps) * 2 - 1
    targets = torch.randint(0, CLASSES, (count,))

    def explain() -> None:
        for x, y in zip(images.split(CHUNK), targets.split(CHUNK), strict=True):
            explain_batch(plan, x, y, strategies)

    return explain


def training(folds: int) -> Callable[[], Any]:
    """Return what does the forward and the backward pass of a stack of folds."""
    model = build_model(
        "shallow",
        image_size=(HEIGHT, COLUMNS * 12),
        steps=12,
        classes=CLASSES,
        generators=[torch.Generator().manual_seed(fold) for fold in range(folds)],
    ).train()
    images = torch.rand(folds, 50, 1, HEIGHT, COLUMNS * 12) * 2 - 1
    images = images if folds > 1 else images[0]
    return lambda: model(images).square().sum().backward()


WORK: Mapping[str, Callable[[int], Callable[[], Any]]] = {
    "steps": lambda steps: explaining(steps=steps),
    "units": lambda units: explaining(units=units),
    "batch": lambda count: explaining(count=count),
    "samples": lambda count: explaining(count=count),
    "folds": training,
}


def table(
    sizes: Sequence[int], times: Times, work: Mapping[int, Callable[[], Any]]
) -> dict[str, dict[str, Any]]:
    """Return a row for each size: time, growth per doubling, peak memory."""
    rows: dict[str, dict[str, Any]] = {}
    before: tuple[int, int] | None = None
    for size in sizes:
        seconds = Spread.of(times.seconds[str(size)])
        with Allocated() as allocated:
            work[size]()
        row: dict[str, Any] = {"ms": Spread(*(1e3 * x for x in (seconds.median, seconds.low, seconds.high)))}
        if before is not None:
            doublings = math.log2(size / before[0])
            growth = times.ratio(str(size), str(before[0]))
            row["time per doubling"] = Spread(
                *(x ** (1 / doublings) for x in (growth.median, growth.low, growth.high))
            )
            row["memory per doubling"] = round((allocated.peak / before[1]) ** (1 / doublings), 2)
        row["peak MB"] = allocated.peak / 1e6
        rows[str(size)] = row
        before = size, allocated.peak
    return rows


def draw(curves: Mapping[str, Mapping[str, Mapping[str, Any]]], path: Path) -> None:
    """Draw time against size, with a line of the slope that doubles with the size."""
    from matplotlib import pyplot as plt

    size_of_all = (2.5 * len(curves), 2.9)
    figure, axes = plt.subplots(1, len(curves), sharey=True, figsize=size_of_all, layout="constrained")
    for axis, (name, rows) in zip(axes, curves.items(), strict=True):
        sizes = [int(size) for size in rows]
        times = [row["ms"] for row in rows.values()]
        middle = [time.median for time in times]
        axis.fill_between(sizes, [t.low for t in times], [t.high for t in times], alpha=0.25, linewidth=0)
        axis.plot(sizes, middle, marker="o", markersize=3.5)
        proportional = [middle[-1] * size / sizes[-1] for size in sizes]
        axis.plot(sizes, proportional, color="0.6", linestyle=":", label="proportional")
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(sizes, [str(size) for size in sizes], fontsize=7)
        axis.tick_params(axis="x", which="minor", bottom=False)
        axis.set_xlabel(CURVES[name][0].partition(",")[0].partition(" by")[0])
        axis.set_title("training step" if name == "folds" else "explanation", fontsize=10)
        axis.grid(alpha=0.3)
    least = min(row["ms"].low for rows in curves.values() for row in rows.values())
    axes[0].set_ylim(bottom=0.7 * least)
    axes[0].set_ylabel("milliseconds")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Measure, print and draw."""
    parser = arguments(__doc__)
    parser.add_argument("--plot", type=Path, help="file to draw the curves in")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as jobs do
    torch.manual_seed(0)
    found = {}
    for name, (title, sizes) in CURVES.items():
        work = {size: WORK[name](size) for size in sizes}
        variants = {str(size): Variant(work[size]) for size in sizes}
        times = interleaved(variants, wanted.rounds, clock_of(wanted))
        found[name] = table(sizes, times, work)
        show(f"Growth with {title}", machine(), found[name], wanted.json)
        if name == "steps":
            worst = max(times.ratio(str(b), str(a)).median for a, b in pairwise(sizes) if a >= 12)
            show("Doubling T from 12 to 192", machine(), {"worst": {"time": worst}}, wanted.json)
    if wanted.plot:
        draw(found, wanted.plot)


if __name__ == "__main__":
    main()
