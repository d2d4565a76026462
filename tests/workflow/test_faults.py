"""Kill it anywhere, start it again: the same scores, and never two writers."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from reliability import Record
from small_study import STUDY, Project

pytestmark = pytest.mark.workflow

T = TypeVar("T")


def wait_for_job(project: Project, stage: str, process: subprocess.Popen) -> psutil.Process:
    """Wait until a job of a stage is at work, and return its process."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, f"ended before {stage} began:\n{project.said.read_text()}"
        for job, command in jobs(project).items():
            if any(word.endswith(f".{stage}.py") for word in command):
                return job
        time.sleep(0.02)
    raise AssertionError(f"no job of {stage} in time")


def jobs(project: Project) -> dict[psutil.Process, list[str]]:
    """Return the processes that hold a job lock of this project, with their command lines."""
    found = {}
    for process in psutil.process_iter():
        try:
            locked = [file.path for file in process.open_files() if file.path.endswith(".lock")]
            command = process.cmdline()
        except psutil.Error:  # it ended while it was looked at, or belongs to somebody else
            continue
        if any(path.startswith(str(project.result(".jobs"))) for path in locked):
            found[process] = command
    return found


def kill(process: subprocess.Popen) -> None:
    """Kill Snakemake, and nothing that it has started."""
    process.kill()
    process.wait(timeout=60)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    for process in project.started:
        process.kill()
        process.wait(timeout=60)
    for orphan in jobs(project):
        with suppress(psutil.NoSuchProcess):
            orphan.kill()


def scores(project: Project) -> dict[str, bytes]:
    return {name: project.result(f"scores/{name}.csv").read_bytes() for name in ("scores", "summary")}


def test_killed_at_every_stage_it_ends_in_the_same_scores(finished: Project, project: Project) -> None:
    for stage in ("dataset", "train", "explain", "score", "summary", "score_figures", "report"):
        process = project.start()
        wait_for_job(project, stage, process)
        kill(process)
        # Whatever outlives Snakemake here is what the next one finds at work.
    project.run()
    assert scores(project) == scores(finished)
    assert not list(project.folder.rglob("*.part"))
    assert not list(project.result(".jobs").glob("*.lock"))


def test_an_orphan_is_ended_before_its_work_is_done_again(project: Project) -> None:
    project.configure(STUDY | {"train": {"epochs": 10_000}})
    first = project.start("--cores", "1")
    orphan = wait_for_job(project, "train", first)
    kill(first)
    assert orphan.is_running()
    second = project.start("--cores", "1")
    try:
        wait_until(lambda: set(jobs(project)) - {orphan} or second.poll(), "no successor")
        assert second.poll() is None, project.said.read_text()
        assert orphan not in jobs(project), "two writers"
        assert "whose Snakemake is gone" in project.said.read_text()
    finally:
        kill(second)


def test_two_at_once_are_refused(project: Project, reliability: Record) -> None:
    first = project.start()
    try:
        wait_for_job(project, "dataset", first)
        fault = time.monotonic()
        code, output = project.snakemake()
        assert code != 0
        assert f"in use by process {first.pid}" in output
        reliability.add(13, "the second was refused and told who is first", "nothing", fault)
    finally:
        kill(first)


LOG = "logs/train/digits-maj/r-lstm/t3/folds-0.log"
WEIGHTS = "models/digits-maj/r-lstm/t3/fold-0.safetensors"


def test_a_killed_training_goes_on_from_its_checkpoint(finished: Project, project: Project) -> None:
    project.configure(STUDY | {"train_job": {"checkpoint_seconds": 0}})
    process = project.start()
    log = project.result(LOG)
    wait_until(lambda: log.exists() and '"epoch": 1' in log.read_text(), "no epoch")
    kill(process)
    project.run()
    assert "going on after epoch" in log.read_text()
    assert project.result(WEIGHTS).read_bytes() == finished.result(WEIGHTS).read_bytes()


def test_a_training_that_is_told_to_stop_is_tried_again(finished: Project, project: Project) -> None:
    """Here its time is up after the first step, on every attempt but the last."""
    project.configure(STUDY | {"train_job": {"minutes": 1e-9}})
    code, output = project.snakemake("--retries", "1", str(Path("results") / WEIGHTS))
    assert code != 0
    assert "exit status 75" in output
    assert "going on after epoch 0 of 3 and batch 1" in project.result(LOG).read_text()
    assert not project.result(WEIGHTS).exists()
    project.configure(STUDY)
    project.run()
    assert "going on after epoch 0 of 3 and batch 2" in project.result(LOG).read_text()
    assert project.result(WEIGHTS).read_bytes() == finished.result(WEIGHTS).read_bytes()


def wait_until(what: Callable[[], T], otherwise: str) -> T:
    deadline = time.monotonic() + 120
    while not (found := what()):
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)
    return found
