"""Read an attribution file lazily."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from rnnxai.archive.format import ATTRIBUTION, DIMENSIONS, EXPLANATION, MAP_ROWS, MAPS, PROVENANCE
from rnnxai.archive.hdf5 import expect_attributes, opening, reading
from rnnxai.archive.layout import Layout
from rnnxai.errors import Error


class AttributionArchive:
    """An open attribution file; a context manager.

    Opening reads the header only and refuses what is broken, foreign, unfinished or of another version;
    :func:`rnnxai.archive.check.check_complete` reads the rest. Arrays are h5py data sets, so a slice
    reads what it names: ``archive["prediction"][:100]``.

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
            self._file: h5py.File = stack.enter_context(opening(self.path, ATTRIBUTION))
            with reading(self.path):
                self.attributes: dict[str, Any] = dict(self._file.attrs)
                expect_attributes(self.attributes, (*PROVENANCE, *EXPLANATION), self.path)
                self.layout = self._read_layout()
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
        return self._file[name]

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
        with reading(self.path):
            if not self["map_stored"][sample]:
                raise Error(f"{self.path}: the full map of sample {sample} is not kept; see map_stored")
            return np.asarray(self[MAPS.name][sample])

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

    def _read_layout(self) -> Layout:
        sizes = {name: len(self._file[name]) for name in DIMENSIONS if name in self._file}
        missing = [name for name in DIMENSIONS if name not in sizes and name != "block"]
        if missing:
            raise Error(f"{self.path}: dimensions {', '.join(missing)} are missing")
        stored = self._file["map_stored"][:]
        return Layout(
            samples=sizes["sample"],
            channels=sizes["channel"],
            height=sizes["y"],
            width=sizes["x"],
            steps=sizes["step"],
            classes=sizes["class"],
            blocks=sizes.get("block"),
            maps=None if stored.all() else np.flatnonzero(stored),
            conserves=bool(self.attributes["conservation_expected"]),
        )
