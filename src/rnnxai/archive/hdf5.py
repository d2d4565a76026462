"""What all files of the format have in common: filters, dimension scales, a seal, and how they are opened."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from rnnxai.archive.chunks import write_rows
from rnnxai.archive.format import CONVENTIONS, DIMENSIONS, FILTERS, FORMAT, TABLE_BYTES, Field
from rnnxai.errors import Error
from rnnxai.files import replacing
from rnnxai.seal import DIGEST, Attribute, attributes_of, header_digest, is_complete, seal

DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)
"""What h5py raises on damaged content."""


@contextmanager
def creating(
    path: str | Path,
    kind: str,
    attributes: Mapping[str, Any],
    known: Mapping[str, str] | None = None,
    libver: tuple[str, str] | None = None,
) -> Iterator[h5py.File]:
    """Write an HDF5 file of the format, whole or not at all.

    The file is sealed (:mod:`rnnxai.seal`) when the block ends well and removed when it raises.

    Parameters
    ----------
    path : str or Path
        Where the finished file goes.
    kind : str
        A name in :data:`rnnxai.archive.format.KINDS`.
    attributes : Mapping
        Root attributes: text, numbers, or lists of either.
    known : Mapping of str to str, optional
        Hashes of values that were made while these were written; it may be filled inside the block.
    libver : tuple of str, optional
        Oldest and newest versions of HDF5's objects, as h5py has it.
    """
    with replacing(path) as temporary, h5py.File(temporary, "w", track_order=True, libver=libver) as file:
        file.attrs["Conventions"] = CONVENTIONS
        file.attrs["rnnxai_format"] = FORMAT
        file.attrs["rnnxai_kind"] = kind
        for name, value in attributes.items():
            file.attrs[name] = value
        yield file
        seal(file, known)


class Opened(NamedTuple):
    """A file that is open for reading, and its root attributes."""

    file: h5py.File
    attributes: dict[str, Any]


@contextmanager
def opening(path: str | Path, kind: str) -> Iterator[Opened]:
    """Open a finished file of the format for reading, and read its root attributes once.

    Raises
    ------
    Error
        If the file is missing, broken, foreign, of another kind or version, unfinished or altered.
    """
    path = Path(path)
    if not path.is_file():
        raise Error(f"{path}: no such file; expected an rnnxai {kind} file")
    try:
        # Shared file systems often cannot lock; a finished file never changes, so reading needs no lock.
        file = h5py.File(path, "r", locking="best-effort")
    except (OSError, RuntimeError) as error:
        raise Error(f"{path}: not readable as HDF5 ({error}); expected a whole {kind} file") from error
    with file:
        with reading(path):
            header = _header(file, path, kind)
        yield Opened(file, {name: found.value for name, found in header.items()})


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn what h5py raises on damaged content into an `Error` that names the file."""
    try:
        yield
    except Error:
        raise
    except DAMAGE as error:
        raise Error(f"{path}: damaged content ({error}); write the file anew") from error


def write_scales(parent: h5py.Group, sizes: Mapping[str, int]) -> dict[str, str]:
    """Add one dimension scale per name, the numbers 0, 1, ... of its rows; return their hashes."""
    known = {}
    for name, size in sizes.items():
        scale, known[name] = _dataset(parent, name, np.arange(size, dtype=np.int32))
        scale.attrs["long_name"] = DIMENSIONS[name]
        scale.make_scale(name)
    return known


def write_array(parent: h5py.Group, field: Field, values: Any) -> str:
    """Add an array with its filters, scales and attributes; return the hash of its values."""
    dataset, digest = _dataset(parent, field.name, np.ascontiguousarray(values, dtype=field.dtype))
    describe(dataset, field)
    return digest


class Part(NamedTuple):
    """A box of a virtual array, and the box of the same shape that it is read from."""

    start: tuple[int, ...]
    shape: tuple[int, ...]
    file: str
    array: str
    source_shape: tuple[int, ...]
    source_start: tuple[int, ...] | None = None
    """None where it is all of the source."""
    source_box: tuple[int, ...] | None = None
    """Shape of the box in the source, if that has other axes; one with as many values."""


def write_virtual(
    parent: h5py.Group,
    name: str,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    parts: Iterable[Part],
    missing: float = 0,
) -> h5py.Dataset:
    """Add an array that is read from other arrays; what no part covers is `missing`.

    As h5py's ``create_virtual_dataset``, which lets HDF5 write the time into the file.
    """
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_obj_track_times(False)
    plan.set_fill_value(np.asarray(missing, dtype=dtype))
    for part in parts:
        target, source = h5py.h5s.create_simple(shape), h5py.h5s.create_simple(part.source_shape)
        target.select_hyperslab(part.start, part.shape)
        if part.source_start is None:
            source.select_all()
        else:
            source.select_hyperslab(part.source_start, part.source_box or part.shape)
        file = part.file.replace("%", "%%")  # HDF5 has a use for a single one
        plan.set_virtual(target, file.encode(), part.array.encode(), source)
    kind = h5py.h5t.py_create(np.dtype(dtype), logical=True)
    space = h5py.h5s.create_simple(shape)
    return h5py.Dataset(h5py.h5d.create(parent.id, name.encode(), kind, space, plan))


def virtual_files(array: h5py.Dataset) -> set[str]:
    """Return the names of the files that a virtual array is read from."""
    return {part.file_name.replace("%%", "%") for part in array.virtual_sources()}


def describe(dataset: h5py.Dataset, field: Field) -> None:
    """Attach the dimension scales and attributes of a field."""
    for axis, name in zip(dataset.dims, field.dims, strict=True):
        axis.attach_scale(dataset.parent[name])
    dataset.attrs["long_name"] = field.long_name
    if field.flags:
        dataset.attrs["flag_values"] = np.arange(len(field.flags), dtype=field.dtype)
        dataset.attrs["flag_meanings"] = " ".join(field.flags)


def expect_attributes(attributes: Mapping[str, Any], names: Sequence[str], path: str | Path) -> None:
    """Raise an `Error` that lists the root attributes that are missing."""
    missing = [name for name in names if name not in attributes]
    if missing:
        raise Error(f"{path}: attributes {', '.join(missing)} are missing; see rnnxai.archive.provenance")


def _dataset(parent: h5py.Group, name: str, values: npt.NDArray[Any]) -> tuple[h5py.Dataset, str]:
    # Chunked even when small: only chunks carry a checksum.
    row = values.nbytes // len(values)
    chunks = (min(max(1, TABLE_BYTES // row), len(values)), *values.shape[1:])
    dataset = parent.create_dataset(name, values.shape, values.dtype, chunks=chunks, **FILTERS)
    write_rows(dataset, 0, values)
    return dataset, hashlib.sha256(values.data).hexdigest()


def _header(file: h5py.File, path: Path, kind: str) -> dict[str, Attribute]:
    """Read the root attributes; refuse those of a file that is unfit."""
    if "rnnxai_format" not in file.attrs:
        raise Error(f"{path}: an HDF5 file without rnnxai_format; expected an rnnxai {kind} file")
    header = attributes_of(file)
    version = header["rnnxai_format"].value
    if str(version).split(".")[0] != FORMAT.split(".")[0]:
        raise Error(f"{path}: format {version}; this version reads {FORMAT.split('.')[0]}.x")
    found = header["rnnxai_kind"].value if "rnnxai_kind" in header else None
    if found != kind:
        raise Error(f"{path}: a file of kind {found!r}; expected {kind!r}")
    if not is_complete(header):
        raise Error(f"{path}: not marked complete; its writer did not finish, so write it anew")
    if DIGEST not in header or header[DIGEST].value != header_digest(header):
        raise Error(f"{path}: its attributes do not have the digest written with them; write it anew")
    return header
