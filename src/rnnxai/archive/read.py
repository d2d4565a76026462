"""Read an attribution file lazily."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from rnnxai.archive.format import (
    ATTRIBUTION,
    DIMENSIONS,
    EXPLANATION,
    MAP_ROWS,
    MAPS,
    MAX_ARRAY_BYTES,
    MAX_MAP_BYTES,
    MAX_SAMPLES,
    PROVENANCE,
)
from rnnxai.archive.hdf5 import expect_attributes, opening, reading
from rnnxai.archive.layout import Layout
from rnnxai.errors import Error
from rnnxai.seal import member, refuse_link


class AttributionArchive:
    """An open attribution file; a context manager.

    Opening reads the header only and refuses what is broken, foreign, unfinished, of another version or too
    large; :func:`rnnxai.archive.verify.verify` reads the rest, and is what a stranger's file should pass
    first. No array is read that lies in another file. Arrays are h5py data sets, so a slice reads what it
    names: ``archive["prediction"][:100]``.

    Parameters
    ----------
    path : str or Path
        The file.

    Attributes
    ----------
    path : Path
    attributes : dict
        All root attributes.
    layout : Layout
        Sizes and optional parts.

    Raises
    ------
    Error
        If the file is not a finished attribution file; the message says what was found.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with ExitStack() as stack:
            opened = stack.enter_context(opening(self.path, ATTRIBUTION))
            self._file = opened.file
            self.attributes: dict[str, Any] = opened.attributes
            with reading(self.path):
                expect_attributes(self.attributes, (*PROVENANCE, *EXPLANATION), self.path)
                self.layout = layout_of(self._file, self.attributes, self.path)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def __contains__(self, name: str) -> bool:
        return name in self._file

    def __getitem__(self, name: str) -> h5py.Dataset:
        if name not in self._file:
            known = ", ".join(f.name for f in (MAPS, *self.layout.fields))
            raise Error(f"{self.path}: no array {name!r}; it holds {known}")
        with reading(self.path):
            found = _array(self._file, name, self.path)
            if name != MAPS.name and found.nbytes > MAX_ARRAY_BYTES:
                raise Error(f"{self.path}: {name} has {found.nbytes} bytes; {MAX_ARRAY_BYTES} are the limit")
        return found

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return str(self.attributes["dataset"])

    @property
    def architecture(self) -> str:
        """Name of the architecture."""
        return str(self.attributes["architecture"])

    @property
    def steps(self) -> int:
        """Time steps T of the model."""
        return int(self.attributes["T"])

    @property
    def fold(self) -> str:
        """The fold whose test set was explained: a number, or "quality" for the fixed split."""
        return str(self.attributes["fold"])

    @property
    def explainer(self) -> str:
        """Name of the explainer."""
        return str(self.attributes["explainer"])

    def __len__(self) -> int:
        return self.layout.samples

    def map(self, sample: int) -> npt.NDArray[np.float32]:
        """Return the map (channels, height, width) of one sample, given by its row in this file.

        Raises
        ------
        Error
            If there is no such row, or its full map is not kept.
        """
        if not 0 <= sample < len(self):
            raise Error(f"{self.path}: no sample {sample}; rows are 0..{len(self) - 1}")
        kept = self.layout.maps
        if kept is not None and sample not in kept:
            first = ", ".join(map(str, kept[:5])) or "none"
            raise Error(f"{self.path}: the full map of sample {sample} is not kept; first kept ones: {first}")
        with reading(self.path):
            return np.asarray(self._maps[sample])

    @cached_property
    def _maps(self) -> h5py.Dataset:
        # Held open, so that the maps of a chunk are decompressed once.
        return self[MAPS.name]

    def chunks(self, rows: int = 16 * MAP_ROWS) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
        """Read all maps in order, some at a time.

        Parameters
        ----------
        rows : int
            Samples at a time; multiples of 16 decompress each chunk once.

        Yields
        ------
        slice
            Rows of this file.
        array (n, channels, height, width)
            Their maps, NaN for a sample whose map is not kept.
        """
        for first in range(0, len(self), rows):
            part = slice(first, min(first + rows, len(self)))
            with reading(self.path):
                maps = self[MAPS.name][part]
            yield part, maps


def layout_of(file: h5py.File, attributes: Mapping[str, Any], path: Path) -> Layout:
    """Read the sizes of an open attribution file, and which of its optional parts it has.

    Raises
    ------
    Error
        If dimensions are missing or beyond all bounds.
    """
    there = file.id.links.exists
    sizes = {name: _length(file, name, path) for name in DIMENSIONS if there(name.encode())}
    missing = [name for name in DIMENSIONS if name not in sizes and name != "block"]
    if missing:
        raise Error(f"{path}: dimensions {', '.join(missing)} are missing")
    one = 4 * sizes["channel"] * sizes["y"] * sizes["x"]
    if sizes["sample"] > MAX_SAMPLES or one > MAX_MAP_BYTES:
        raise Error(
            f"{path}: {sizes['sample']} samples of {one} bytes; at most {MAX_SAMPLES} samples of "
            f"{MAX_MAP_BYTES} bytes are read"
        )
    stored = _array(file, "map_stored", path)[: sizes["sample"]]
    return Layout(
        samples=sizes["sample"],
        channels=sizes["channel"],
        height=sizes["y"],
        width=sizes["x"],
        steps=sizes["step"],
        classes=sizes["class"],
        blocks=sizes.get("block"),
        maps=None if stored.all() else np.flatnonzero(stored),
        conserves=bool(attributes["conservation_expected"]),
    )


def _length(file: h5py.File, name: str, path: Path) -> int:
    """Return the length of a dimension, without reading anything of it."""
    try:
        refuse_link(file, name)
    except Error as error:
        raise Error(f"{path}: {error}") from error
    found = h5py.h5o.open(file.id, name.encode())  # h5py's own look at an array takes three times as long
    if not isinstance(found, h5py.h5d.DatasetID) or len(found.shape) != 1:
        raise Error(f"{path}: {name} is no dimension; an array of one axis would be right")
    return int(found.shape[0])


def _array(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """Return an array whose values are in the file itself."""
    try:
        found = member(file, name)
    except Error as error:
        raise Error(f"{path}: {error}") from error
    if not isinstance(found, h5py.Dataset) or found.is_virtual:
        raise Error(f"{path}: {name} has no values of its own; an array of the file would be right")
    rows = found.chunks[0] if found.chunks else 1
    if found.ndim and rows * found.nbytes // max(1, found.shape[0]) > MAP_ROWS * MAX_MAP_BYTES:
        raise Error(f"{path}: {name} is stored in chunks of {rows} rows, more than is read at once")
    return found
