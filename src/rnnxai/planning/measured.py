"""What jobs took and wrote here, as Snakemake's benchmarks and the files themselves say."""

import csv
import json
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from rnnxai.planning.dry_run import Job
from rnnxai.planning.work import STATES, Work, work_of
from rnnxai.study import Study

COMPARABLE = 2
"""How much of :attr:`~rnnxai.planning.work.Work.about` two jobs must share to be compared at all."""


class Measured:
    """How far the jobs that have run here are from the table of defaults.

    A job of which the table says 10 s and that took 20 s tells that its like take twice what the table says.
    Its like are the jobs that share the most with it (:attr:`~rnnxai.planning.work.Work.about`), and the
    median of theirs counts.

    Parameters
    ----------
    jobs : iterable of Job
        All jobs of the study; those that have never run are passed over.
    study : Study
    """

    def __init__(self, jobs: Iterable[Job], study: Study) -> None:
        self._seconds: dict[tuple[str, ...], list[float]] = {}
        self._bytes: dict[tuple[str, ...], list[float]] = {}
        for job in jobs:
            settings = _settings(job.outputs)  # of training jobs, those with which they ran
            work = work_of(job, study, None if settings is None else settings["epochs"])
            if work.stage == "train" and (settings is None or settings["device"] != work.about[1]):
                continue
            _note(self._seconds, work, _seconds_of(job.benchmark), work.seconds)
            _note(self._bytes, work, _bytes_of(job, work.stage), work.bytes)

    def seconds(self, work: Work) -> tuple[float | None, int]:
        """Return what a job will take, and how much it shares with those that say so; 0 if none do."""
        return _estimate(self._seconds, work, work.seconds)

    def bytes(self, work: Work) -> float | None:
        """Return what a job will write."""
        return _estimate(self._bytes, work, work.bytes)[0]


def _note(
    found: dict[tuple[str, ...], list[float]], work: Work, measured: float | None, table: float | None
) -> None:
    if measured is not None:
        for shared in range(COMPARABLE, len(work.about) + 1):
            found.setdefault(work.about[:shared], []).append(measured / (table or 1))


def _estimate(
    found: dict[tuple[str, ...], list[float]], work: Work, table: float | None
) -> tuple[float | None, int]:
    for shared in range(len(work.about), COMPARABLE - 1, -1):
        if ratios := found.get(work.about[:shared]):
            return statistics.median(ratios) * (table or 1), shared
    return table, 0


def _seconds_of(benchmark: str | None) -> float | None:
    """Return what Snakemake measured of a job's last run; None if there is nothing of use."""
    try:
        with open(benchmark or "", newline="", encoding="utf-8") as file:
            return max(float(row["s"]) for row in csv.DictReader(file, delimiter="\t")) or None
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _bytes_of(job: Job, stage: str) -> float | None:
    try:
        sizes = [Path(path).stat().st_size for path in job.outputs]
    except OSError:
        return None
    return sum(sizes) * (STATES if stage == "train" else 1)


def _settings(outputs: Iterable[str]) -> dict[str, Any] | None:
    """Return the settings with which the network among some outputs was trained; None if there is none."""
    for path in _networks(outputs):
        try:
            with safe_open(path, framework="numpy") as file:
                about = json.loads((file.metadata() or {}).get("rnnxai", "{}"))
            settings = about["about"]["settings"]
            return settings if {"epochs", "device"} <= settings.keys() else None
        except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
    return None


def _networks(outputs: Iterable[str]) -> Iterator[str]:
    yield from (path for path in outputs if path.endswith(".safetensors") and Path(path).is_file())
