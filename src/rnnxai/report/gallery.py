"""The samples behind the scores: best, median, worst and undefined of every network and explainer."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnxai.archive.hdf5 import reading
from rnnxai.archive.read import AttributionArchive
from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.files import sha256
from rnnxai.report.matrix import Key
from rnnxai.report.pictures import grey_png, heatmap_png
from rnnxai.scoring.blocks import cosine

MARKED = {
    "best": "highest cosine",
    "median": "around the median cosine",
    "worst": "lowest cosine",
    "undefined": "no cosine: a map without positive relevance",
}
UNMARKED = {
    "highest": "highest score of the true class",
    "median": "around its median",
    "lowest": "lowest score of the true class",
}
"""Kinds of samples, by whether a data set has marks, and what they are chosen by."""
_STEP_SCALE = 1000  # relevance of steps is given in parts of the largest


class Samples:
    """A data set file of the study, opened and hashed once.

    Parameters
    ----------
    path : Path
        A data set file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dataset = Dataset.open(path)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return sha256(self.path)

    def entry(self, row: int) -> dict[str, Any]:
        """Return a sample as the script of the page takes it: class, marks of its blocks, picture."""
        marks = self.dataset.majority
        return {
            "label": int(self.dataset.labels[row]),
            "marks": [] if marks is None else marks[row].tolist(),
            "picture": in_base64(grey_png(self.dataset.sequences([row])[0, 0])),
        }


@dataclass(frozen=True)
class Shown:
    """One sample of one archive, as the page shows it.

    Attributes
    ----------
    kind : str
        A key of `MARKED` or `UNMARKED`.
    rank : int
        Its place among its kind, from 0.
    row : int
        Row of the data set file.
    about : dict
        What is written beside the map: ``p`` class predicted, ``v`` cosine or None, ``z`` score of the
        true class, ``m`` largest magnitude, ``s`` relevance of each time step in thousandths of the largest.
    png : bytes
        The heatmap.
    """

    kind: str
    rank: int
    row: int
    about: Mapping[str, Any]
    png: bytes

    @property
    def entry(self) -> dict[str, Any]:
        """The sample as the script of the page takes it."""
        return {"k": self.kind, "i": self.row, **self.about, "h": in_base64(self.png)}

    @property
    def weight(self) -> int:
        """Bytes that it takes on the page, with what parts it from the next."""
        return len(as_json(self.entry)) + 1


def as_json(value: Any) -> str:
    """Return a value as JSON that takes little room and may stand in HTML."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def read_samples(path: Path, of: Samples, samples: int) -> Iterator[Shown]:
    """Choose samples of an archive whose full map is kept, and read them.

    Parameters
    ----------
    path : Path
        An attribution file.
    of : Samples
        Its data set.
    samples : int
        How many of each kind.

    Yields
    ------
    Shown

    Raises
    ------
    Error
        If the archive is broken or was made from another data set file.
    """
    with AttributionArchive(path) as archive, reading(path):
        recorded = json.loads(archive.attributes["inputs_json"]).get("dataset")
        if recorded not in (None, of.digest):
            raise Error(f"{path}: made from another data set file than {of.path}; their hashes differ")
        index = archive["index"][:].astype(np.int64)
        score = archive["explained_score"][:]
        marks = of.dataset.majority
        values = score if marks is None else cosine(archive["relevance_block_positive"][:], marks[index])[0]
        kept = archive["map_stored"][:].astype(bool)
        predicted = archive["prediction"][:].argmax(axis=1)
        steps = archive["relevance_step"][:]
        for kind, places in choose(values, kept, samples, marked=marks is not None).items():
            for rank, place in enumerate(places):
                heatmap = archive.map(place).sum(axis=0, dtype=np.float64)
                about = {
                    "p": int(predicted[place]),
                    "v": None if marks is None or np.isnan(values[place]) else _short(values[place]),
                    "z": _short(score[place]),
                    "m": _short(np.abs(heatmap).max()),
                    "s": _in_parts(steps[place]),
                }
                yield Shown(kind, rank, int(index[place]), about, heatmap_png(heatmap))


def choose(
    values: npt.NDArray[np.float64], kept: npt.NDArray[np.bool_], samples: int, marked: bool
) -> dict[str, list[int]]:
    """Choose samples by a value, by rule and never by hand.

    The highest, the lowest and those around the median are chosen among the samples whose map is kept, in
    this order, none twice; equal values go by their place in the file. The first without a value stand for
    the undefined.

    Parameters
    ----------
    values : array (n,)
        Cosine, NaN where undefined; or what stands for it without marks.
    kept : bool array (n,)
        Whether the full map of a sample is kept.
    samples : int
        How many of each kind; fewer if there are not so many.
    marked : bool
        Decides the names of the kinds.

    Returns
    -------
    dict
        Kind to places in the file, the most typical first, in the order of `MARKED` or `UNMARKED`.
    """
    places = np.flatnonzero(kept & ~np.isnan(values))
    order = places[np.argsort(-values[places], kind="stable")]
    best = order[:samples]
    worst = order[len(best) :][::-1][:samples]
    between = order[len(best) : len(order) - len(worst)]
    # Both were cut off equally, so the middle of what is left is that of all.
    median = between[np.argsort(np.abs(np.arange(len(between)) - (len(between) - 1) / 2), kind="stable")]
    found = [best, median[:samples], worst]
    if marked:
        found.append(np.flatnonzero(kept & np.isnan(values))[:samples])
    return {
        kind: [int(place) for place in chosen]
        for kind, chosen in zip(MARKED if marked else UNMARKED, found, strict=True)
    }


def within(shown: Mapping[Key, list[Shown]], room: int, datasets: Mapping[str, Samples]) -> "Kept":
    """Keep what fits into some bytes, the first of each kind of every cell before the second of any.

    Parameters
    ----------
    shown : Mapping[Key, list of Shown]
        Samples of each cell; cells in the order in which they are served.
    room : int
        Bytes.
    datasets : Mapping[str, Samples]
        The data sets by name; each picture is counted, and kept, once.

    Returns
    -------
    Kept
        The same cells in the same order. A turn is kept as a whole cell or not at all, and the first one
        that does not fit is the last.
    """
    kept = Kept({cell: [] for cell in shown}, {})
    turns = 1 + max((sample.rank for samples in shown.values() for sample in samples), default=-1)
    for turn in range(turns):
        for cell, samples in shown.items():
            served = [sample for sample in samples if sample.rank == turn]
            new = {
                (cell.case.dataset, sample.row): datasets[cell.case.dataset].entry(sample.row)
                for sample in served
                if (cell.case.dataset, sample.row) not in kept.samples
            }
            room -= sum(sample.weight for sample in served)
            room -= sum(len(as_json({str(row): entry})) for (_, row), entry in new.items())
            if room < 0:
                return kept
            kept.cells[cell].extend(served)
            kept.samples.update(new)
    return kept


@dataclass(frozen=True)
class Kept:
    """What the page shows: maps by cell, and their samples by data set and row (:meth:`Samples.entry`)."""

    cells: dict[Key, list[Shown]]
    samples: dict[tuple[str, int], dict[str, Any]]

    @property
    def count(self) -> int:
        """Number of maps."""
        return sum(map(len, self.cells.values()))


def in_base64(content: bytes) -> str:
    """Return some bytes as base64."""
    return base64.b64encode(content).decode("ascii")


def _in_parts(steps: npt.NDArray[np.float64]) -> list[int]:
    largest = np.abs(steps).max()
    parts = np.round(steps / largest * _STEP_SCALE) if largest > 0 else np.zeros(len(steps))
    return [int(part) for part in parts]


def _short(value: float) -> float:
    """Round to four digits, which is more than a reader of a page wants."""
    return float(f"{value:.4g}")
