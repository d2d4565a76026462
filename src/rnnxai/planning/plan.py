"""What a study will take before it is started: jobs, hours, disk, and what is done already."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rnnxai.planning import work
from rnnxai.planning.dry_run import DryRun, Job
from rnnxai.planning.measured import Measured

HOUR = 3600.0


@dataclass(frozen=True)
class Estimate:
    """What one job will take.

    Attributes
    ----------
    job : Job
    stage : str
    seconds : float
        0 where nothing is known, see `basis`.
    bytes : float
        What it writes.
    basis : str
        "network": benchmarks of the same network, or for other stages of the same job; "similar": benchmarks
        of jobs like it; "table": the table of defaults; "nothing": neither.
    """

    job: Job
    stage: str
    seconds: float
    bytes: float
    basis: str


@dataclass(frozen=True)
class Stage:
    """The jobs of one stage.

    Attributes
    ----------
    jobs, done, to_run : int
    cpu_hours : float
        Processor hours of what is to run: time and threads.
    gpu_hours : float
    disk_bytes : float
        What is to be written.
    longest_seconds : float
        Of what is to run, the longest job.
    """

    jobs: int = 0
    done: int = 0
    to_run: int = 0
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0
    disk_bytes: float = 0.0
    longest_seconds: float = 0.0


class StudyPlan:
    """The jobs of a study with an estimate of each that is to run.

    Parameters
    ----------
    run : DryRun
    """

    def __init__(self, run: DryRun) -> None:
        self.run = run
        self.results = run.study.config.results
        measured = Measured(run.jobs, run.study)
        self.estimates = [_estimate(job, run, measured) for job in run.to_run]

    @cached_property
    def stages(self) -> Mapping[str, Stage]:
        """Every stage, in the order in which jobs need each other."""
        all_jobs = Counter(work.stage_of(job, self.results) for job in self.run.jobs)
        done = Counter(work.stage_of(job, self.results) for job in self.run.done)
        found = {}
        for stage in sorted(all_jobs, key=self._depths.__getitem__):
            ours = [estimate for estimate in self.estimates if estimate.stage == stage]
            found[stage] = _summed(all_jobs[stage], done[stage], ours)
        return found

    @cached_property
    def total(self) -> Stage:
        """All stages together."""
        return _summed(len(self.run.jobs), len(self.run.done), self.estimates)

    @cached_property
    def longest(self) -> Estimate | None:
        """The job that takes longest."""
        return max(self.estimates, key=lambda estimate: estimate.seconds, default=None)

    @cached_property
    def chain_seconds(self) -> float:
        """What the study takes at least, however many jobs run side by side."""
        makers = {output: estimate for estimate in self.estimates for output in estimate.job.outputs}
        ends: dict[int, float] = {}
        for estimate in self._in_order(makers):
            before = {id(makers[path]) for path in estimate.job.inputs if path in makers}
            ends[id(estimate)] = estimate.seconds + max((ends[maker] for maker in before), default=0.0)
        return max(ends.values(), default=0.0)

    @property
    def submissions(self) -> int:
        """How many jobs a cluster would be handed, if groups are submitted as one."""
        return self.run.groups + sum(not estimate.job.grouped for estimate in self.estimates)

    @cached_property
    def disk_free_bytes(self) -> int:
        """Free space where the results go."""
        folder = Path(self.results).absolute()
        return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free

    @property
    def basis(self) -> Mapping[str, int]:
        """How many estimates rest on what."""
        return Counter(estimate.basis for estimate in self.estimates)

    @cached_property
    def warnings(self) -> list[str]:
        """What does not fit, one line each."""
        lines = []
        if self.total.disk_bytes > self.disk_free_bytes:
            lines.append(
                "the results need more space than there is; archive.maps says how many maps are kept"
            )
        late = [e for e in self.estimates if e.seconds > 60 * e.job.resources.get("runtime", 10**9)]
        if late:
            worst = max(late, key=lambda estimate: estimate.seconds)
            limit = worst.job.resources["runtime"]
            lines.append(
                f"{len(late)} {_jobs(len(late))} may pass the time limit of a first attempt, such as "
                f"{work.title_of(worst.job)} ({worst.seconds / 60:.0f} of {limit} minutes)"
            )
        unknown = sorted({e.stage for e in self.estimates if e.basis == "nothing"})
        if unknown:
            lines.append(f"nothing is known of what {', '.join(unknown)} will take; those hours are missing")
        if any(e.job.gpus and e.basis == "table" for e in self.estimates):
            lines.append("the table knows no GPU: GPU hours are what one core would take, an upper bound")
        study = self.run.study
        sources = sorted({d for d in study.datasets if not work.knows_source(study.config.datasets[d])})
        if sources:
            lines.append(f"the size of {', '.join(sources)} is not known; MNIST's is assumed")
        cells = sorted({case.architecture for case in study.cases})
        cells = [name for name in cells if not work.knows_cell(study, name)]
        if cells:
            lines.append(f"the table does not know {', '.join(cells)}; the slowest architecture stands in")
        return lines

    @cached_property
    def _depths(self) -> Mapping[str, int]:
        """Of every stage, how many jobs stand before the last of it."""
        makers = {output: job for job in self.run.jobs for output in job.outputs}
        depths: dict[str, int] = {}

        def depth(path: str) -> int:
            if path not in makers:
                return 0
            if path not in depths:
                depths[path] = 1 + max(map(depth, makers[path].inputs), default=0)
            return depths[path]

        stages: dict[str, int] = {}
        for job in self.run.jobs:
            stage = work.stage_of(job, self.results)
            stages[stage] = max(stages.get(stage, 0), depth(job.outputs[0]))
        return stages

    def _in_order(self, makers: Mapping[str, Estimate]) -> list[Estimate]:
        """Return the jobs that are to run, each after those it needs."""
        ordered: dict[int, Estimate] = {}

        def visit(estimate: Estimate) -> None:
            if id(estimate) not in ordered:
                for path in estimate.job.inputs:
                    if path in makers:
                        visit(makers[path])
                ordered[id(estimate)] = estimate

        for estimate in self.estimates:
            visit(estimate)
        return list(ordered.values())


def _estimate(job: Job, run: DryRun, measured: Measured) -> Estimate:
    wanted = work.work_of(job, run.study)
    seconds, shared = measured.seconds(wanted)
    if shared:
        basis = "network" if shared == len(wanted.about) else "similar"
    else:
        basis = "nothing" if seconds is None else "table"
    return Estimate(job, wanted.stage, seconds or 0.0, measured.bytes(wanted) or 0.0, basis)


def _summed(jobs: int, done: int, estimates: Sequence[Estimate]) -> Stage:
    return Stage(
        jobs=jobs,
        done=done,
        to_run=len(estimates),
        cpu_hours=sum(e.seconds * e.job.threads for e in estimates) / HOUR,
        gpu_hours=sum(e.seconds * e.job.gpus for e in estimates) / HOUR,
        disk_bytes=sum(e.bytes for e in estimates),
        longest_seconds=max((e.seconds for e in estimates), default=0.0),
    )


def _jobs(number: int) -> str:
    return "job" if number == 1 else "jobs"
