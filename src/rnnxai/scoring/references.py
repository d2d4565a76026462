"""What explanations score that look at nothing: the floor, and the ceiling, of every score.

A score between 0 and 1 says little by itself: a uniform map has a cosine of .82. Trivial maps of the very
samples of a data set go through the very functions that score archives, those from outside too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from rnnxai.archive.hdf5 import reading
from rnnxai.archive.layout import stored_rows
from rnnxai.archive.reductions import column_sums
from rnnxai.errors import Error
from rnnxai.files import write_text
from rnnxai.scoring.archives import Score, column, columns_of
from rnnxai.scoring.pictures import Pictures
from rnnxai.scoring.pixels import in_blocks
from rnnxai.scoring.reductions import MapBatch, Reductions

SAMPLES = 2000
"""Samples that are enough: the standard error of a level is below .01."""
_BATCH = 256

_Map = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.uint8]], npt.NDArray[np.float64]]


def _uniform(pictures: npt.NDArray[np.uint8], marks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return np.ones(pictures.shape)


def _ink(pictures: npt.NDArray[np.uint8], marks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return pictures / 255.0


def _one_block(pictures: npt.NDArray[np.uint8], marks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    first = np.eye(marks.shape[1], dtype=np.uint8)[marks.argmax(axis=1)]
    return np.ones(pictures.shape) * in_blocks(first, pictures.shape[2])


def _last_block(pictures: npt.NDArray[np.uint8], marks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    last = np.zeros_like(marks)
    last[:, -1] = 1
    return np.ones(pictures.shape) * in_blocks(last, pictures.shape[2])


def _majority_ink(pictures: npt.NDArray[np.uint8], marks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return _ink(pictures, marks) * in_blocks(marks, pictures.shape[2])


TRIVIAL: Mapping[str, _Map] = {
    "uniform": _uniform,
    "ink": _ink,
    "one correct block": _one_block,
    "last block": _last_block,
    "majority ink": _majority_ink,
}
"""Relevance spread evenly; as the picture; evenly on one majority block; on the last block, as of a network
that forgets; and as the picture of the majority blocks alone, which knows the answer."""


@dataclass(frozen=True, eq=False)
class _Trivial:
    """Maps of one kind, made when asked for."""

    kind: _Map
    pictures: Pictures
    rows: npt.NDArray[np.int64]
    marks: npt.NDArray[np.uint8]

    def __iter__(self) -> Iterator[MapBatch]:
        for first in range(0, len(self.rows), _BATCH):
            part = np.arange(first, min(first + _BATCH, len(self.rows)))
            seen = self.pictures.of(self.rows[part])
            yield MapBatch(part, self.kind(seen, self.marks[part])[:, None], seen)

    def reductions(self) -> Reductions:
        """Sum them up as an archive would, in as many steps as there are blocks."""
        sums = [column_sums(maps, self.marks.shape[1]) for _, maps, _ in self]
        block = np.concatenate(sums)
        total = block.sum(axis=1)
        return Reductions(self.marks, block, block, block, block, total, total, maps=self)


def reference_scores(
    dataset_path: str | Path, scores: Sequence[Score], samples: int = SAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Score trivial explanations of a data set with marks.

    Parameters
    ----------
    dataset_path : path
        The data set file.
    scores : sequence of Score
    samples : int
        At most so many, drawn at random from all samples.
    seed : int

    Returns
    -------
    DataFrame
        A row for each trivial explanation (:data:`TRIVIAL`): ``reference``, ``n``, and a column of means for
        each score.

    Raises
    ------
    Error
        If the file has no marks or no pictures, or a score fails.
    """
    with reading(dataset_path), h5py.File(dataset_path, "r", locking="best-effort") as file:
        if "majority" not in file:
            raise Error(f"{dataset_path} has no marks, so nothing can be scored on it")
        majority = file["majority"][:]
    rows = stored_rows(len(majority), samples, seed)
    pictures = Pictures(dataset_path)
    found = []
    for name, kind in TRIVIAL.items():
        columns = columns_of(scores, _Trivial(kind, pictures, rows, majority[rows]).reductions())
        means = {column(score.name): _mean(columns[column(score.name)]) for score in scores}
        found.append({"reference": name, "n": len(rows), **means})
    return pd.DataFrame(found)


def write_references(table: pd.DataFrame, path: str | Path) -> None:
    """Write :func:`reference_scores` as a CSV file."""
    write_text(path, table.to_csv(index=False, lineterminator="\n", float_format="%.10g"))


def read_references(path: str | Path) -> pd.DataFrame:
    """Read what :func:`write_references` wrote.

    Raises
    ------
    Error
        If the file is missing or something else.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise Error(f"{path}: not readable as a table ({error})") from error
    if list(table.columns[:2]) != ["reference", "n"]:
        raise Error(f"{path}: columns are {', '.join(table.columns)}; expected a table of reference levels")
    return table


def _mean(values: npt.NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else np.nan
