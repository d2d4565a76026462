"""The shape of an attribution file, known before the first map is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from rnnxai.archive.format import FIELDS, Field
from rnnxai.errors import Error


@dataclass(frozen=True, eq=False)
class Layout:
    """Sizes of an attribution file, and which of its optional parts it has.

    Parameters
    ----------
    samples, channels, height, width : int
        Shape of all maps together, (samples, channels, height, width).
    steps : int
        Time steps T; each is an equal range of columns.
    classes : int
        Width of the logits.
    blocks : int, optional
        Items of a sequence, equal ranges of columns; None for data without blocks.
    maps : array of int, optional
        Sample rows whose full map is kept (:func:`stored_rows`); None keeps all.
    conserves : bool
        Whether the explainer promises that a map sums to the relevance it started from.

    Raises
    ------
    Error
        If a size is not positive, the columns do not divide, or `maps` names rows that do not exist.
    """

    samples: int
    channels: int
    height: int
    width: int
    steps: int
    classes: int
    blocks: int | None = None
    maps: npt.NDArray[np.int64] | None = None
    conserves: bool = False

    def __post_init__(self) -> None:
        for name in ("samples", "channels", "height", "width", "steps", "classes", "blocks"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise Error(f"layout: {name} is {size}; it must be at least 1")
        for name, parts in (("steps", self.steps), ("blocks", self.blocks)):
            if parts is not None and self.width % parts:
                raise Error(f"layout: {self.width} columns do not divide into {parts} equal {name}")
        if self.maps is not None and self.maps.size:
            rows = self.maps
            if rows.min() < 0 or rows.max() >= self.samples:
                raise Error(
                    f"layout: maps names rows {rows.min()}..{rows.max()}; rows are 0..{self.samples - 1}"
                )

    @property
    def sizes(self) -> Mapping[str, int]:
        """Length of each dimension of the file."""
        sizes = {
            "sample": self.samples,
            "channel": self.channels,
            "y": self.height,
            "x": self.width,
            "step": self.steps,
            "class": self.classes,
        }
        return sizes if self.blocks is None else sizes | {"block": self.blocks}

    @property
    def fields(self) -> tuple[Field, ...]:
        """The arrays that a file of this layout holds beside the maps."""
        return tuple(f for f in FIELDS if not f.only_with or getattr(self, f.only_with))

    @property
    def map_stored(self) -> npt.NDArray[np.uint8]:
        """One flag per sample: 1 where the full map is kept."""
        if self.maps is None:
            return np.ones(self.samples, dtype=np.uint8)
        stored = np.zeros(self.samples, dtype=np.uint8)
        stored[self.maps] = 1
        return stored

    def shape(self, field: Field) -> tuple[int, ...]:
        """Return the shape that an array must have."""
        return tuple(self.sizes[name] for name in field.dims)


def stored_rows(samples: int, maps: Literal["all"] | int, seed: int) -> npt.NDArray[np.int64]:
    """Choose the sample rows whose full map is kept.

    The first row is kept before all others, because it is what viewers open on; the rest is drawn. The rows
    depend on `samples` and `seed` alone, so every explainer and architecture keeps the same ones, and a
    larger number keeps the rows of a smaller one and adds to them.

    Parameters
    ----------
    samples : int
        Number of rows to choose from.
    maps : "all" or int
        How many to keep; a number larger than `samples` keeps all.
    seed : int
        Seed of the choice.

    Returns
    -------
    array of int, sorted

    Raises
    ------
    Error
        If `maps` is neither "all" nor a number from 0.
    """
    if maps == "all":
        return np.arange(samples, dtype=np.int64)
    if isinstance(maps, bool) or not isinstance(maps, int) or maps < 0:
        raise Error(f'maps is {maps!r}; it must be "all" or a whole number from 0')
    drawn = np.random.default_rng(seed).permutation(samples)
    order = np.concatenate([drawn[drawn == 0], drawn[drawn != 0]])
    return np.sort(order[:maps]).astype(np.int64)
