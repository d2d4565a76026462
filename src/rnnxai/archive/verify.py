"""Verify files: every kind of damage by name, and no file can harm who asks."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from rnnxai.archive.damage import Damage
from rnnxai.errors import Error

SECONDS, SECONDS_PER_MIB = 60.0, 1.0
"""Time allowed: so much, and so much more for each MiB of the file. Sound ones need a hundredth of it."""
MEMORY = 2**30
"""Bytes of memory allowed."""
_PACKAGES = Path(__file__).parents[2]


def verify(path: str | Path, seconds: float | None = None, memory: int = MEMORY) -> list[Damage]:
    """Read a file to its end in a process of its own and say all that is wrong with it.

    Parameters
    ----------
    path : str or Path
        A file of the format, of any kind.
    seconds : float, optional
        Time allowed; by default a minute, and a second for each MiB.
    memory : int
        Bytes of memory allowed.

    Returns
    -------
    list of Damage
        Nothing if the file is sound.
    """
    with Verifier() as verifier:
        return verifier.verify(path, seconds, memory)


def verify_all(paths: Iterable[str | Path]) -> Iterator[tuple[Path, list[Damage]]]:
    """Verify files one after the other, with one helper process for all."""
    with Verifier() as verifier:
        for path in paths:
            yield Path(path), verifier.verify(path)


def refuse_damaged(path: str | Path) -> None:
    """Raise an `Error` that names a file and all that is wrong with it, if there is anything.

    Raises
    ------
    Error
    """
    found = verify(path)
    if found:
        raise Error(f"{path}: {'; '.join(map(str, found))}; write it anew")


class Verifier:
    """The helper process; a context manager."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            with suppress(OSError):
                self._process.communicate()

    def verify(self, path: str | Path, seconds: float | None = None, memory: int = MEMORY) -> list[Damage]:
        """Verify one file, as :func:`verify`."""
        path = Path(path)
        if not path.is_file():
            return [Damage("no-file", "", "there is no such file")]
        if seconds is None:
            seconds = SECONDS + SECONDS_PER_MIB * path.stat().st_size / 2**20
        request = {"path": str(path.absolute()), "seconds": seconds, "memory": memory}
        if self._process is None:
            self._process = _started()
        answer = _answered(self._process, json.dumps(request))
        if not answer:
            raise Error(f"{path}: the process that verifies files has ended; see what it says above")
        return [Damage(**each) for each in json.loads(answer)]


def _answered(process: "subprocess.Popen[str]", request: str) -> str:
    if process.stdin is None or process.stdout is None:
        return ""
    try:
        process.stdin.write(f"{request}\n")
        process.stdin.flush()
        return process.stdout.readline()
    except OSError:  # it has ended
        return ""


def _started() -> "subprocess.Popen[str]":
    # Without the folder that one is in (-P), which may be the one where a stranger's files lie.
    paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "OPENBLAS_NUM_THREADS": "1",  # so that there are no threads beside the one that forks
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "rnnxai.archive.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
