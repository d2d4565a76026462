"""What the numbers of an attribution file must be, alone and to each other."""

from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rnnxai.archive.damage import Damage
from rnnxai.archive.format import DIMENSIONS, KEPT, MAP_ROWS, MAPS, ROUNDED_ERROR, Field
from rnnxai.archive.layout import Layout
from rnnxai.archive.reductions import columns, ranges

_ROWS = 512
"""Samples that are looked at together: a multiple of the rows of a chunk of maps."""
_Values = Mapping[str, npt.NDArray[Any]]
_FLOAT32 = 2.0**-24
"""How far rounding to float32 moves a number, relative to it."""
_TINY = 2.0**-149
"""And absolutely, below the normal range."""
_FLOAT64 = 1e-9
"""Room for sums in float64 that were taken in another order."""


class Numbers:
    """The arrays of an open attribution file and of what layout they are."""

    def __init__(self, file: h5py.File, layout: Layout) -> None:
        self.file = file
        self.layout = layout
        self.fields = (MAPS, *layout.fields)
        self._open: dict[str, h5py.Dataset] = {}

    def _array(self, name: str) -> h5py.Dataset:
        # Held open, so that the rows of a chunk are decompressed once.
        if name not in self._open:
            self._open[name] = self.file[name]
        return self._open[name]

    def structure(self) -> Iterator[Damage]:
        """Look at names, types and shapes."""
        names = {field.name for field in self.fields}
        known = names | set(self.layout.sizes)
        missing = sorted(known - set(self.file))
        surplus = sorted(set(self.file) - known)
        if missing:
            yield Damage("names", "", f"no array {', '.join(map(repr, missing))}")
        if surplus:
            yield Damage("names", "", f"{', '.join(map(repr, surplus))} do not belong to the format")
        for field in self.fields:
            if field.name in self.file:
                yield from self._shape(field)
        for name in self.layout.sizes:
            scale = self.file.get(name)
            if isinstance(scale, h5py.Dataset) and not scale.is_scale:
                yield Damage("shape", name, "no dimension scale")

    def _shape(self, field: Field) -> Iterator[Damage]:
        array, shape = self.file[field.name], self.layout.shape(field)
        if not isinstance(array, h5py.Dataset) or array.is_virtual:
            yield Damage("shape", field.name, "no array with values of its own")
        elif array.shape != shape or array.dtype != field.dtype:
            expected = f"{np.dtype(field.dtype)} {shape}"
            yield Damage("shape", field.name, f"{array.dtype} {array.shape}; it must be {expected}")
        else:
            attached = [[scale.name.strip("/") for scale in axis.values()] for axis in array.dims]
            if attached != [[name] for name in field.dims]:
                yield Damage("shape", field.name, f"dimensions {attached}; they must be {list(field.dims)}")

    def damage(self) -> Iterator[Damage]:
        """Look at all values, some rows at a time; the first of each kind and array is reported."""
        reported: set[tuple[str, str]] = set()
        for found in self._all():
            if (found.kind, found.where) not in reported:
                reported.add((found.kind, found.where))
                yield found

    def _all(self) -> Iterator[Damage]:
        seen = np.zeros(2**16, dtype=np.uint8)  # bits of the rows of the data set, grown as they come
        for name in self.layout.sizes:
            if (self._array(name)[...] != np.arange(self.layout.sizes[name])).any():
                yield Damage("range", name, f"not 0, 1, 2, ..., {DIMENSIONS[name]}")
        largest = 0.0
        for first in range(0, self.layout.samples, _ROWS):
            rows = slice(first, min(first + _ROWS, self.layout.samples))
            values = {field.name: self._array(field.name)[rows] for field in self.layout.fields}
            for name, column in values.items():
                yield from _refuse_infinite(name, column, first)
            yield from self._codes(values, first)
            seen, twice = _counted(seen, values["index"])
            if twice is not None:
                yield Damage("range", "index", f"row {twice} occurs twice; each row is one sample")
            yield from self._tables(values, first)
            for start in range(first, rows.stop, MAP_ROWS):
                part = slice(start, min(start + MAP_ROWS, rows.stop))
                here = slice(part.start - first, part.stop - first)
                yield from self._maps(part, {name: column[here] for name, column in values.items()})
            if self.layout.conserves:
                largest = max(largest, values["conservation_error"].max())
        recorded = self.file.attrs.get("conservation_max_error")
        if self.layout.conserves and recorded != largest:
            yield Damage("books", "conservation_max_error", f"is {recorded}; the largest is {largest}")

    def _codes(self, values: _Values, first: int) -> Iterator[Damage]:
        for name, below in (("map_stored", 2), ("label", self.layout.classes)):
            column = values[name]
            if column.max() >= below:
                row = int(column.argmax())
                yield Damage("range", name, f"{column[row]} of sample {first + row} is not below {below}")

    def _tables(self, values: _Values, first: int) -> Iterator[Damage]:
        """Compare the sums with each other."""
        total, positive = values["relevance_sum"], values["relevance_step_positive"].sum(1)
        size = 2 * positive - total  # the sum of magnitudes
        for name, whole in (("relevance_step", total), ("relevance_block", total)):
            for column, expected in ((name, whole), (f"{name}_positive", positive)):
                if column in values:
                    far = np.abs(values[column].sum(1) - expected) > _FLOAT64 * np.abs(size) + _TINY
                    if far.any():
                        sample = first + int(far.argmax())
                        yield Damage("sums", column, f"of sample {sample} do not add up to that of its map")
        if self.layout.conserves:
            start = values["starting_relevance"]
            kept = sum(values[field.name] for field in KEPT.values())
            scale = np.maximum(size, np.abs(start))
            error = values["conservation_error"]
            far = np.abs(error * scale - np.abs(total + kept - start)) > 2 * _FLOAT64 * scale + _TINY
            if far.any():
                sample = first + int(far.argmax())
                yield Damage("books", "conservation_error", f"of sample {sample} is not what its books give")

    def _maps(self, rows: slice, values: _Values) -> Iterator[Damage]:
        maps, kept = self._array(MAPS.name)[rows], values["map_stored"].astype(bool)
        if not np.isnan(maps[~kept]).all():
            yield Damage("not-finite", MAPS.name, "holds values where no map is kept; NaN would be right")
        maps, samples = maps[kept], np.arange(rows.start, rows.stop)[kept]
        finite = np.isfinite(maps)
        if not finite.all():
            bad = samples[np.argwhere(~finite)[0, 0]]
            yield Damage("not-finite", MAPS.name, f"of sample {bad} is not finite")
            return
        relative = float(self._array(MAPS.name).attrs.get(ROUNDED_ERROR, 0)) + 1.01 * _FLOAT32
        total, positive = columns(maps), columns(np.maximum(maps, 0))
        for name, parts in (("step", self.layout.steps), ("block", self.layout.blocks or 0)):
            if not parts:
                continue
            size = relative * ranges(2 * positive - total, parts) + maps[:1].size * _TINY
            for column, sums in ((f"relevance_{name}", total), (f"relevance_{name}_positive", positive)):
                far = np.abs(ranges(sums, parts) - values[column][kept]) > 1.01 * size
                if far.any():
                    sample = samples[int(far.any(axis=1).argmax())]
                    yield Damage("sums", column, f"of sample {sample} are not the sums of its map")


def _refuse_infinite(name: str, values: npt.NDArray[Any], first: int) -> Iterator[Damage]:
    finite = np.isfinite(values)
    if not finite.all():
        bad = first + np.argwhere(~finite)[0, 0]
        yield Damage("not-finite", name, f"of sample {bad} is not finite")


def _counted(
    seen: npt.NDArray[np.uint8], index: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.uint8], int | None]:
    """Note rows of the data set as bits, which need little memory; return one that was there before."""
    byte, bit = index >> 3, (1 << (index & 7)).astype(np.uint8)
    if byte.max() >= len(seen):
        seen = np.concatenate([seen, np.zeros(int(byte.max()) + 1 - len(seen), dtype=np.uint8)])
    values, counts = np.unique(index, return_counts=True)
    twice = values[counts > 1]
    again = index[(seen[byte] & bit) > 0]
    np.bitwise_or.at(seen, byte, bit)
    there = [*again, *twice]
    return seen, int(there[0]) if there else None
