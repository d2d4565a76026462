import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psutil
import pytest

from rnnxai.errors import Error
from rnnxai.locks import check_holder, end_orphans, exclusive, holder_of, job_lock

# What the process of a job runs.
JOB = """
import signal, subprocess, sys, time
from rnnxai.locks import job_lock
{prepare}
with job_lock({folder!r}, "train/fold-0"):
    {within}
    print("held", flush=True)
    time.sleep(60)
"""


def python(code: str, **kwargs) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **kwargs)


@pytest.fixture
def start(tmp_path):
    """Start a job that says when it holds its lock, and end all that is left of it after the test."""
    with ExitStack() as stack:

        def _start(prepare="pass", within="pass", **kwargs):
            process = python(JOB.format(folder=str(tmp_path), prepare=prepare, within=within), **kwargs)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout.readline() == "held\n"
            return process

        yield _start


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_folder_in_use_names_its_user(tmp_path):
    lock = tmp_path / "results" / ".lock"
    code = f"""
from rnnxai.locks import exclusive
exclusive({str(lock)!r}, "study")
print("held", flush=True)
input()
"""
    with python(code, stdin=subprocess.PIPE) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(
            Error, match=rf"results: in use by process {other.pid} on .*\(study.*`kill {other.pid}`"
        ):
            exclusive(lock, "mine")
        other.kill()
    exclusive(lock, "mine")  # freed by the death of its holder
    exclusive(lock, "mine")  # and ours already
    assert holder_of(lock).pid == os.getpid()


def test_a_job_lock_is_gone_after_the_block(tmp_path):
    with job_lock(tmp_path, "a/b"):
        (file,) = tmp_path.iterdir()
        assert holder_of(file).purpose == "a/b"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), job_lock(tmp_path, "a/b"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_an_output_has_one_writer(tmp_path, start):
    other = start()
    with (
        pytest.raises(Error, match=rf"train/fold-0: already being written by process {other.pid} "),
        job_lock(tmp_path, "train/fold-0"),
    ):
        pass
    with job_lock(tmp_path, "train/fold-1"):
        pass


def test_an_ending_predecessor_is_waited_for(tmp_path, start):
    with start() as other, ThreadPoolExecutor() as pool:
        pool.submit(lambda: (time.sleep(1), other.kill()))
        with job_lock(tmp_path, "train/fold-0", patience=60):
            assert other.poll() is not None


def test_a_job_whose_study_has_another_holder_does_nothing(tmp_path, start):
    lock = tmp_path / "results" / ".lock"
    with pytest.raises(Error, match=r"started by me, but .*\.lock is gone"):
        check_holder(lock, "me")
    exclusive(lock, "snakemake")
    mine = str(holder_of(lock))
    check_holder(lock, mine)
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "pid": 1}))
    with pytest.raises(
        Error, match=rf"started by process {os.getpid()} .*but process 1 on .* has taken over"
    ):
        check_holder(lock, mine)


def test_death_frees_the_lock_and_a_left_over_file_locks_nobody_out(tmp_path, start):
    other = start()
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert len(list(tmp_path.iterdir())) == 1
    with job_lock(tmp_path, "train/fold-0"):
        pass


@pytest.mark.parametrize(
    "begin_child",
    [
        "child = subprocess.Popen(['sleep', '60'], close_fds=False)",
        "import os; r, w = os.pipe(); os.fork() or (os.write(w, b'1'), time.sleep(60)); os.read(r, 1)",
    ],
    ids=["started program", "forked process"],
)
def test_a_child_does_not_keep_the_lock(tmp_path, start, begin_child):
    job = start(within=begin_child)
    children = psutil.Process(job.pid).children()
    job.kill()
    job.wait()
    assert [child.is_running() for child in children] == [True]
    with job_lock(tmp_path, "train/fold-0"):
        pass
    children[0].kill()


def test_writers_that_race_never_overlap(tmp_path):
    code = f"""
import os, time
from rnnxai.errors import Error
from rnnxai.locks import job_lock
wins = 0
end = time.monotonic() + 1.5
while time.monotonic() < end:
    try:
        with job_lock({str(tmp_path / "locks")!r}, "output"):
            os.close(os.open({str(tmp_path / "output")!r}, os.O_CREAT | os.O_EXCL))
            os.unlink({str(tmp_path / "output")!r})
            wins += 1
    except Error:
        pass
print(wins)
"""
    with ExitStack() as stack:
        racers = [stack.enter_context(python(code)) for _ in range(4)]
        wins = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    assert min(wins) > 0
    assert [racer.returncode for racer in racers] == [0] * 4


def test_left_over_files_are_removed(tmp_path):
    (tmp_path / "old.lock").write_text('{"pid": 1}')
    (tmp_path / "other.txt").touch()
    assert end_orphans(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]
    assert end_orphans(tmp_path / "nowhere") == []


@pytest.mark.parametrize("take", [exclusive, job_lock, end_orphans], ids=lambda take: take.__name__)
@pytest.mark.parametrize("what", ["a symbolic link", "a folder"])
def test_what_is_planted_where_a_lock_should_be_is_refused(tmp_path, take, what):
    """A link would lead to somebody's file, which would be emptied and written into."""
    precious, planted = tmp_path / "precious.txt", tmp_path / "locks" / "train.lock"
    precious.write_text("mine")
    planted.parent.mkdir()
    planted.mkdir() if what == "a folder" else planted.symlink_to(precious)
    with pytest.raises(Error, match=f"{planted}: {what}"):
        if take is exclusive:
            exclusive(planted, "snakemake")
        elif take is job_lock:
            with job_lock(planted.parent, "train"):
                pass
        else:
            end_orphans(planted.parent)
    assert precious.read_text() == "mine"
    assert planted.is_symlink() or planted.is_dir()


def test_an_orphan_is_ended_and_its_neighbour_is_not(tmp_path, start):
    job = start()
    with subprocess.Popen(["sleep", "60"]) as neighbour:
        (holder,) = end_orphans(tmp_path, grace=10)
        assert neighbour.poll() is None
        neighbour.kill()
    assert (holder.pid, holder.purpose) == (job.pid, "train/fold-0")
    assert list(tmp_path.iterdir()) == []
    assert job.wait(timeout=1) == -signal.SIGTERM


def test_an_orphan_that_ignores_the_request_is_killed(tmp_path, start):
    job = start(prepare="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    begin = time.monotonic()
    assert len(end_orphans(tmp_path, grace=0.5)) == 1
    assert 0.5 <= time.monotonic() - begin < 10
    assert job.wait(timeout=1) == -signal.SIGKILL


def test_a_job_that_has_ended_may_free_its_lock_a_moment_later(tmp_path, start, monkeypatch):
    """A process of many threads is a zombie before the last of them has closed its files."""
    job = start(prepare="signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit(3)))")
    monkeypatch.setattr("rnnxai.locks._is_alive", lambda process: False)
    assert len(end_orphans(tmp_path)) == 1
    assert job.wait(timeout=5) == 3


@pytest.mark.parametrize("leads_group", [False, True])
def test_what_an_orphan_started_ends_too(tmp_path, start, leads_group):
    job = start(within="child = subprocess.Popen(['sleep', '60'])", start_new_session=leads_group)
    (child,) = psutil.Process(job.pid).children()
    end_orphans(tmp_path)
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_after_the_main_process_is_killed_job_and_wrapper_end_and_nothing_else(tmp_path):
    # A script starts a main process, which starts a wrapper, which starts the job and tidies up after it.
    def runs(code, after="pass"):
        return (
            "import os, pathlib, subprocess, sys, time; print(os.getpid(), flush=True); "
            f"subprocess.run([sys.executable, '-c', {code!r}]); {after}"
        )

    tidied = tmp_path / "tidied"
    job = JOB.format(folder=str(tmp_path / "locks"), prepare="pass", within="pass")
    wrapper = runs(job, after=f"time.sleep(0.5); pathlib.Path({str(tidied)!r}).touch()")
    script = runs(runs(wrapper), after="time.sleep(60)")
    if sys.platform == "linux":  # PR_SET_CHILD_SUBREAPER: the script inherits what the main process leaves
        script = f"import ctypes; ctypes.CDLL(None).prctl(36, 1); {script}"
    with python(script, start_new_session=True) as outer:
        try:
            _, main_pid, _ = (int(outer.stdout.readline()) for _ in range(3))
            assert outer.stdout.readline() == "held\n"
            os.kill(main_pid, signal.SIGKILL)
            assert len(end_orphans(tmp_path / "locks")) == 1
            assert outer.poll() is None
            time.sleep(1)
            assert not tidied.exists()
        finally:
            os.killpg(outer.pid, signal.SIGKILL)


@pytest.mark.parametrize(("slurm_job", "advice"), [("", "`kill {pid}` on node7"), ("12", "`scancel 12`")])
def test_a_writer_on_another_host_is_named_and_left_alone(tmp_path, start, slurm_job, advice):
    job = start()
    (file,) = tmp_path.iterdir()
    file.write_text(json.dumps({**json.loads(file.read_text()), "host": "node7", "job": slurm_job}))
    with pytest.raises(Error, match=f"process {job.pid} on node7.*{advice.format(pid=job.pid)}"):
        end_orphans(tmp_path)
    assert job.poll() is None


def test_a_process_that_does_not_hold_the_lock_is_left_alone(tmp_path, start):
    job = start()
    (file,) = tmp_path.iterdir()
    with subprocess.Popen(["sleep", "60"]) as bystander:
        file.write_text(json.dumps({**json.loads(file.read_text()), "pid": bystander.pid}))
        with pytest.raises(Error, match=r"locked, but not by process \d+ on .*lsof"):
            end_orphans(tmp_path)
        assert (job.poll(), bystander.poll()) == (None, None)
        bystander.kill()


def test_a_lock_says_who_holds_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    with job_lock(tmp_path, "score"):
        (file,) = tmp_path.iterdir()
        content = json.loads(file.read_text())
    assert content.pop("started").startswith("20")
    assert content == {"purpose": "score", "pid": os.getpid(), "host": socket.gethostname(), "job": "12"}
