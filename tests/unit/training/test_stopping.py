"""A training job stops at a time or on a signal, says so, and the next attempt ends where it would have."""

import os
import signal
import subprocess
import sys
import time

import pytest
from test_train_stage import train

from rnnxai.errors import Error, Stopped
from rnnxai.stages.job import job
from rnnxai.stages.stopping import stopping

JOB = """
import os, signal, sys
from pathlib import Path
from rnnxai.stages.job import job
from rnnxai.stages.stopping import stopping
sys.path.insert(0, sys.argv[1])
from test_train_stage import train

folder, number = Path(sys.argv[3]), sys.argv[4]
with job(folder / "log", folder / ".jobs"), stopping(None) as stop:
    asked = []

    def stop_and_note():
        asked.append(1)
        if number and len(asked) == 4:
            os.kill(os.getpid(), getattr(signal, number))
        return stop()

    train(Path(sys.argv[2]), folder, stop=stop_and_note)
"""


@pytest.fixture
def run_job(digits_file, tmp_path, request):
    """Return a function that runs a training job in a process, which sends itself a signal."""

    def run(number="", **environment):
        command = [
            sys.executable,
            "-c",
            JOB,
            str(request.path.parent),
            str(digits_file),
            str(tmp_path),
            number,
        ]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=300, env=os.environ | environment
        )

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    "number, environment, why",
    [
        ("SIGTERM", {}, "SIGTERM came: stopped after epoch 0 of 3 and batch 2."),
        ("SIGUSR1", {}, "SIGUSR1 came: stopped after epoch 0 of 3 and batch 2."),
        (
            "",
            {"SLURM_JOB_END_TIME": "1000"},
            "Slurm's time limit is near: stopped after epoch 0 of 3 and batch 1.",
        ),
    ],
)
def test_a_job_that_is_stopped_can_be_tried_again(run_job, digits_file, tmp_path, number, environment, why):
    stopped = run_job(number, **environment)
    assert stopped.returncode == 75, stopped.stderr
    assert why in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert why in (tmp_path / "log").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".jobs", "checkpoint", "log"]
    again = run_job()
    assert again.returncode == 0, again.stderr
    assert "going on after epoch" in again.stderr
    (tmp_path / "straight").mkdir()
    for name, content in train(digits_file, tmp_path / "straight").items():
        assert (tmp_path / name).read_bytes() == content, name


def test_a_signal_is_noted_and_means_afterwards_what_it_meant(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    with stopping() as stop:
        assert stop() is None
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop() == "SIGTERM came"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_time_of_its_own(monkeypatch):
    now = [50.0]
    monkeypatch.setattr("rnnxai.stages.stopping.time.monotonic", lambda: now[0])
    monkeypatch.setenv("SLURM_JOB_END_TIME", "1000")  # which a time of its own replaces
    with stopping(minutes=1.5) as stop:
        now[0] += 89
        assert stop() is None
        now[0] += 1
        assert stop() == "the 1.5 minutes of train_job.minutes are over"


@pytest.mark.parametrize("left, stops", [(61 + 5, False), (59, True)])
def test_the_time_that_slurm_leaves(monkeypatch, left, stops):
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + left))
    with stopping() as stop:
        assert (stop() is not None) == stops


@pytest.mark.parametrize("value", ["", "never", "-5"])
def test_a_limit_that_is_none(monkeypatch, value):
    monkeypatch.setenv("SLURM_JOB_END_TIME", value)
    with stopping() as stop:
        assert stop() is None


@pytest.mark.parametrize("ended, code", [(Stopped("later"), 75), (Error("wrong"), 1)])
def test_the_exit_code_of_a_job(tmp_path, ended, code):
    with pytest.raises(SystemExit) as left, job(tmp_path / "log", tmp_path / ".jobs"):
        raise ended
    assert left.value.code == code
    assert (tmp_path / "log").read_text() == f"{ended}\n"
