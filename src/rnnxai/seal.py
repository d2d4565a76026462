"""A hash over all that an HDF5 file says: its names, attributes and values, whatever way they are stored.

HDF5's checksums cover the chunks of its arrays, and most of a small file lies outside of them. So every array
carries the hash of its values, and the root one of everything else, these hashes among it. A file that is
repacked, with other chunks or filters, keeps its hashes.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import h5py
import numpy as np

from rnnxai.errors import Error

VALUES = "sha256"
"""Attribute of every array: hash of its values, in C order as they are stored; of texts, of their JSON."""
CONTENT = "content_sha256"
"""Root attribute: hash of all names, types, shapes and attributes, of the hashes of values too."""
DIGEST = "attributes_sha256"
"""Root attribute: hash of the root attributes alone, which opening a file compares."""
COMPLETE = "complete"
"""Root attribute, written last."""

MAX_OBJECTS = 10_000
"""A file with more arrays and groups is none of ours."""
_BLOCK = 2**17
"""Bytes of values read at a time, where a chunk has no more."""


class Attribute(NamedTuple):
    """An attribute as h5py reads it, with the type that it has in the file."""

    dtype: np.dtype[Any]
    value: Any


def attributes_of(item: h5py.Group | h5py.Dataset) -> dict[str, Attribute]:
    """Read all attributes of a group or array.

    Each is opened once, which is most of what it takes; ``item.attrs`` opens it for the value and again for
    the type.
    """
    found = item.attrs
    return {name: _read(found, name) for name in found}


def _read(attributes: h5py.AttributeManager, name: str) -> Attribute:
    found = attributes.get_id(name)
    dtype, shape = found.dtype, found.shape
    if shape is None:
        return Attribute(dtype, h5py.Empty(dtype))
    if dtype.subdtype is not None:  # arrays of arrays
        return Attribute(dtype, attributes[name])
    values = np.zeros(shape, dtype)
    found.read(values)
    text = h5py.check_string_dtype(dtype)
    if text and text.length is None:
        texts = [each.decode("utf-8", "surrogateescape") for each in values.flat]
        values = np.array(texts, dtype).reshape(shape)
    return Attribute(dtype, values if values.ndim else values[()])


def seal(file: h5py.File, known: Mapping[str, str] | None = None) -> None:
    """Give a finished file its hashes.

    Parameters
    ----------
    file : File
        Open for writing.
    known : Mapping of str to str, optional
        Hashes of the values of some arrays by path, made while these were written; others are read back.
    """
    for path, found in objects(file):
        if isinstance(found, h5py.Dataset) and not found.is_virtual:
            found.attrs[VALUES] = (known or {}).get(path) or values_digest(found)
    file.attrs[CONTENT] = content_digest(file)
    file.attrs[DIGEST] = header_digest(attributes_of(file))
    file.attrs[COMPLETE] = np.uint8(1)


def is_complete(header: Mapping[str, Attribute]) -> bool:
    """Return whether the root attributes say that a file was finished: `complete` is a single uint8 of 1."""
    found = header[COMPLETE].value if COMPLETE in header else None
    return isinstance(found, np.uint8) and found == 1


def objects(file: h5py.File) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Walk over all groups and arrays of a file, without leaving it.

    Yields
    ------
    str
        Path from the root, "." for the root itself.
    Group or Dataset

    Raises
    ------
    Error
        If a name leads out of the file or to what has another name, or there are too many.
    """
    yield ".", file
    seen = {address(file)}
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    while waiting:
        prefix, group = waiting.pop()
        for name in sorted(group):
            path = f"{prefix}{name}"
            child = member(group, name, path)
            if address(child) in seen:
                raise Error(f"{path} is another name of something else in the file; each has one")
            seen.add(address(child))
            if len(seen) > MAX_OBJECTS:
                raise Error(f"the file holds more than {MAX_OBJECTS} arrays and groups")
            yield path, child
            if isinstance(child, h5py.Group):
                waiting.append((f"{path}/", child))


def member(group: h5py.Group, name: str, path: str = "") -> h5py.Group | h5py.Dataset:
    """Return what a name in a group stands for, if its values are in the same file or it is virtual.

    Raises
    ------
    Error
        If the name is a link to another place or file, is no array or group, or has its values elsewhere.
    """
    refuse_link(group, name, path)
    found = group[name]
    if not isinstance(found, h5py.Group | h5py.Dataset):
        raise Error(f"{path or name} is neither an array nor a group")
    if isinstance(found, h5py.Dataset) and found.external:
        raise Error(f"{path or name} has its values in other files; they must lie in this one")
    return found


def refuse_link(group: h5py.Group, name: str, path: str = "") -> None:
    """Raise an `Error` if a name in a group is a link to another place or file."""
    if group.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
        raise Error(f"{path or name} is a link to somewhere else; what belongs to a file must lie in it")


def address(item: h5py.Group | h5py.Dataset) -> int:
    """Return where in its file an object lies, which tells objects apart."""
    return int(h5py.h5o.get_info(item.id).addr)


def blocks(array: h5py.Dataset) -> Iterator[tuple[slice, Any]]:
    """Read an array from its first to its last row, in whole chunks and little at a time.

    Yields
    ------
    slice
        Rows.
    ndarray
        Their values.
    """
    if not array.shape:
        yield slice(None), array[()]
        return
    if 0 in array.shape:
        return
    row = max(1, array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64)))
    chunk = array.chunks[0] if array.chunks else 1
    rows = chunk * max(1, _BLOCK // (row * chunk))
    for first in range(0, array.shape[0], rows):
        part = slice(first, min(first + rows, array.shape[0]))
        yield part, array[part]


def values_digest(array: h5py.Dataset) -> str:
    """Return the hash of an array's values."""
    digest = hashlib.sha256()
    if h5py.check_string_dtype(array.dtype):
        texts = np.asarray(array.asstr(errors="surrogateescape")[()]).tolist()
        digest.update(json.dumps(texts).encode())
    else:
        for _, values in blocks(array):
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def header_digest(header: Mapping[str, Attribute]) -> str:
    """Return the hash of the root attributes."""
    return _hash({name: _plain(header[name]) for name in header if name not in (DIGEST, COMPLETE)})


def content_digest(file: h5py.File) -> str:
    """Return the hash of all names, types, shapes and attributes of a file.

    A virtual array stands for what it is made of: the file, array and region of each of its parts.
    """
    found = dict(objects(file))
    places = {address(item): path for path, item in found.items()}
    described: dict[str, Any] = {}
    for path, item in found.items():
        attributes = _described(item, places)
        for name in (CONTENT, DIGEST, COMPLETE) if path == "." else ():
            attributes.pop(name, None)
        described[path] = [attributes]
        if isinstance(item, h5py.Dataset):
            described[path] += [_type(item.dtype), list(item.shape or ())]
            if item.is_virtual:
                described[path].append([*map(_part, item.virtual_sources()), _exactly(item.fillvalue)])
    return _hash(described)


def _part(part: Any) -> list[Any]:
    return [part.file_name, part.dset_name, *map(_region, (part.vspace, part.src_space))]


def _region(space: h5py.h5s.SpaceID) -> Any:
    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return "all"
    first, last = (np.asarray(corner, dtype=np.int64) for corner in space.get_select_bounds())
    if np.prod(last - first + 1) == space.get_select_npoints():  # a box, which HDF5 may describe in many ways
        return [first.tolist(), last.tolist()]
    return np.asarray(space.get_select_hyper_blocklist()).tolist()


def _described(item: Any, places: Mapping[int, str]) -> dict[str, Any]:
    """Return all attributes as JSON can hold them, references as the paths that they lead to."""
    return {name: _attribute(item, name, found, places) for name, found in attributes_of(item).items()}


def _attribute(item: Any, name: str, found: Attribute, places: Mapping[int, str]) -> Any:
    dtype, value = found
    if name == "DIMENSION_LIST":  # a reference is an address, which the storage decides on
        return [_type(dtype), [[places.get(address(item.file[each])) for each in axis] for axis in value]]
    if name == "REFERENCE_LIST":
        back = [[places.get(address(item.file[reference])), int(axis)] for reference, axis in value]
        return [_type(dtype), back]
    return _plain(found)


def _plain(found: Attribute) -> Any:
    return [_type(found.dtype), _exactly(found.value)]


def _exactly(value: Any) -> Any:
    """Return a value as something that JSON tells apart from every other, to the bit."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, h5py.Empty):
        return None
    array = np.asarray(value)
    if array.dtype.kind == "O":
        return [list(array.shape), [_exactly(each) for each in array.ravel()]]
    return [list(array.shape), array.tobytes().hex()]


def _type(dtype: np.dtype[Any]) -> str:
    text, reference = h5py.check_string_dtype(dtype), h5py.check_ref_dtype(dtype)
    many, names = h5py.check_vlen_dtype(dtype), h5py.check_enum_dtype(dtype)
    if text:
        return f"text {text.encoding} {text.length}"
    if reference:
        return str(reference.__name__)
    if many is not None:
        return f"any number of {_type(np.dtype(many))}"
    if dtype.names:
        return ", ".join(f"{name} {_type(dtype[name])}" for name in dtype.names)
    numbers = json.dumps(names, sort_keys=True, default=int) if names else ""
    return f"{dtype.str}{numbers}"


def _hash(described: Any) -> str:
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
