"""How long jobs have taken: what Snakemake measured, one small table for each job."""

import csv
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path


@cache
def longest_seconds(results: str, pattern: str) -> float | None:
    """Return what the longest of some finished jobs has taken.

    Parameters
    ----------
    results : str
        The results folder.
    pattern : str
        Which jobs, as their files are called below ``benchmarks``: a glob.

    Returns
    -------
    float or None
        Seconds, None where no such job has finished.
    """
    return max(_seconds(Path(results, "benchmarks"), pattern), default=None)


def _seconds(folder: Path, pattern: str) -> Iterator[float]:
    for path in folder.glob(pattern):
        # A job that is just ending may have begun its file, and what is no number was not measured.
        with suppress(OSError, KeyError, ValueError, TypeError), path.open(encoding="utf-8") as file:
            yield from [float(row["s"]) for row in csv.DictReader(file, delimiter="\t")]
