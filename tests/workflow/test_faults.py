"""Kill it anywhere, start it again: the same scores, and never two writers."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from small_study import STUDY, Project

pytestmark = pytest.mark.workflow


def wait_for_job(project: Project, stage: str, process: subprocess.Popen) -> psutil.Process:
    """Wait until a job of a stage is at work, and return its process."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, f"ended before {stage} began:\n{process.communicate()[0]}"
        for other in psutil.process_iter():
            try:
                words = other.cmdline()
                at_work = any(word.endswith(f".{stage}.py") for word in words) and other.cwd() == str(
                    project.folder
                )
            except psutil.Error:
                continue
            if at_work and any((project.folder / "results" / ".jobs").glob("*.lock")):
                return other
        time.sleep(0.02)
    raise AssertionError(f"no job of {stage} in time")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def scores(project: Project) -> dict[str, bytes]:
    return {name: project.result(f"scores/{name}.csv").read_bytes() for name in ("scores", "summary")}


def test_killed_at_every_stage_it_ends_in_the_same_scores(finished: Project, project: Project) -> None:
    for stage in ("dataset", "train", "explain", "score", "summary", "cosine_figure", "report"):
        process = project.start()
        job = wait_for_job(project, stage, process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        # What outlives Snakemake here is what the next one has to end before it writes.
        del job
    project.run()
    assert scores(project) == scores(finished)
    assert not list(project.folder.rglob("*.part"))
    assert not list((project.folder / "results" / ".jobs").glob("*.lock"))


def test_an_orphan_is_ended_before_its_work_is_done_again(project: Project) -> None:
    long = STUDY | {"train": {"epochs": 200}}
    project.configure(long)
    process = project.start()
    orphan = wait_for_job(project, "train", process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert orphan.is_running()
    again = project.start()
    try:
        gone, alive = psutil.wait_procs([orphan], timeout=60)
        assert gone, f"{alive} still at work"
        successor = wait_for_job(project, "train", again)
        assert successor.pid != orphan.pid
    finally:
        again.send_signal(signal.SIGINT)
        output, _ = again.communicate(timeout=60)
    assert "whose Snakemake is gone" in output


def test_two_at_once_are_refused(project: Project) -> None:
    first = project.start()
    try:
        wait_for_job(project, "dataset", first)
        code, output = project.snakemake()
        assert code != 0
        assert f"in use by process {first.pid}" in output
    finally:
        first.kill()
        first.communicate()


def test_a_killed_training_goes_on_from_its_checkpoint(finished: Project, project: Project) -> None:
    process = project.start()
    wait_for_job(project, "train", process)
    log = project.result("logs/train/digits-maj/r-lstm/t3/folds-0.log")
    deadline = time.monotonic() + 120
    while '"epoch": 1' not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    project.run()
    assert "going on after epoch" in log.read_text()
    weights = "models/digits-maj/r-lstm/t3/fold-0.safetensors"
    assert project.result(weights).read_bytes() == finished.result(weights).read_bytes()
