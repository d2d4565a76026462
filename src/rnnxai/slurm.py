"""What the study asks of Slurm beyond submitting jobs: to end those of a dead run, and to take one back.

Snakemake's executor names all jobs of one run alike. A study notes that name in its results folder while
it runs (:func:`note_run`), so the next one finds what a killed one has left in the queue, wherever it runs
(:func:`cancel_run`). While it runs, it looks for jobs that would never start (:func:`watch_run`).
"""

import getpass
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from rnnxai.errors import Error
from rnnxai.files import write_text

PATIENCE = 300.0  # seconds that cancelled jobs may take to end; the sites' KillWait is 30 or so
WATCH_SECONDS = 60.0
# Reasons for which Slurm itself holds a job that it could not launch. A user's hold has others.
HELD = ("launch failed requeued held", "JobHoldMaxRequeue")
_LIMIT = 60.0  # seconds for one question to the controller


def own_job() -> str | None:
    """Return the identifier of the Slurm job that this process is part of, or None."""
    return os.environ.get("SLURM_JOB_ID") or None


def note_run(note: str | Path, name: str) -> None:
    """Note under which name the jobs of a run are submitted."""
    write_text(note, f"{name}\n")


def forget_run(note: str | Path) -> None:
    """Drop the note of a run whose jobs have all ended."""
    Path(note).unlink(missing_ok=True)


def cancel_run(note: str | Path, patience: float = PATIENCE) -> list[str]:
    """Cancel what is left of the run that a note names, queued or running, and wait until it has ended.

    Parameters
    ----------
    note : str or Path
        Written by :func:`note_run`. Removed when nothing is left.
    patience : float
        How long the jobs may take to end, in seconds.

    Returns
    -------
    list of str
        Identifiers of the jobs that were cancelled.

    Raises
    ------
    Error
        If Slurm cannot be asked, or jobs do not end.
    """
    note = Path(note)
    if not note.exists():
        return []
    run = note.read_text(encoding="utf-8").strip()
    advice = (
        f"Jobs of an earlier run may still write here. See `squeue --name={run}` on its cluster, cancel them "
        f"with `scancel --name={run}`, and remove {note}"
    )
    left = cancelled = _jobs(run, note, advice)
    if left:
        _ask(["scancel", *left], note, advice)
    end = time.monotonic() + patience
    while left and time.monotonic() < end:
        time.sleep(0.5)
        left = _jobs(run, note, advice)
    if left:
        raise Error(f"{note}: Slurm jobs {', '.join(left)} were cancelled and do not end. {advice}")
    forget_run(note)
    return cancelled


def watch_run(name: str, say: Callable[[str], object], every: float = WATCH_SECONDS) -> threading.Event:
    """Look now and then for jobs of a run that Slurm holds, at most for the rest of this process's life.

    Parameters
    ----------
    name : str
        Under which the jobs of the run are submitted.
    say : callable
        Takes a line about each job that was cancelled (:func:`cancel_held`).
    every : float
        Seconds between two looks.

    Returns
    -------
    threading.Event
        Ends it when set.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every):
            with suppress(OSError, subprocess.TimeoutExpired):  # Slurm may answer the next time
                for line in cancel_held(name):
                    say(line)

    threading.Thread(target=watch, name="jobs that Slurm holds", daemon=True).start()
    return over


def cancel_held(name: str) -> list[str]:
    """Cancel the jobs of a run that Slurm could not launch and holds, which nobody would ever start.

    Snakemake sees them fail and submits them anew, as often as it may (``retries``). Jobs that a user holds
    are left alone.

    Parameters
    ----------
    name : str
        Under which the jobs of the run are submitted.

    Returns
    -------
    list of str
        A line about each job: what Slurm said, and which nodes it drained.
    """
    queue = ["squeue", "--noheader", f"--user={getpass.getuser()}", f"--name={name}", "--states=PENDING"]
    said = []
    for line in _run([*queue, "--format=%A|%P|%r"]).stdout.splitlines():
        job, partition, reason = (part.strip() for part in line.split("|", 2))
        if reason.replace("_", " ") in HELD and _run(["scancel", job]).returncode == 0:
            said.append(
                f'Slurm held job {job} ("{reason}"); it is cancelled, and Snakemake tries again.'
                f"{_drained(partition)}"
            )
    return said


def _drained(partition: str) -> str:
    """Say which nodes of a partition take no jobs, and how they are brought back."""
    ask = ["sinfo", "--noheader", f"--partition={partition}", "--states=drain", "--format=%N|%E"]
    found = [line.partition("|") for line in _run(ask).stdout.splitlines()]
    if not found:
        return ""
    listed = ", ".join(f"{nodes} ({reason.strip()})" for nodes, _, reason in found)
    return (
        f" Drained in its partition: {listed}; when well again, an operator brings them back with "
        f"`scontrol update nodename={','.join(nodes for nodes, _, _ in found)} state=resume`."
    )


def requeue_own_job() -> bool:
    """Have Slurm put the job that this process is part of back into its queue, unless it is ending it itself.

    Returns
    -------
    bool
        Whether Slurm will. False outside of Slurm, and for a job that is being cancelled or preempted: what
        happens to that is decided already.
    """
    job = own_job()
    if not job or not shutil.which("scontrol"):
        return False
    state = _run(["squeue", "--noheader", "--jobs", job, "--format=%T"])
    if state.returncode or state.stdout.split() != ["RUNNING"]:
        return False
    return _run(["scontrol", "requeue", job]).returncode == 0


def _jobs(run: str, note: Path, advice: str) -> list[str]:
    """Return the jobs of a run that have not ended; those of an array are one."""
    user = getpass.getuser()
    return _ask(
        ["squeue", "--noheader", f"--user={user}", f"--name={run}", "--format=%A"], note, advice
    ).split()


def _ask(command: Sequence[str], note: Path, advice: str) -> str:
    try:
        done = _run(command)
    except OSError:
        raise Error(f"{note}: {command[0]} is not there to ask for Slurm's jobs. {advice}") from None
    except subprocess.TimeoutExpired:
        raise Error(f"{note}: {command[0]} has not answered in {_LIMIT:g} seconds. {advice}") from None
    # Jobs may end between being seen and being cancelled.
    if done.returncode and "Invalid job id" not in done.stderr:
        raise Error(f"{note}: {command[0]} failed: {done.stderr.strip()}. {advice}")
    return done.stdout


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT)  # noqa: S603
