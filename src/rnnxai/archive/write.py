"""Write an attribution file chunk by chunk, with the reductions that scores are made of."""

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from rnnxai.archive.chunks import write_rows
from rnnxai.archive.format import (
    ATTRIBUTION,
    EXPLANATION,
    FILTERS,
    KEPT,
    MAP_ROWS,
    MAPS,
    PROVENANCE,
    ROUNDED_BITS,
    ROUNDED_ERROR,
)
from rnnxai.archive.hdf5 import creating, describe, expect_attributes, write_array, write_scales
from rnnxai.archive.layout import Layout
from rnnxai.archive.reductions import columns, ranges
from rnnxai.archive.rounding import largest_error, rounded
from rnnxai.errors import Error


class AttributionWriter:
    """Streams heatmaps into one file, which appears when it is whole or not at all.

    Memory holds one chunk of 16 maps and a few numbers per sample. The bytes of the file do not depend
    on how many samples each :meth:`append` brings.

    Parameters
    ----------
    path : str or Path
        Where the finished file goes.
    layout : Layout
        Sizes and optional parts.
    provenance : Mapping
        Root attributes, from :func:`rnnxai.archive.provenance.provenance` and
        :func:`rnnxai.archive.provenance.explanation`.
    keep_bits : int, optional
        Round the maps to so many bits of the mantissa (:func:`rnnxai.archive.rounding.rounded`) before they
        are stored; None stores float32 as it is. All sums are taken before.

    Raises
    ------
    Error
        If an attribute is missing or `keep_bits` out of range; on leaving the block, if samples are missing.

    Examples
    --------
    >>> with AttributionWriter(path, layout, provenance) as writer:  # doctest: +SKIP
    ...     for batch in batches:
    ...         writer.append(relevance=..., prediction=..., label=..., index=..., explained_score=...)
    """

    def __init__(
        self,
        path: str | Path,
        layout: Layout,
        provenance: Mapping[str, Any],
        keep_bits: int | None = None,
    ) -> None:
        expect_attributes(provenance, (*PROVENANCE, *EXPLANATION), path)
        if keep_bits is not None:
            largest_error(keep_bits)  # refuses what is out of range
        self.path = Path(path)
        self.layout = layout
        self._provenance = provenance
        self._keep_bits = keep_bits
        self._arrays = {f.name: np.empty(layout.shape(f), dtype=f.dtype) for f in layout.fields}
        self._arrays["map_stored"][:] = layout.map_stored
        self._kept = layout.map_stored.astype(bool)
        self._chunk = np.empty((MAP_ROWS, *layout.shape(MAPS)[1:]), dtype=MAPS.dtype)
        self._hash = hashlib.sha256()
        self._known: dict[str, str] = {}
        self._rows = 0

    def __enter__(self) -> Self:
        layout = self.layout
        attributes = {
            "NX_class": "NXdata",
            "signal": MAPS.name,
            "axes": list(MAPS.dims),
            "title": "{dataset}, {architecture}, T={T}, fold {fold}, {explainer}".format(**self._provenance),
            **self._provenance,
            "conservation_expected": np.uint8(layout.conserves),
        }
        with ExitStack() as stack:
            self._file = stack.enter_context(creating(self.path, ATTRIBUTION, attributes, self._known))
            self._known |= write_scales(self._file, layout.sizes)
            shape = layout.shape(MAPS)
            chunks = (min(MAP_ROWS, layout.samples), *shape[1:])
            self._maps = self._file.create_dataset(
                MAPS.name, shape, MAPS.dtype, chunks=chunks, fillvalue=np.float32(np.nan), **FILTERS
            )
            describe(self._maps, MAPS)
            self._maps.attrs["interpretation"] = "image"
            if self._keep_bits is not None:
                self._maps.attrs[ROUNDED_BITS] = np.int32(self._keep_bits)
                self._maps.attrs[ROUNDED_ERROR] = largest_error(self._keep_bits)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if error is not None:
                raise error  # from inside the stack, which then removes the unfinished file
            self._finish()

    def append(
        self,
        *,
        relevance: npt.ArrayLike,
        prediction: npt.ArrayLike,
        label: npt.ArrayLike,
        index: npt.ArrayLike,
        explained_score: npt.ArrayLike,
        start: npt.ArrayLike | None = None,
        kept: Mapping[str, npt.ArrayLike] | None = None,
    ) -> None:
        r"""Add the next samples.

        Parameters
        ----------
        relevance : array (n, channels, height, width)
            Maps of any float type; sums are taken in float64 before the map is stored as float32.
        prediction : array (n, classes)
            Logits.
        label : array (n,)
            Class that was explained.
        index : array (n,)
            Row of each sample in the data set file.
        explained_score : array (n,)
            Logit of the explained class, :math:`z^*`.
        start : array (n,), optional
            Relevance that propagation started from, :math:`R_0`; given exactly when the layout
            conserves. The conservation error is
            :math:`|\sum R + K - R_0| / \max(\sum |R|, |R_0|)`, and 0 where both are 0, with K all that was
            kept on the way.
        kept : Mapping of str to array (n,), optional
            What was kept on the way, by the names in :data:`rnnxai.archive.format.KEPT`. What is absent
            is 0.

        Raises
        ------
        Error
            If a shape does not fit, a number is not finite or out of range, or there are too many rows.
        """
        maps = np.asarray(relevance)
        layout = self.layout
        expected = layout.shape(MAPS)[1:]
        if maps.ndim != 4 or maps.shape[1:] != expected:
            raise Error(f"relevance has shape {maps.shape}; it must be (n, {', '.join(map(str, expected))})")
        rows = slice(self._rows, self._rows + len(maps))
        if rows.stop > layout.samples:
            raise Error(f"{self.path.name}: {rows.stop} rows given; the layout has {layout.samples}")
        if (start is None) == layout.conserves:
            raise Error(
                f"start is {'missing' if start is None else 'given'}, but conserves={layout.conserves}"
            )
        stored = _float32(maps, rows)
        self._put("prediction", rows, prediction)
        self._put("label", rows, label, below=layout.classes)
        self._put("index", rows, index, below=2**32)
        self._put("explained_score", rows, explained_score)
        self._reduce(maps, rows, start, kept or {})
        self._store(stored, rows)
        self._rows = rows.stop

    def _put(self, name: str, rows: slice, values: npt.ArrayLike, below: int | None = None) -> None:
        target = self._arrays[name][rows]
        given = np.asarray(values)
        if given.shape != target.shape:
            raise Error(f"{name} has shape {given.shape}; for these rows it must be {target.shape}")
        if below is not None:
            if given.dtype.kind not in "iu":
                raise Error(f"{name} has type {given.dtype}; it must be whole numbers")
            if given.size and (given.min() < 0 or given.max() >= below):
                raise Error(f"{name} spans {given.min()}..{given.max()}; it must lie in 0..{below - 1}")
        with np.errstate(over="ignore"):
            target[...] = given
        _refuse_infinite(name, target, rows)

    def _reduce(
        self,
        maps: npt.NDArray[Any],
        rows: slice,
        start: npt.ArrayLike | None,
        kept: Mapping[str, npt.ArrayLike],
    ) -> None:
        layout, sums, positive = self.layout, columns(maps), columns(np.maximum(maps, 0))
        total = ranges(sums, 1)[:, 0]
        self._put("relevance_sum", rows, total)
        self._put("relevance_step", rows, ranges(sums, layout.steps))
        self._put("relevance_step_positive", rows, ranges(positive, layout.steps))
        if layout.blocks is not None:
            self._put("relevance_block", rows, ranges(sums, layout.blocks))
            self._put("relevance_block_positive", rows, ranges(positive, layout.blocks))
        if start is not None:
            begun = np.asarray(start, dtype=np.float64)
            if begun.shape != total.shape:
                raise Error(f"start has shape {begun.shape}; for these rows it must be {total.shape}")
            self._put("starting_relevance", rows, begun)
            found = total
            for column, field in KEPT.items():
                self._put(field.name, rows, kept.get(column, np.zeros_like(begun)))
                found = found + self._arrays[field.name][rows]
            scale = np.maximum(2 * ranges(positive, 1)[:, 0] - total, np.abs(begun))
            self._put("conservation_error", rows, np.abs(found - begun) / np.where(scale > 0, scale, 1))

    def _store(self, maps: npt.NDArray[np.float32], rows: slice) -> None:
        # Whole chunks only, so that each is compressed once whatever its size and that of the batches,
        # and a chunk without a kept map is never made.
        if self._keep_bits is not None:
            maps = rounded(maps, self._keep_bits)
        for first in range(rows.start - rows.start % MAP_ROWS, rows.stop, MAP_ROWS):
            end = min(first + MAP_ROWS, self.layout.samples)
            here = slice(max(first, rows.start), min(end, rows.stop))
            self._chunk[here.start - first : here.stop - first] = maps[
                here.start - rows.start : here.stop - rows.start
            ]
            if here.stop == end:
                chunk, kept = self._chunk[: end - first], self._kept[first:end]
                chunk[~kept] = np.nan
                self._hash.update(chunk.data)
                if kept.any():
                    write_rows(self._maps, first, chunk)

    def _finish(self) -> None:
        layout = self.layout
        if self._rows != layout.samples:
            raise Error(f"{self.path.name}: {self._rows} rows were written; the layout has {layout.samples}")
        index = self._arrays["index"]
        if len(np.unique(index)) != len(index):
            values, counts = np.unique(index, return_counts=True)
            raise Error(
                f"{self.path.name}: index {values[counts > 1][0]} occurs twice; each row is one sample"
            )
        for field in layout.fields:
            self._known[field.name] = write_array(self._file, field, self._arrays[field.name])
        self._known[MAPS.name] = self._hash.hexdigest()
        if layout.conserves:
            self._file.attrs["conservation_max_error"] = self._arrays["conservation_error"].max()


def _float32(maps: npt.NDArray[Any], rows: slice) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        stored = maps.astype(np.float32, copy=False)
    _refuse_infinite("relevance", stored, rows)
    return stored


def _refuse_infinite(name: str, values: npt.NDArray[Any], rows: slice) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        bad = np.argwhere(~finite)
        raise Error(f"{name} of row {rows.start + int(bad[0, 0])} is not finite in {values.dtype}")
