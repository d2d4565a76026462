"""Files that are either whole or not there."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

_PART = ".part"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file under a temporary name and move it into place when it is complete.

    Yields a hidden temporary path in the same folder. When the block ends well the temporary file is
    synced to disk and renamed onto `path` in one step; when it raises, the temporary file is removed
    and `path` is left as it was. Left-overs of earlier writers that were killed are swept up, which is
    safe because each output has one writer at a time (:mod:`rnnxai.locks`).

    Parameters
    ----------
    path : str or Path
        Where the finished file goes. Missing parent folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}."
    for leftover in path.parent.glob(f"{prefix}*{_PART}"):
        leftover.unlink(missing_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=prefix, suffix=_PART, delete=False) as handle:
        temporary = Path(handle.name)
    try:
        yield temporary
        _sync(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256(path: str | Path) -> str:
    """Return the hexadecimal SHA-256 of a file's content."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
