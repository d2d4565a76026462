"""What is asked of Slurm, and what its answers lead to; tests/slurm asks a real one."""

import queue
import time
from pathlib import Path

import pytest

from rnnxai.benchmarks import longest_seconds
from rnnxai.errors import Error
from rnnxai.files import write_text
from rnnxai.slurm import cancel_held, cancel_run, note_run, requeue_own_job, watch_run


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put programs of Slurm on PATH that write down how they were called, and do as a test says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    calls = tmp_path / "calls"
    calls.touch()

    def put(**programs: str) -> Path:
        for name, does in programs.items():
            (folder / name).write_text(f'#!/bin/sh\necho {name} "$@" >>{calls}\n{does}\n')
            (folder / name).chmod(0o755)
        return calls

    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return put


def test_jobs_of_a_noted_run_are_cancelled_until_none_is_left(tmp_path: Path, slurm) -> None:
    queue = tmp_path / "queue"
    queue.write_text("12\n14\n")
    calls = slurm(squeue=f"cat {queue}", scancel=f": >{queue}")
    note_run(tmp_path / "note", "rnnxai_1")
    assert cancel_run(tmp_path / "note") == ["12", "14"]
    said = calls.read_text().splitlines()
    assert said[1] == "scancel 12 14"
    assert all("--name=rnnxai_1" in call for call in said if call.startswith("squeue"))
    assert not (tmp_path / "note").exists()


def test_nothing_is_asked_where_no_run_is_noted(tmp_path: Path, slurm) -> None:
    calls = slurm(squeue="exit 1")
    assert cancel_run(tmp_path / "note") == []
    assert calls.read_text() == ""


@pytest.mark.parametrize(
    ("programs", "message"),
    [
        ({"squeue": "echo no controller >&2; exit 1"}, "squeue failed: no controller"),
        ({"squeue": "echo 12", "scancel": ":"}, "12 were cancelled and do not end"),
        ({"squeue": "echo 12", "scancel": "echo denied >&2; exit 1"}, "scancel failed: denied"),
    ],
)
def test_what_cannot_be_ended_stops_the_study(tmp_path: Path, slurm, programs: dict, message: str) -> None:
    slurm(**programs)
    note_run(tmp_path / "note", "rnnxai_1")
    with pytest.raises(Error, match=rf"{message}.*scancel --name=rnnxai_1"):
        cancel_run(tmp_path / "note", patience=1)
    assert (tmp_path / "note").exists()


def test_without_slurm_a_noted_run_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    note_run(tmp_path / "note", "rnnxai_1")
    with pytest.raises(Error, match="squeue is not there"):
        cancel_run(tmp_path / "note")


@pytest.mark.parametrize(
    ("reason", "cancelled"),
    [
        ("launch failed requeued held", True),
        ("launch_failed_requeued_held", True),
        ("JobHoldMaxRequeue", True),
        ("JobHeldUser", False),  # a user's own hold, and an operator's
        ("JobHeldAdmin", False),
        ("job requeued in held state", False),
        ("BeginTime", False),
        ("Resources", False),
    ],
)
def test_jobs_that_slurm_holds_are_cancelled_and_no_others(slurm, reason: str, cancelled: bool) -> None:
    calls = slurm(squeue=f"echo '12|gpu|{reason}'", scancel=":", sinfo=":")
    said = cancel_held("rnnxai_1")
    assert ("scancel 12" in calls.read_text().splitlines()) is cancelled
    assert (
        said == [f'Slurm held job 12 ("{reason}"); it is cancelled, and Snakemake tries again.'] * cancelled
    )
    assert "--name=rnnxai_1 --states=PENDING" in calls.read_text()


def test_nodes_that_were_drained_are_named_with_the_way_back(slurm) -> None:
    drained = "printf 'gpu1|Prolog error\\ngpu3|batch job complete failure\\n'"
    slurm(squeue="echo '12|gpu|launch failed requeued held'", scancel=":", sinfo=drained)
    (said,) = cancel_held("rnnxai_1")
    assert "gpu1 (Prolog error), gpu3 (batch job complete failure)" in said
    assert "`scontrol update nodename=gpu1,gpu3 state=resume`" in said


def test_a_job_that_cannot_be_cancelled_is_not_said_to_be(slurm) -> None:
    slurm(squeue="echo '12|gpu|launch failed requeued held'", scancel="exit 1", sinfo=":")
    assert cancel_held("rnnxai_1") == []


def test_a_run_is_looked_after_again_and_again(slurm, tmp_path: Path) -> None:
    jobs, said = tmp_path / "jobs", queue.Queue()
    over = watch_run("rnnxai_1", said.put, every=0.05)
    try:
        time.sleep(0.2)  # Slurm is not there yet, which must not be the end of it
        slurm(squeue=f"cat {jobs}", scancel=f"rm {jobs}", sinfo=":")
        for job in (12, 14):
            write_text(jobs, f"{job}|gpu|JobHoldMaxRequeue\n")
            assert f"job {job}" in said.get(timeout=60)
    finally:
        over.set()


@pytest.mark.parametrize(
    ("state", "requeued"), [("RUNNING", True), ("COMPLETING", False), ("CANCELLED", False)]
)
def test_a_job_that_slurm_is_ending_is_not_put_back(slurm, monkeypatch, state: str, requeued: bool) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    calls = slurm(squeue=f"echo {state}", scontrol=":")
    assert requeue_own_job() is requeued
    assert ("scontrol requeue 7" in calls.read_text()) is requeued


def test_outside_of_slurm_nothing_is_put_back(slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    calls = slurm(squeue="echo RUNNING", scontrol=":")
    assert not requeue_own_job()
    assert calls.read_text() == ""


def test_the_longest_of_its_like_counts(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks" / "train"
    folder.mkdir(parents=True)
    (folder / "a.tsv").write_text("s\th:m:s\tmax_rss\n12.5\t0:00:12\t90\n")
    (folder / "b.tsv").write_text("s\th:m:s\tmax_rss\n80.25\t0:01:20\t90\n")
    (folder / "broken.tsv").write_text("s\th:m")
    (folder / "unmeasured.tsv").write_text("s\th:m:s\nNA\tNA\n")
    assert longest_seconds(str(tmp_path), "train/*.tsv") == 80.25
    assert longest_seconds(str(tmp_path), "explain/*.tsv") is None
