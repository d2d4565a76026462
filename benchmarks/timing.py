"""What all benchmarks of speed share: how time is taken, how ratios are made, and what is printed with them.

Every variant of a comparison runs in one process, once in every round, and the order is rotated from round to
round. So what slows the machine down for a while slows all of them down. A ratio is taken within each round;
what is stated is the median of the rounds with the smallest and the largest. The clock is the CPU time of
the process, which other work on the machine disturbs least; with ``--wall`` it is the time that passes.

Run by itself, ``python benchmarks/timing.py`` prints the machine and how fast it multiplies matrices.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

SHAPES = {
    "2048 x 2048 x 2048": (1, 2048, 2048, 2048),
    "50 x 256 x 256, one step": (1, 50, 256, 256),
    "7 folds of it": (7, 50, 256, 256),
    "600 x 196 x 256, the pixels of all steps": (1, 600, 196, 256),
}
"""Matrix products as (K, rows, inputs, outputs)."""


@dataclass(frozen=True)
class Variant:
    """Something to be timed.

    Attributes
    ----------
    call : callable
        Does the work once. What it returns is thrown away.
    work : float
        How many units of work that is (samples, folds, MB): times are divided by it.
    """

    call: Callable[[], Any]
    work: float = 1.0


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise the rounds."""
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        digits = 2 if self.median < 100 else 0
        return f"{self.median:.{digits}f} [{self.low:.{digits}f}..{self.high:.{digits}f}]"


@dataclass(frozen=True)
class Times:
    """Seconds per unit of work, of each variant in each round."""

    seconds: Mapping[str, Sequence[float]]

    def rate(self, name: str) -> Spread:
        """Return units of work per second."""
        return Spread.of([1 / seconds for seconds in self.seconds[name]])

    def ratio(self, slow: str, fast: str) -> Spread:
        """Return how many times faster `fast` is than `slow`, round by round."""
        rounds = zip(self.seconds[slow], self.seconds[fast], strict=True)
        return Spread.of([a / b for a, b in rounds])


def interleaved(
    variants: Mapping[str, Variant], rounds: int, clock: Callable[[], float] = time.process_time
) -> Times:
    """Time all variants once in every round, after a round that does not count.

    Parameters
    ----------
    variants : Mapping of str to Variant
    rounds : int
    clock : callable
        Returns seconds.
    """
    names = list(variants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-1, rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            started = clock()
            variants[name].call()
            taken = clock() - started
            if number >= 0:
                seconds[name].append(taken / variants[name].work)
    return Times(seconds)


def arguments(doc: str | None, rounds: int = 5) -> argparse.ArgumentParser:
    """Return a parser with the options that all benchmarks have: ``--rounds``, ``--wall``, ``--json``."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"rounds that count (default {rounds})")
    parser.add_argument("--wall", action="store_true", help="take the time that passes, not CPU time")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def clock_of(wanted: argparse.Namespace) -> Callable[[], float]:
    """Return the clock that was asked for."""
    return time.perf_counter if wanted.wall else time.process_time


def machine(*packages: str) -> dict[str, Any]:
    """Return what a figure depends on: processor, threads, versions of torch and of some packages."""
    vector = "AVX-512" if "avx512f" in _cpu("flags").split() else "no AVX-512"
    versions = {name: metadata.version(name) for name in ("torch", "numpy", *packages)}
    return {
        "processor": f"{_cpu('model name') or platform.machine()} ({vector}), {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **versions,
    }


def gemm_floor(rounds: int = 5, clock: Callable[[], float] = time.process_time) -> dict[str, Spread]:
    """Measure how many GFLOP/s the matrix products of :data:`SHAPES` reach as torch is set at present."""
    variants = {}
    for name, (folds, rows, inputs, outputs) in SHAPES.items():
        a, b = torch.randn(folds, rows, inputs), torch.randn(folds, inputs, outputs)
        operations = 2e-9 * folds * rows * inputs * outputs
        times = max(1, round(4 / operations))
        variants[name] = Variant(partial(_multiply, a, b, times), times * operations)
    measured = interleaved(variants, rounds, clock)
    return {name: measured.rate(name) for name in SHAPES}


def show(
    title: str, about: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]], as_json: bool = False
) -> None:
    """Print a table, or one JSON object, with what it depends on.

    Parameters
    ----------
    title : str
    about : Mapping
        What :func:`machine` returned, and settings.
    rows : Mapping of str to Mapping
        For each row the values by column; a :class:`Spread` is printed as ``median [low..high]``.
    as_json : bool
    """
    if as_json:
        plain = {row: {key: _plain(value) for key, value in values.items()} for row, values in rows.items()}
        print(json.dumps({"title": title, "about": dict(about), "rows": plain}, sort_keys=True))
        return
    print(f"\n{title}\n({', '.join(f'{key} {value}' for key, value in about.items())})")
    columns = list(dict.fromkeys(key for values in rows.values() for key in values))
    cells = [["", *columns]]
    cells += [[row, *(_text(values.get(key, "")) for key in columns)] for row, values in rows.items()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *rest in cells:
        numbers = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        print(f"  {first.ljust(widths[0])}  {'  '.join(numbers)}")
    sys.stdout.flush()


def _multiply(a: torch.Tensor, b: torch.Tensor, times: int) -> None:
    for _ in range(times):
        torch.bmm(a, b)


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, Spread) else value


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cpu(field: str) -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def main() -> None:
    """Print the machine and its matrix products."""
    wanted = arguments(__doc__).parse_args()
    torch.set_num_threads(1)
    floor = gemm_floor(wanted.rounds, clock_of(wanted))
    show(
        "Matrix products in float32",
        machine(),
        {name: {"GFLOP/s": rate} for name, rate in floor.items()},
        wanted.json,
    )


if __name__ == "__main__":
    main()
