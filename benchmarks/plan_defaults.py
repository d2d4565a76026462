"""What `rnnxai plan` assumes where nothing has been measured yet: ``src/rnnxai/planning/defaults.csv``.

A training step and an explanation are timed for every architecture, at several widths and numbers of steps.
The time of a sample is taken as ``a columns + b steps`` with a and b from 0, by least squares of relative
errors: encoders work on columns, cells on steps. What the other jobs of a study take is read from the
benchmarks of a finished one, by default that of ``make demo``.

Run ``python benchmarks/plan_defaults.py [--results FOLDER] [FILE.csv]``; without a file it is only printed.
"""

import csv
import io
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls
from timing import arguments, clock_of, machine

from rnnxai.data.dataset import Dataset
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.strategy import make_strategy
from rnnxai.files import write_text
from rnnxai.models.build import build_model
from rnnxai.models.products import choose_products
from rnnxai.models.zoo import MODELS
from rnnxai.planning.defaults import COLUMNS
from rnnxai.training.run import Run
from rnnxai.training.settings import TrainSettings
from rnnxai.training.step import compute
from rnnxai.training.streams import generators

SHAPES = ((28, 7), (84, 3), (84, 12))
SINGLE_STEP = ((28, 1), (84, 1))
METHODS = ("sa", "gb", "dtd", "lrp-a1.5b0.5")
OF_EITHER_SIGN = ("sa", "gb", "lrp-eps")  # where a layer reads inputs that the others refuse
HEIGHT, CLASSES, BATCH, EXPLAINED = 28, 10, 50, 64


def main() -> None:
    """Measure, print, and write."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument(
        "--results", type=Path, default=Path("results/demo"), help="folder of a finished study"
    )
    parser.add_argument("path", type=Path, nargs="?", help="CSV file to write")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    choose_products()
    clock = clock_of(wanted)
    rows: list[dict[str, Any]] = []
    for name in MODELS:
        shapes = SINGLE_STEP if MODELS.load(name).single_step else SHAPES
        for folds in (1, 7):
            measured = {shape: training(name, *shape, folds, wanted.rounds, clock) for shape in shapes}
            rows.append({"work": "train", "name": name, "folds": folds, **fitted(measured)})
            rows[-1]["bytes"] = round(np.mean([bytes_of_network(name, *shape) for shape in shapes]))
            print(rows[-1], file=sys.stderr, flush=True)
        measured = {shape: explaining(name, *shape, wanted.rounds, clock) for shape in shapes}
        rows.append({"work": "explain", "name": name, "folds": 1, **fitted(measured)})
        print(rows[-1], file=sys.stderr, flush=True)
    rows += stages(wanted.results)
    about = ", ".join(f"{key} {value}" for key, value in machine().items() if key != "load")
    text = table(rows, f"Measured by benchmarks/plan_defaults.py (CPU time, {wanted.rounds} rounds): {about}")
    print(text, end="")
    if wanted.path is not None:
        write_text(wanted.path, text)


def training(name: str, columns: int, steps: int, folds: int, rounds: int, clock: Any) -> float:
    """Return the seconds that a sample of one fold takes in training."""
    names = list(range(folds))
    model = build_model(
        name,
        image_size=(HEIGHT, columns),
        steps=steps,
        classes=CLASSES,
        generators=generators(0, names, "initialisation"),
    )
    run = Run(model.train(), names, TrainSettings(), "cpu")
    patches = torch.rand(folds, steps, BATCH, HEIGHT * columns // steps) * 2 - 1
    labels = torch.randint(0, CLASSES, (folds, BATCH))
    return median(lambda: compute(run, patches, labels), rounds, clock) / (folds * BATCH)


def explaining(name: str, columns: int, steps: int, rounds: int, clock: Any) -> float:
    """Return the seconds that a sample and a method take in an explanation, books included."""
    model = build_model(name, image_size=(HEIGHT, columns), steps=steps, classes=CLASSES).eval()
    plan = Plan(model, model.bounds)
    images = torch.rand(EXPLAINED, 1, HEIGHT, columns) * 2 - 1
    targets = torch.zeros(EXPLAINED, dtype=torch.int64)
    methods = METHODS if name != "mnist-cnn" else OF_EITHER_SIGN
    strategies = {method: make_strategy(method) for method in methods}
    seconds = median(lambda: explain_batch(plan, images, targets, strategies, ledgers=True), rounds, clock)
    return seconds / (EXPLAINED * len(methods))


def median(work: Any, rounds: int, clock: Any) -> float:
    """Time some work, after a round that does not count."""
    seconds = []
    for _ in range(rounds + 1):
        started = clock()
        work()
        seconds.append(clock() - started)
    return float(np.median(seconds[1:]))


def fitted(measured: dict[tuple[int, int], float]) -> dict[str, Any]:
    """Return the time of a sample by column and by step, in microseconds."""
    shapes, seconds = np.array(list(measured), dtype=float), np.array(list(measured.values()))
    (by_column, by_step), _ = nnls(shapes / seconds[:, None], np.ones(len(seconds)))
    worst = np.abs(shapes @ [by_column, by_step] / seconds - 1).max()
    return {"us_per_column": 1e6 * by_column, "us_per_step": 1e6 * by_step, "fit_error": worst}


def bytes_of_network(name: str, columns: int, steps: int) -> int:
    """Return how many bytes the weights of a network take."""
    model = build_model(name, image_size=(HEIGHT, columns), steps=steps, classes=CLASSES)
    return sum(value.numel() * value.element_size() for value in model.state_dict().values())


def stages(results: Path) -> list[dict[str, Any]]:
    """Return what the jobs of a finished study took and wrote."""
    (path,) = (results / "datasets").glob("*.h5")
    dataset = Dataset.open(path)
    height, columns = dataset.image_size
    scored = next((results / "scores").glob("*/*/*/*/*.scores.h5"))
    fold = scored.parent.name.removeprefix("fold-")
    archives = len(scored.name.split("+"))
    rows = len(dataset.rows(int(fold), "test"))
    archive = next((results / "archives").glob("*/*/*/*")).glob("*.h5")
    figures = list((results / "figures").glob("*/*"))
    tables = [*(results / "scores").glob("*.csv")]
    found = [
        of_job("dataset", results, "rnnxai.stages.job, rnnxai.data.dataset, sklearn", len(dataset) * columns),
        of_job("train", results, "rnnxai.stages.train"),
        of_job("explain", results, "rnnxai.stages.explain"),
        of_job("score", results, "rnnxai.stages.score", rows * (archives + 1) * columns),
        of_job("figures", results, bytes=size(figures) * 4 / len(figures)),
        of_job("summary", results, bytes=size(tables)),
        of_job("references", results),
        of_job("tables", results, bytes=size((results / "tables").glob("*"))),
        of_job("report", results, bytes=size([results / "report.html"])),
        of_job("snakemake-report", results, bytes=size([results / "snakemake-report.html"])),
        *([of_job("reproduction", results)] if (results / "reproduction").is_dir() else []),
    ]
    found[0]["bytes_per_pixel"] = size([path]) / (len(dataset) * height * columns)
    found[2]["bytes_per_pixel"] = size(archive) / (archives * rows * height * columns)
    found[3]["bytes_per_pixel"] = size([scored]) / (rows * (archives + 1) * height * columns)
    return found


def of_job(stage: str, results: Path, start: str = "", columns: int = 0, **more: float) -> dict[str, Any]:
    """Return what the jobs of a stage take: what importing its modules does, and the rest by column."""
    benchmarks = results / "benchmarks"
    paths = [path for path in benchmarks.rglob("*.tsv") if stage_of(path.relative_to(benchmarks)) == stage]
    seconds = float(np.median([took(path) for path in paths]))
    alone = min(seconds, float(np.median([importing(start) for _ in range(3)]))) if start else seconds
    by_column = 1e6 * (seconds - alone) / columns if columns else 0
    return {"work": stage, "name": "job", "folds": 1, "seconds": alone, "us_per_column": by_column, **more}


def stage_of(benchmark: Path) -> str:
    """Return the stage that a benchmark is of."""
    return benchmark.parts[0].removesuffix(".tsv")


def took(benchmark: Path) -> float:
    """Return the CPU seconds of one of Snakemake's benchmarks."""
    with benchmark.open(encoding="utf-8") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["cpu_time"])


def importing(modules: str) -> float:
    """Return the CPU seconds until a new Python has imported some modules."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def size(paths: Iterable[Path]) -> int:
    """Return how many bytes some files have."""
    return sum(path.stat().st_size for path in paths)


def table(rows: list[dict[str, Any]], about: str) -> str:
    """Return the table as CSV, three digits to a figure."""
    text = io.StringIO()
    text.write(f"# {about}\n")
    writer = csv.DictWriter(text, COLUMNS, restval=0, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {key: f"{value:.3g}" if isinstance(value, float) else value for key, value in row.items()}
        )
    return text.getvalue()


if __name__ == "__main__":
    main()
