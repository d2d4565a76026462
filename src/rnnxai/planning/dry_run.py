"""Which jobs a study has and which of them would run, as Snakemake itself says."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rnnxai.errors import Error
from rnnxai.study import Study

_QUIETLY = ("--dry-run", "--nolock", "--quiet", "host")  # no lock: a plan may be made while the study runs
_PLACE = re.compile(
    r"^(\w+(Error|Exception) in (file|rule) .*:\n|Error: )"
)  # which line of the workflow raised it


@dataclass(frozen=True)
class Job:
    """One job of the study.

    Attributes
    ----------
    rule : str
    wildcards : Mapping of str to str
    inputs, outputs : tuple of str
        Paths, as the rule names them.
    benchmark : str or None
        Where Snakemake writes what the job took.
    reason : str
        Why it would run.
    threads : int
    resources : Mapping of str to int
        What it asks for of ``mem_mb``, ``runtime`` (minutes) and ``gpu``.
    grouped : bool
        Whether it would be submitted together with others.
    """

    rule: str
    wildcards: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    benchmark: str | None
    reason: str
    threads: int
    resources: Mapping[str, int]
    grouped: bool

    @property
    def gpus(self) -> int:
        """How many GPUs it asks for."""
        return self.resources.get("gpu", 0)


@dataclass(frozen=True)
class DryRun:
    """What Snakemake would do.

    Attributes
    ----------
    jobs : tuple of Job
        All jobs of the study, done or not, without those that make nothing.
    to_run : tuple of Job
        Those that would run.
    groups : int
        How many bundles the jobs that are grouped would be submitted in.
    study : Study
    """

    jobs: tuple[Job, ...]
    to_run: tuple[Job, ...]
    groups: int
    study: Study

    @cached_property
    def done(self) -> tuple[Job, ...]:
        """The jobs whose outputs are there and up to date."""
        made = {output for job in self.to_run for output in job.outputs}
        return tuple(job for job in self.jobs if not made.intersection(job.outputs))


def dry_run(arguments: Sequence[str]) -> DryRun:
    """Ask Snakemake which jobs it would run.

    It is asked twice at the same time: what would run, and what would if nothing were there, which is the
    whole study.

    Parameters
    ----------
    arguments : sequence of str
        Of ``snakemake``: profile, configuration files, targets.

    Raises
    ------
    Error
        If Snakemake is not installed or refuses: its message, which for a wrong configuration is that of
        :func:`rnnxai.config.check_config`.
    """
    if find_spec("snakemake") is None:
        raise Error("Snakemake is not installed, and only it knows what would run; install rnnxai[workflow]")
    with TemporaryDirectory() as temporary:
        heard = [Path(temporary, name) for name in ("to_run", "all")]
        processes = [
            _start([str(path), *arguments, *_QUIETLY, *further])
            for path, further in zip(heard, ([], ["--forceall"]), strict=True)
        ]
        try:
            said = [process.communicate()[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
        to_run, everything = (_read(path, text) for path, text in zip(heard, said, strict=True))
    return DryRun(
        _jobs(everything["jobs"]), _jobs(to_run["jobs"]), to_run["groups"], _study(everything["config"])
    )


def _start(arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 (no shell; what the user asked of Snakemake)
        [sys.executable, "-m", f"{__package__}._snakemake", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _read(path: Path, said: str) -> dict[str, Any]:
    """Return what was heard of a Snakemake, or raise what it complained of."""
    if not path.is_file():
        raise Error(f"Snakemake ended before it had a plan:\n{said.strip()}")
    heard: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if heard["code"] not in (0, None):
        complaint = "\n".join(heard["errors"]) or said
        raise Error(_PLACE.sub("", complaint.strip()))
    return heard


def _jobs(heard: Sequence[Mapping[str, Any]]) -> tuple[Job, ...]:
    return tuple(
        Job(**{**job, "inputs": tuple(job["inputs"]), "outputs": tuple(job["outputs"])})
        for job in heard
        if job["outputs"]
    )


def _study(config: Mapping[str, Any] | None) -> Study:
    from rnnxai.config import check_config

    if config is None:
        raise Error("the workflow did not check its configuration; a Snakefile of rnnxai would be right")
    return Study(check_config(config))
