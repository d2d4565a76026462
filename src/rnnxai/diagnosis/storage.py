"""The disk that results go to: space, whole files, locks."""

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from rnnxai.diagnosis.finding import Finding
from rnnxai.errors import Error
from rnnxai.files import write_text
from rnnxai.locks import holder_of, job_lock

LEAST, SCARCE = 10**9, 10**10
"""Bytes below which nothing useful fits, and below which it is worth knowing."""


def storage(results: str) -> Iterator[Finding]:
    """Look at the disk under a folder of results, which need not exist yet."""
    folder = Path(results).absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / 1e9:,.1f} GB are free where {results} is"
    if free < LEAST:
        yield Finding("disk", "wrong", found, "make room, or set results to a folder on another disk")
    else:
        yield Finding("disk", "ok" if free >= SCARCE else "note", found)
    yield _files(there)
    yield _in_use(folder)


def _files(there: Path) -> Finding:
    """Write a file whole and take a lock, as every job does."""
    try:
        with TemporaryDirectory(dir=there, prefix=".rnnxai-doctor-") as temporary:
            write_text(Path(temporary, "file"), json.dumps({}))
            with job_lock(temporary, "doctor"):
                pass
    except Error as error:
        found, _, advice = str(error).partition("; ")
        return Finding("file locks", "wrong", found, advice)
    except OSError as error:
        found = f"nothing can be written in {there} ({error.strerror})"
        return Finding("file locks", "wrong", found, "set results to a folder of your own")
    return Finding("file locks", "ok", f"files can be written, synced, renamed and locked in {there}")


def _in_use(folder: Path) -> Finding:
    """Look who says that the results are theirs; a file that a killed process left says so in vain."""
    lock = folder / ".lock"
    holder = holder_of(lock) if lock.is_file() else None
    if holder is None or (holder.host == socket.gethostname() and not psutil.pid_exists(holder.pid)):
        return Finding("results", "ok", f"no study runs in {folder.name}")
    return Finding("results", "note", f"{folder.name} is in use by {holder}")
