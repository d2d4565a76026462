"""What it costs to read archives, to verify them and to look into them, beside bare h5py on the same file.

An archive of 10,000 samples of 28 x 84 pixels is written first, with maps like those of real networks: a few
blobs of either sign, noise, and zeros. Memory is what ``rnnxai inspect`` needs at its peak beyond what it
needs for 16 samples, in its own process and in the one that verifies.
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
from timing import Variant, arguments, interleaved, machine, show

from rnnxai.archive.format import MAP_ROWS, MAPS
from rnnxai.archive.layout import Layout
from rnnxai.archive.provenance import explanation, provenance
from rnnxai.archive.read import AttributionArchive
from rnnxai.archive.verify import verify
from rnnxai.archive.write import AttributionWriter

SAMPLES, SHAPE, STEPS = 10_000, (1, 28, 84), 12
_BATCH = 500
_INSPECT = """
import contextlib, io, sys
from rnnxai.cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    assert main(["inspect", sys.argv[1], "--sample", "3"]) == 0
"""
_VERIFY = """
import sys
from rnnxai.archive.examine import examine
assert examine(sys.argv[1]) == []
"""
# Linux alone says it; the resource module counts what the parent had before exec, too.
_PEAK = """
with open("/proc/self/status") as status:
    print(*(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def maps_of(count: int, random: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return maps that compress about as real ones do."""
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    maps = np.zeros((count, *SHAPE))
    for _ in range(4):
        centre, size = random.uniform(0, (SHAPE[1], SHAPE[2]), (count, 2)), random.normal(size=(count, 1, 1))
        far = (y - centre[:, :1, None]) ** 2 + (x - centre[:, 1:, None]) ** 2
        maps[:, 0] += size * np.exp(-far / 20) * random.uniform(0.5, 1.5, (count, *SHAPE[1:]))
    maps[np.abs(maps) < 1e-3] = 0
    return maps.astype(np.float32)


def write(path: Path, samples: int, keep_bits: int | None = None) -> None:
    """Write an archive."""
    random = np.random.default_rng(0)
    about = provenance({}, {}, seed=0, threads=1, device="cpu") | explanation(
        dataset="mnist-maj",
        architecture="r-lstm",
        steps=STEPS,
        fold=0,
        explainer="taylor",
        parameters={},
        model_sha256="0" * 64,
    )
    layout = Layout(samples, *SHAPE, steps=STEPS, classes=10, blocks=3)
    with AttributionWriter(path, layout, about, keep_bits) as writer:
        for first in range(0, samples, _BATCH):
            count = min(_BATCH, samples - first)
            writer.append(
                relevance=maps_of(count, random),
                prediction=random.normal(size=(count, 10)),
                label=random.integers(0, 10, count),
                index=np.arange(first, first + count),
                explained_score=random.normal(size=count),
            )


def bare(path: Path, row: int) -> Any:
    """Open a file and read one map."""
    with h5py.File(path, "r") as file:
        return file[MAPS.name][row]


def ours(path: Path, row: int) -> Any:
    """Do the same through the archive."""
    with AttributionArchive(path) as archive:
        return archive.map(row)


def one_sample(path: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Time reading one sample, of an open file and with opening it."""
    rows = np.random.default_rng(1).permutation(SAMPLES)[:200].tolist()
    with h5py.File(path, "r") as file, AttributionArchive(path) as archive:
        times = interleaved(
            {
                "h5py": Variant(lambda: [file[MAPS.name][row] for row in rows], len(rows)),
                "rnnxai": Variant(lambda: [archive.map(row) for row in rows], len(rows)),
                "h5py, with opening": Variant(lambda: [bare(path, row) for row in rows], len(rows)),
                "rnnxai, with opening": Variant(lambda: [ours(path, row) for row in rows], len(rows)),
            },
            rounds,
        )
    return {
        name: {
            "ms": 1e3 * float(np.median(times.seconds[name])),
            "times h5py": times.ratio(name, name.replace("rnnxai", "h5py")),
        }
        for name in times.seconds
    }


def whole(path: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Time reading all maps, and verifying, which reads everything twice and in another process."""

    def read() -> None:
        with AttributionArchive(path) as archive:
            for _ in archive.chunks():
                pass

    def check() -> None:
        if found := verify(path):
            raise SystemExit(f"{path}: {found}")

    times = interleaved({"read": Variant(read), "verify": Variant(check)}, rounds, cpu_of_all)
    return {
        name: {"CPU s": float(np.median(times.seconds[name])), "times reading": times.ratio(name, "read")}
        for name in times.seconds
    }


def cpu_of_all() -> float:
    """Return the CPU seconds of this process and of those that it has waited for."""
    own, ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def memory(path: Path) -> tuple[int, int]:
    """Return the peak memory in KiB of inspect, and of the process that verifies for it."""
    mine, verifying = (
        subprocess.run(
            [sys.executable, "-c", code + _PEAK, str(path)], capture_output=True, check=True
        ).stdout
        for code in (_INSPECT, _VERIFY)
    )
    return int(mine), int(verifying)


def inspected(small: Path, large: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Compare the memory that inspect needs for few and for many samples."""
    few = np.median([memory(small) for _ in range(rounds)], axis=0)
    many = np.median([memory(large) for _ in range(rounds)], axis=0)
    chunk = MAP_ROWS * int(np.prod(SHAPE)) * 4 / 1024
    return {
        name: {"KiB more": float(more), "chunks": float(more / chunk)}
        for name, more in zip(("inspect", "its verification"), many - few, strict=True)
    }


def main() -> None:
    """Measure and print."""
    wanted = arguments(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small, large, rounded = (Path(folder, f"{name}.h5") for name in ("small", "large", "rounded"))
        for path, samples, bits in ((small, MAP_ROWS, None), (large, SAMPLES, None), (rounded, SAMPLES, 10)):
            write(path, samples, bits)
        about = machine("h5py")
        sizes = {path.stem: {"MB": path.stat().st_size / 1e6} for path in (large, rounded)}
        measure = partial(show, about=about, as_json=wanted.json)
        measure("Bytes of 10,000 samples, exact and rounded to 10 bits", rows=sizes)
        measure("One sample", rows=one_sample(large, wanted.rounds))
        measure("All samples", rows=whole(large, wanted.rounds))
        measure("Memory for 10,000 samples beyond that for 16", rows=inspected(small, large, wanted.rounds))


if __name__ == "__main__":
    main()
