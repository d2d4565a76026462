"""Locks that end with the process that holds them: one study per folder, one writer per output.

A lock is an advisory lock of the operating system (``flock``) on a small JSON file that says who holds
it. The system frees it when the process ends, however it ends. So a left-over file locks nobody out, and
a file that *is* locked proves that its holder lives.

The main Snakemake process holds its results folder for its whole life (:func:`exclusive`). Each job holds
a lock of its own while it writes (:func:`job_lock`). A main process that starts after another was killed
ends the jobs which outlived that one (:func:`end_orphans`), or two jobs could write one output. Jobs that
start only then, from the queue of a cluster, see that their study has another holder and do nothing
(:func:`check_holder`).
"""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import psutil

from rnnxai.errors import Error

_SUFFIX = ".lock"
_held: dict[Path, int] = {}  # lock file to its descriptor, open for as long as the lock is held


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Parameters
    ----------
    purpose : str
        What the lock is held for; for a job its name.
    pid : int
        Process identifier on `host`.
    host : str
        Name of the machine.
    started : str
        When the lock was taken, in UTC.
    job : str
        Identifier of the Slurm job that the process is part of, if it is.
    """

    purpose: str
    pid: int
    host: str
    started: str
    job: str = ""

    def __str__(self) -> str:
        job = f" in Slurm job {self.job}" if self.job else ""
        return f"process {self.pid} on {self.host}{job} ({self.purpose}, since {self.started})"


def exclusive(path: str | Path, purpose: str) -> None:
    """Take a lock for the rest of this process's life.

    Taking a lock again that this process already holds does nothing.

    Parameters
    ----------
    path : str or Path
        The lock file, in the folder that the lock is for. Missing folders are made.
    purpose : str
        What the lock is held for, to tell those who find it taken.

    Raises
    ------
    Error
        If another process holds the lock.
    """
    path = Path(path).absolute()
    if path not in _held and not _take(path, purpose):
        holder = holder_of(path)
        stop = f", or stop it with `kill {holder.pid}` on {holder.host}" if holder else ""
        raise Error(f"{path.parent}: in use by {holder or 'another process'}. Wait until it ends{stop}.")


def check_holder(path: str | Path, holder: str) -> None:
    """Refuse to go on if a lock is no longer with the process that started this one.

    Parameters
    ----------
    path : str or Path
        The lock file.
    holder : str
        What the holder was called when it started this process.

    Raises
    ------
    Error
        If there is another holder now, or none.
    """
    now = holder_of(path)
    if str(now) != holder:
        successor = f"{now} has taken over" if now else f"{path} is gone"
        raise Error(f"this job was started by {holder}, but {successor}. Nothing was done.")


@contextmanager
def job_lock(folder: str | Path, name: str, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock of one job while the block runs.

    Parameters
    ----------
    folder : str or Path
        Where the lock files are. Made if missing.
    name : str
        The job's name. Jobs that write the same output share a name.
    patience : float
        How long to wait for a predecessor that is ending, in seconds.

    Raises
    ------
    Error
        If the lock is held already: two jobs would write one output.
    """
    path = Path(folder).absolute() / f"{quote(name, safe='')}{_SUFFIX}"
    end = time.monotonic() + patience
    while not (mine := _take(path, name)) and time.monotonic() < end:
        time.sleep(0.2)
    if not mine:
        writer = holder_of(path) or "another process"
        raise Error(f"{name}: already being written by {writer}. Wait until it ends, or stop it.")
    try:
        yield
    finally:
        _drop(path)


def end_orphans(folder: str | Path, grace: float = 30.0) -> list[Holder]:
    """End the jobs that outlived the main process which started them.

    To be called by a main process once it holds the results folder: whoever still holds a job lock then
    has no main process any more. Such a job is ended with the processes it started and the wrappers it
    was started through (same process group), first by SIGTERM, after `grace` by SIGKILL. Lock files that
    nobody holds are removed.

    Parameters
    ----------
    folder : str or Path
        Where the job locks are.
    grace : float
        How long a job may take to end by itself, in seconds.

    Returns
    -------
    list of Holder
        The jobs that were ended.

    Raises
    ------
    Error
        If a job runs on another host, belongs to somebody else, cannot be found or does not end.
        Nothing has been ended then, except in the last case.
    """
    found = (_orphan(path) for path in sorted(Path(folder).absolute().glob(f"*{_SUFFIX}")))
    orphans = [orphan for orphan in found if orphan]
    processes = {process for _, _, job in orphans for process in _family(job)}
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in _alive_after(grace, processes):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    immortal = _alive_after(grace, processes)
    for path, holder, _ in orphans:
        if immortal or not _freed_within(grace, path):
            raise Error(f"{path}: {holder} does not end, not even by SIGKILL. Its disk may be hanging.")
    return [holder for _, holder, _ in orphans]


def holder_of(path: str | Path) -> Holder | None:
    """Return who a locked file says holds it, or None if it does not say."""
    for _ in range(20):  # a holder locks first and writes next: give it a second
        with suppress(OSError, ValueError, TypeError):
            return Holder(**json.loads(Path(path).read_bytes()))
        time.sleep(0.05)
    return None


def _take(path: Path, purpose: str) -> bool:
    """Lock a file and write into it who holds it; return False if it is held already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _lock(path, os.O_CREAT)
    if descriptor is None:
        return False
    _held[path] = descriptor
    now = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    holder = Holder(purpose, os.getpid(), socket.gethostname(), now, os.environ.get("SLURM_JOB_ID", ""))
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)
        os.fsync(descriptor)  # for readers on other hosts
    except BaseException:
        _drop(path)
        raise
    return True


def _drop(path: Path) -> None:
    path.unlink(missing_ok=True)  # while it is still held: what others lock next is another file
    os.close(_held.pop(path))


def _remove_if_free(path: Path) -> bool:
    try:
        descriptor = _lock(path)
    except FileNotFoundError:
        return True
    if descriptor is None:
        return False
    path.unlink(missing_ok=True)
    os.close(descriptor)
    return True


def _freed_within(seconds: float, path: Path) -> bool:
    """Wait for a lock to be free, at most for some seconds; remove its file, or return False."""
    # A process counts as ended before the last of its threads has closed its files and so freed its locks.
    end = time.monotonic() + seconds
    while not (freed := _remove_if_free(path)) and time.monotonic() < end:
        time.sleep(0.05)
    return freed


def _lock(path: Path, flags: int = 0) -> int | None:
    """Open and lock a file; return its descriptor, or None if another holds the lock."""
    while True:
        try:  # not inherited by programs started from here, and never the file that a link leads to
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | flags, 0o666)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EISDIR):
                raise
            what = "a symbolic link" if error.errno == errno.ELOOP else "a folder"
            raise Error(f"{path}: {what}, where a lock is a plain file; remove it, then start.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
            os.close(descriptor)  # the file was replaced meanwhile: this lock guards nothing
        except FileNotFoundError:
            os.close(descriptor)  # the file was removed meanwhile
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            raise Error(
                f"{path}: the file system cannot lock files ({error.strerror}); keep the results on one "
                "that can, or have it mounted with locks (for Lustre: -o flock)."
            ) from error


def _forget_locks_after_fork() -> None:
    # A forked child shares the parent's locks and would keep them after the parent's death.
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget_locks_after_fork)


def _orphan(path: Path) -> tuple[Path, Holder, psutil.Process] | None:
    """Return who holds a job lock, or None after removing a lock file that nobody holds."""
    for _ in range(25):  # five seconds, should it be ending just now
        if _remove_if_free(path):
            return None
        holder = holder_of(path)
        with suppress(psutil.NoSuchProcess):  # it has just ended
            here = holder and holder.host == socket.gethostname()
            if holder and here and _has_open(job := psutil.Process(holder.pid), path):
                return path, holder, job
        time.sleep(0.2)
    if holder and not here:
        end = f"`scancel {holder.job}`" if holder.job else f"`kill {holder.pid}` on {holder.host}"
        raise Error(
            f"{path}: still being written by {holder}, which cannot be ended from here. Run {end}, then "
            "start again."
        )
    raise Error(f"{path}: locked, but not by {holder or 'a process it names'}. See `lsof {path}`.")


def _has_open(process: psutil.Process, path: Path) -> bool:
    try:
        return any(os.path.realpath(path) == file.path for file in process.open_files())
    except psutil.AccessDenied as error:
        raise Error(f"{path}: held by process {process.pid} of another user; ask them to end it.") from error


def _family(job: psutil.Process) -> set[psutil.Process]:
    """Return a job, the wrappers it runs in and all that these started, never the caller's own line."""
    me = psutil.Process()
    own_line = {me, *me.parents()}
    family = {job}
    with suppress(psutil.NoSuchProcess, ProcessLookupError):  # it has just ended
        # The shell and the inner Snakemake around a job would tidy its outputs away when it ends, while
        # the next job may be writing them. They share the job's process group, which somebody else leads.
        group = os.getpgid(job.pid)
        wrapper: psutil.Process | None = job
        while wrapper:
            family |= {wrapper, *wrapper.children(recursive=True)}
            parent = wrapper.parent()
            is_wrapper = parent and _group(parent) == group and parent.pid not in (1, group)
            wrapper = parent if is_wrapper and parent not in own_line else None
        if group in {process.pid for process in family} and group != os.getpgrp():
            # A group that the job leads is all its own, children that lost their parent included.
            family |= {process for process in psutil.process_iter() if _group(process) == group}
    return family - own_line


def _group(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return None


def _alive_after(seconds: float, processes: set[psutil.Process]) -> set[psutil.Process]:
    """Wait for processes to end, at most for some seconds, and return those that have not."""
    end = time.monotonic() + seconds
    while (alive := {process for process in processes if _is_alive(process)}) and time.monotonic() < end:
        time.sleep(0.05)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    # A zombie has ended; its parent, perhaps the first process of a container, may never fetch it.
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
