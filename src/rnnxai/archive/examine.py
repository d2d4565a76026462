"""Look for damage in a file, without a belief in anything that it says.

HDF5 may crash, or never return, on a file that is damaged in the wrong place, so this runs in a process of
its own (:mod:`rnnxai.archive.worker`) and :mod:`rnnxai.archive.verify` is what to call.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import h5py

from rnnxai.archive.damage import Damage
from rnnxai.archive.format import (
    ATTRIBUTION,
    EXPLANATION,
    FORMAT,
    JOIN,
    KINDS,
    MAX_BYTES,
    MAX_SAMPLES,
    PROVENANCE,
    TABLE_BYTES,
)
from rnnxai.archive.hdf5 import DAMAGE, virtual_files
from rnnxai.archive.numbers import Numbers
from rnnxai.archive.read import layout_of
from rnnxai.errors import Error
from rnnxai.files import sha256
from rnnxai.seal import (
    COMPLETE,
    CONTENT,
    DIGEST,
    VALUES,
    attributes_of,
    content_digest,
    header_digest,
    is_complete,
    objects,
    values_digest,
)

_CACHE = TABLE_BYTES
"""Bytes of each open array that are kept uncompressed: one chunk, which parts of it are read from."""
_SEAL = (CONTENT, DIGEST, COMPLETE)
_PROVENANCE = {"dataset": ("config_json", "config_sha256", "software_json", "inputs_json")}


def examine(path: str | Path) -> list[Damage]:
    """Return all that is wrong with a file; nothing if it is sound."""
    return list(_Examination(Path(path)).run())


class _Examination:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[Damage] = []

    def run(self) -> Iterator[Damage]:
        if not self.path.is_file():
            yield Damage("no-file", "", "there is no such file")
            return
        try:
            file = h5py.File(self.path, "r", locking="best-effort", rdcc_nbytes=_CACHE)
        except (OSError, RuntimeError) as error:
            yield Damage("not-hdf5", "", said(error))
            return
        with file, self.part("unreadable", ""):
            self.file(file)
        yield from self.found

    def file(self, file: h5py.File) -> None:
        kind = self.header(file)
        if kind is None:
            return
        with self.part("unreadable", ""):
            self.content(file)
        with self.part("unreadable", ""):
            if kind == ATTRIBUTION:
                self.attribution(file)
            elif kind == JOIN:
                self.sources(file)

    def header(self, file: h5py.File) -> str | None:
        """Look at the root attributes; return the kind of file if there is a point in going on."""
        if "rnnxai_format" not in file.attrs:
            self.add("foreign", "", "an HDF5 file without the attribute rnnxai_format")
            return None
        header = attributes_of(file)
        version = header["rnnxai_format"].value
        kind = header["rnnxai_kind"].value if "rnnxai_kind" in header else None
        if str(version).split(".")[0] != FORMAT.split(".")[0]:
            self.add("version", "rnnxai_format", f"{version}; this version reads {FORMAT.split('.')[0]}.x")
            return None
        if kind not in KINDS:
            self.add("attributes", "rnnxai_kind", f"{kind!r}; {', '.join(KINDS)} are the kinds there are")
            return None
        if not is_complete(header):
            self.add("unfinished", COMPLETE, "not there, or not 1: the writer did not reach its end")
        wanted = _PROVENANCE.get(kind, PROVENANCE) + (EXPLANATION if kind == ATTRIBUTION else ()) + _SEAL[:2]
        missing = [name for name in wanted if name not in header]
        if missing:
            self.add("attributes", "", f"{', '.join(missing)} are missing")
        elif header[DIGEST].value != header_digest(header):
            self.add("attributes", "", f"they do not have the {DIGEST} written with them")
        return str(kind)

    def content(self, file: h5py.File) -> None:
        """Compare all hashes, and so read every chunk."""
        try:
            found = dict(objects(file))
        except Error as error:
            self.add("link", "", str(error))
            return
        with self.part("unreadable", ""):
            if file.attrs.get(CONTENT) != content_digest(file):
                self.add("content", "", f"names and attributes do not have the {CONTENT} written with them")
        for name, item in found.items():
            if not isinstance(item, h5py.Dataset) or item.is_virtual:
                continue
            if item.nbytes > MAX_BYTES or max(item.shape or (0,)) > MAX_SAMPLES:
                self.add("too-large", name, f"{item.shape} values, {item.nbytes} bytes; that is not read")
                continue
            with self.part("chunk", name):
                if values_digest(item) != item.attrs.get(VALUES):
                    self.add("values", name, f"they do not have the {VALUES} written with them")

    def attribution(self, file: h5py.File) -> None:
        """Look at what an attribution file must hold, and at what its numbers say of each other."""
        try:
            layout = layout_of(file, file.attrs, self.path)
        except Error as error:
            kind = "too-large" if "at most" in str(error) else "names"
            self.add(kind, "", str(error).removeprefix(f"{self.path}: "))
            return
        numbers = Numbers(file, layout)
        self.found += numbers.structure()
        if not self.found:  # what they say of each other is worth hearing if they are those written
            self.found += numbers.damage()

    def sources(self, file: h5py.File) -> None:
        """Look for the files that a join is made of."""
        recorded = json.loads(file.attrs["inputs_json"])
        named: set[str] = set()
        for _, item in objects(file):
            if isinstance(item, h5py.Dataset) and item.is_virtual:
                named |= virtual_files(item)
        for name in sorted(named | recorded.keys()):
            self.found += source_damage(self.path.parent, name, recorded.get(name))

    def add(self, kind: str, where: str, message: str) -> None:
        self.found.append(Damage(kind, where, message))

    @contextmanager
    def part(self, kind: str, where: str) -> Iterator[None]:
        """Note what h5py raises as damage of a kind, and go on."""
        try:
            yield
        except MemoryError:
            raise
        except (*DAMAGE, ArithmeticError, IndexError, EOFError) as error:
            self.add("link" if isinstance(error, Error) else kind, where, said(error))


def source_damage(folder: Path, name: str, recorded: str | None) -> Iterator[Damage]:
    """Say what is wrong with a file that a join names: where it is, whether it is there and as it was."""
    if is_outside(name):
        yield Damage("source", name, "outside of the join's folder; it reads what lies in or below that")
    elif not (folder / name).is_file():
        yield Damage("source", name, "missing; its part of the join reads as NaN")
    elif recorded is None:
        yield Damage("source", name, "of no recorded hash")
    elif sha256(folder / name) != recorded:
        yield Damage("source", name, "not the file that was joined: its hash has changed")


def is_outside(name: str) -> bool:
    """Return whether a relative name leads out of its folder."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or name in ("", ".")


def said(error: BaseException) -> str:
    """Return what an exception says, in a line that is not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:199]}\N{HORIZONTAL ELLIPSIS}"


def as_json(found: list[Damage]) -> list[dict[str, Any]]:
    """Return damage as JSON can hold it."""
    return [each._asdict() for each in found]
