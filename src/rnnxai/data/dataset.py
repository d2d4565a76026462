"""Data sets: samples with their targets, marks and splits, built once and read by every later stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnnxai.data import dataset_file
from rnnxai.data.definition import DatasetDefinition
from rnnxai.data.majority import join_blocks
from rnnxai.data.samples import Samples, make_samples
from rnnxai.data.source import Source, load_source
from rnnxai.data.splits import PARTITIONS
from rnnxai.errors import Error

Fold = int | Literal["quality"]
Subset = Literal["train", "test", "val"]


def build_dataset(
    definition: DatasetDefinition,
    path: str | Path,
    root: str | Path | None = None,
    download: bool = False,
    mirrors: Sequence[str] = (),
) -> None:
    """Make a data set and write it to a file; see :mod:`rnnxai.data.dataset_file`.

    Parameters
    ----------
    definition : DatasetDefinition
        What the data set is made of.
    path : str or Path
        The HDF5 file to write.
    root, download, mirrors
        Where the images are; see :func:`rnnxai.data.source.load_source`.

    Raises
    ------
    Error
        If the images cannot be had, or are too few for the definition.
    """
    source = load_source(definition.source, root, download, mirrors)
    dataset_file.write(path, definition, source, make_samples(definition, source))


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples and what is known about them, in memory.

    Examples
    --------
    >>> dataset = Dataset.open("digits-maj.h5")  # doctest: +SKIP
    >>> rows = dataset.rows(0, "test")  # doctest: +SKIP
    >>> pictures, targets = dataset.sequences(rows), dataset.labels[rows]  # doctest: +SKIP
    """

    definition: DatasetDefinition
    source: Source
    samples: Samples

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Read a data set file.

        Raises
        ------
        Error
            If the file is missing, damaged, or something else than a data set.
        """
        return cls(*dataset_file.read(path))

    def __len__(self) -> int:
        return len(self.samples.labels)

    def __repr__(self) -> str:
        return f"Dataset({self.definition}, {len(self)} samples of {len(self.images)} images)"

    @property
    def labels(self) -> NDArray[np.int64]:
        """Target classes, (n,)."""
        return self.samples.labels.astype(np.int64)

    @property
    def majority(self) -> NDArray[np.uint8] | None:
        """Marks (n, blocks), 1 where the block belongs to the majority class; None without blocks."""
        return self.samples.majority

    @property
    def fold(self) -> NDArray[np.int8]:
        """The fold whose test set holds the sample, (n,)."""
        return self.samples.fold

    @property
    def partition(self) -> NDArray[np.int8]:
        """Part of the quality split (n,): a position in :data:`rnnxai.data.splits.PARTITIONS`."""
        return self.samples.partition

    @property
    def source_index(self) -> NDArray[np.int64]:
        """Which of the images stands in which block, (n, blocks)."""
        return self.samples.source_index

    @property
    def images(self) -> NDArray[np.uint8]:
        """The single images that the samples are made of, (N, 28, 28)."""
        return self.source.images

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of a sample in pixels."""
        return self.definition.image_size

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names."""
        return self.source.classes

    def rows(self, fold: Fold, subset: Subset) -> NDArray[np.int64]:
        """Return the rows of the samples that play a part in a split.

        Parameters
        ----------
        fold : int or "quality"
            A fold of the cross-validation, or the fixed split of the quality models.
        subset : {"train", "test", "val"}
            Of a fold, ``train`` is all other folds, and ``val`` is the same as ``test``, as in the
            thesis: no choice is made by it.

        Returns
        -------
        int64 array
            Row numbers, ascending.

        Raises
        ------
        Error
            If there is no such fold or subset.
        """
        if subset not in PARTITIONS:
            raise Error(f"subset is {subset!r}; it must be one of {', '.join(PARTITIONS)}")
        if fold == "quality":
            return np.flatnonzero(self.partition == PARTITIONS.index(subset))
        known = range(self.definition.folds)
        if isinstance(fold, str | bool) or fold not in known:
            allowed = ", ".join(map(str, known))
            raise Error(f"there is no fold {fold!r}; this data set has {allowed} and 'quality'")
        held_out = self.fold == fold
        return np.flatnonzero(~held_out if subset == "train" else held_out)

    def sequences(self, rows: ArrayLike) -> NDArray[np.uint8]:
        """Put the pictures of some samples together.

        Parameters
        ----------
        rows : array_like of int (n,)
            Row numbers, in any order (a mask is refused).

        Returns
        -------
        uint8 array (n, 1, H, W)
            Grey values; ``2 * v / 255 - 1`` is the models' input.

        Raises
        ------
        Error
            If a row number is out of range.
        """
        rows = np.asarray(rows)
        if rows.size == 0:
            rows = np.empty(0, np.int64)  # an empty list has no type that tells it from a mask
        whole = rows.ndim == 1 and rows.dtype.kind in "iu"
        if not whole or (len(rows) and not 0 <= rows.min() <= rows.max() < len(self)):
            raise Error(f"rows {rows} are not a list of row numbers from 0 to {len(self) - 1}")
        return join_blocks(self.images, self.source_index[rows])
