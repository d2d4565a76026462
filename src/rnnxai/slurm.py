"""What the study asks of Slurm beyond submitting jobs: to end those of a dead run, and to take one back.

Snakemake's executor names all jobs of one run alike. A study notes that name in its results folder while
it runs (:func:`note_run`), so the next one finds what a killed one has left in the queue, wherever it runs
(:func:`cancel_run`).
"""

import getpass
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from rnnxai.errors import Error
from rnnxai.files import write_text

PATIENCE = 300.0  # seconds that cancelled jobs may take to end; the sites' KillWait is 30 or so
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
