"""Writing heatmaps with all that an archive is, against bare h5py with the same chunks and filters.

The maps are deep Taylor decompositions of random images by Shallow. What is read back is compared before
anything is timed. Beside it stands what a job needs before its first sample: to start and to import.

Run with ``make bench`` or ``python benchmarks/archive.py --help``.
"""

import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import torch
from timing import Spread, Variant, arguments, clock_of, interleaved, machine, show

from rnnxai.archive.format import FILTERS, MAP_ROWS, MAPS
from rnnxai.archive.layout import Layout
from rnnxai.archive.provenance import explanation, provenance
from rnnxai.archive.write import AttributionWriter
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.strategy import make_strategy
from rnnxai.models.build import build_model

SAMPLES, CHUNK, STEPS, SIZE, CLASSES = 4000, 200, 12, (28, 84), 10
JOB = 60.0
"""Seconds of the job that a start is compared with."""
Maps = npt.NDArray[np.float32]


def heatmaps() -> Maps:
    """Return maps of all samples, (N, 1, H, W)."""
    model = build_model("shallow", image_size=SIZE, steps=STEPS, classes=CLASSES).eval()
    plan, strategies = Plan(model, model.bounds), {"dtd": make_strategy("dtd")}
    found = []
    for _ in range(SAMPLES // CHUNK):
        images = torch.rand(CHUNK, 1, *SIZE) * 2 - 1
        _, maps = explain_batch(plan, images, model(images).argmax(1), strategies)
        found.append(maps["dtd"].relevance.numpy())
    return np.concatenate(found)


def bare(path: Path, maps: Maps) -> None:
    """Write the maps chunk by chunk, and nothing else."""
    with h5py.File(path, "w") as file:
        chunks = (MAP_ROWS, *maps.shape[1:])
        data = file.create_dataset(MAPS.name, maps.shape, MAPS.dtype, chunks=chunks, **FILTERS)
        for start in range(0, len(maps), MAP_ROWS):
            data[start : start + MAP_ROWS] = maps[start : start + MAP_ROWS]


def archive(path: Path, maps: Maps) -> None:
    """Write an archive with all its sums, hashes and provenance."""
    about = provenance({}, {}, seed=0, threads=1, device="cpu") | explanation(
        dataset="mnist-maj",
        architecture="shallow",
        steps=STEPS,
        fold=0,
        explainer="dtd",
        parameters={},
        model_sha256="0" * 64,
    )
    layout = Layout(
        samples=SAMPLES,
        channels=1,
        height=SIZE[0],
        width=SIZE[1],
        steps=STEPS,
        classes=CLASSES,
        blocks=3,
        maps=np.arange(SAMPLES),
        conserves=True,
    )
    scores = np.zeros((SAMPLES, CLASSES), dtype=np.float32)
    start = maps.sum((1, 2, 3), dtype=np.float64)
    with AttributionWriter(path, layout, about) as writer:
        for first in range(0, SAMPLES, CHUNK):
            rows = slice(first, first + CHUNK)
            writer.append(
                relevance=maps[rows],
                prediction=scores[rows],
                label=np.zeros(CHUNK, dtype=np.int64),
                index=np.arange(first, first + CHUNK),
                explained_score=scores[rows, 0],
                start=start[rows],
            )


def started(modules: str) -> float:
    """Return the CPU seconds of a Python that imports some modules."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def main() -> None:
    """Measure and print."""
    wanted = arguments(__doc__).parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    maps = heatmaps()
    megabytes = maps.nbytes / 1e6
    with tempfile.TemporaryDirectory() as folder:
        files = {"h5py": Path(folder) / "bare.h5", "archive": Path(folder) / "whole.h5"}
        for name, write in (("h5py", bare), ("archive", archive)):
            write(files[name], maps)
            with h5py.File(files[name]) as file:
                if not np.array_equal(file[MAPS.name][:], maps):
                    raise SystemExit(f"{name}: what is read back differs, so no time is taken")
        times = interleaved(
            {
                "h5py": Variant(partial(bare, files["h5py"], maps), megabytes),
                "archive": Variant(partial(archive, files["archive"], maps), megabytes),
            },
            wanted.rounds,
            clock_of(wanted),
        )
        row: dict[str, Any] = {
            "h5py, MB/s": times.rate("h5py"),
            "archive, MB/s": times.rate("archive"),
            "archive / h5py": times.ratio("h5py", "archive"),
            "h5py, MB": files["h5py"].stat().st_size / 1e6,
            "archive, MB": files["archive"].stat().st_size / 1e6,
        }
    show(
        f"Writing {megabytes:.0f} MB of heatmaps, gzip-4, shuffle and a checksum",
        machine("h5py"),
        {"": row},
        wanted.json,
    )
    jobs = {
        "explain": "rnnxai.stages.explain",
        "train": "rnnxai.stages.train",
        "score": "rnnxai.stages.score",
    }
    rows = {}
    for job, modules in jobs.items():
        seconds = Spread.of([started(modules) for _ in range(3)])
        rows[job] = {"CPU s": seconds, f"% of {JOB:.0f} s": 100 * seconds.median / JOB}
    show("A job's start and imports", machine(), rows, wanted.json)


if __name__ == "__main__":
    main()
