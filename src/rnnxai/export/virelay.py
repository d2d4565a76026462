"""Archives for ViRelAy, a viewer of data sets of heatmaps, as views of a few KB.

ViRelAy wants three channels, square pictures, and an analysis to begin with. The views are virtual arrays
(:func:`rnnxai.archive.hdf5.write_virtual`) that place each heatmap in the first channel of a square frame and
leave the rest at 0, so that its sum over channels, which is what ViRelAy draws, is the heatmap. Inputs are
stored once and seen three times.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import yaml

from rnnxai.archive.format import FILTERS, MAP_ROWS, MAPS
from rnnxai.archive.hdf5 import Part, write_virtual
from rnnxai.archive.join import VIRTUAL
from rnnxai.archive.read import AttributionArchive
from rnnxai.archive.verify import refuse_damaged
from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.export.analysis import points
from rnnxai.files import replacing, sha256, write_text

METHOD = "relevance"
"""Name of the analysis. ViRelAy does not find one that has a dash in it."""
_CHANNELS = 3
_FILTERS_IT_HAS = (None, "gzip", "lzf")


@dataclass(frozen=True, eq=False)
class _Archive:
    """What is known of one archive before anything is written."""

    path: Path
    project: tuple[str, str, int, str]
    fold: str
    index: npt.NDArray[np.int64]
    """Rows of the data set whose maps are kept, in the order of the archive."""
    rows: npt.NDArray[np.int64]
    """Their rows in the archive."""
    numbers: dict[str, npt.NDArray[Any]]
    shape: tuple[int, ...]
    title: str


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes
    ----------
    projects : list of Path
        Files that ViRelAy is started with.
    samples : int
        Samples that can be looked at: those with a full map in any archive.
    empty : int
        Heatmaps that are 0 everywhere, which ViRelAy draws black in any of its colours.
    """

    projects: list[Path]
    samples: int
    empty: int


def export_virelay(archives: Sequence[str | Path], dataset_path: str | Path, folder: str | Path) -> Export:
    """Write a folder that ViRelAy opens: a project for each architecture, T and explainer.

    Parameters
    ----------
    archives : sequence of path
        Attribution files of one data set; folds become sources of one project. They stay where they are.
    dataset_path : str or Path
        The data set file that they were made from.
    folder : str or Path
        Where the files go.

    Returns
    -------
    Export

    Raises
    ------
    Error
        If an archive is damaged, belongs to another data set, keeps no map, or is stored in a way that
        ViRelAy cannot read.
    """
    folder = Path(folder)
    dataset, digest = Dataset.open(dataset_path), sha256(dataset_path)
    found = [_read(Path(path), dataset, dataset_path, digest) for path in archives]
    if not found:
        raise Error("no archive was given; at least one is needed")
    rows = np.unique(np.concatenate([archive.index for archive in found]))
    _write_inputs(folder / "input.h5", dataset, rows)
    labels = [
        {"index": number, "word_net_id": _category(number), "name": name}
        for number, name in enumerate(dataset.classes)
    ]
    write_text(folder / "label-map.json", json.dumps(labels, indent=2) + "\n")
    projects = defaultdict(list)
    for archive in found:
        projects[archive.project].append(archive)
    written = [_write_project(folder, members, dataset, rows) for members in projects.values()]
    empty = sum(int((~archive.numbers["step_size"].any(axis=1)).sum()) for archive in found)
    return Export(written, len(rows), empty)


def _read(path: Path, dataset: Dataset, dataset_path: str | Path, digest: str) -> _Archive:
    refuse_damaged(path)
    with AttributionArchive(path) as archive:
        if json.loads(archive.attributes["inputs_json"]).get("dataset") != digest:
            raise Error(f"{path} was not made from the data set file {dataset_path}; their hashes differ")
        maps = archive[MAPS.name]
        if maps.compression not in _FILTERS_IT_HAS:
            raise Error(
                f"{path}: compressed with {maps.compression}, which ViRelAy cannot read; repack it with gzip"
            )
        if archive.layout.channels not in (1, _CHANNELS):
            raise Error(
                f"{path}: maps have {archive.layout.channels} channels; ViRelAy shows 1 or {_CHANNELS}"
            )
        rows = np.flatnonzero(archive["map_stored"][:])
        if not len(rows):
            raise Error(f"{path}: no map is kept; archive.maps in the configuration says how many are")
        blocks = (
            archive["relevance_block_positive"][:][rows] if "relevance_block_positive" in archive else None
        )
        positive = archive["relevance_step_positive"][:][rows]
        step = archive["relevance_step"][:][rows]
        numbers = {
            "label": archive["label"][:][rows],
            "prediction": archive["prediction"][:][rows],
            "step": step,
            "step_size": np.abs(positive) + np.abs(step),
        }
        if blocks is not None:
            numbers["block_positive"] = blocks
        return _Archive(
            path=path,
            project=(archive.dataset, archive.architecture, archive.steps, archive.explainer),
            fold=archive.fold,
            index=archive["index"][:].astype(np.int64)[rows],
            rows=rows,
            numbers=numbers,
            shape=maps.shape,
            title=str(archive.attributes["title"]),
        )


def _frame(height: int, width: int) -> tuple[int, int, int]:
    """Return the side of the square that a picture stands in, and its place there."""
    side = max(height, width)
    return side, (side - height) // 2, (side - width) // 2


def _write_inputs(path: Path, dataset: Dataset, rows: npt.NDArray[np.int64]) -> None:
    height, width = dataset.image_size
    side, top, left = _frame(height, width)
    with _creating(path) as file:
        chunks = (min(MAP_ROWS, len(rows)), 1, height, width)
        picture = file.create_dataset(
            "picture", (len(rows), 1, height, width), "u1", chunks=chunks, **FILTERS
        )
        for first in range(0, len(rows), 16 * MAP_ROWS):
            part = rows[first : first + 16 * MAP_ROWS]
            picture[first : first + len(part)] = dataset.sequences(part)
        parts = [
            Part((0, channel, top, left), picture.shape, ".", "picture", picture.shape)
            for channel in range(_CHANNELS)
        ]
        write_virtual(file, "data", (len(rows), _CHANNELS, side, side), "u1", parts)
        _add(file, "label", dataset.labels[rows].astype(np.uint16))
        _add(file, "row", rows.astype(np.uint32))


def _write_project(
    folder: Path, members: Sequence[_Archive], dataset: Dataset, rows: npt.NDArray[np.int64]
) -> Path:
    name, architecture, steps, explainer = members[0].project
    key = "-".join(each.replace("-", "_") for each in (name, architecture, f"t{steps}", explainer))
    sources = []
    for archive in members:
        sources.append(f"{key}-f{archive.fold}.attribution.h5")
        if sources[-1] in sources[:-1]:
            raise Error(f"{archive.path}: there are two archives of {archive.title}")
        _write_view(folder / sources[-1], archive, rows)
    _write_analysis(folder / f"{key}.analysis.h5", members, dataset, rows)
    side = max(dataset.image_size)
    project = {
        "name": f"{name}, {architecture}, T={steps}, {explainer}",
        "model": architecture,
        "label_map": "label-map.json",
        "dataset": {
            "name": name,
            "type": "hdf5",
            "path": "input.h5",
            "input_width": side,
            "input_height": side,
            "down_sampling_method": "none",
            "up_sampling_method": "none",
        },
        "attributions": {
            "attribution_method": explainer,
            "attribution_strategy": "true_label",
            "sources": sources,
        },
        "analyses": [{"analysis_method": METHOD, "sources": [f"{key}.analysis.h5"]}],
    }
    path = folder / f"{key}.yaml"
    write_text(path, yaml.safe_dump({"project": project}, sort_keys=False))
    return path


def _write_view(path: Path, archive: _Archive, rows: npt.NDArray[np.int64]) -> None:
    _, channels, height, width = archive.shape
    side, top, left = _frame(height, width)
    source = Path(os.path.relpath(archive.path.absolute(), path.parent.absolute())).as_posix()
    parts = [
        Part(
            (first, 0, top, left),
            (count, channels, height, width),
            source,
            MAPS.name,
            archive.shape,
            (start, 0, 0, 0),
        )
        for first, start, count in _runs(archive.rows)
    ]
    with _creating(path) as file:
        count = len(archive.rows)
        write_virtual(file, "attribution", (count, _CHANNELS, side, side), "f4", parts)
        _add(file, "prediction", archive.numbers["prediction"])
        _add(file, "label", archive.numbers["label"])
        _add(file, "index", np.searchsorted(rows, archive.index).astype(np.uint32))


def _runs(rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Yield runs of rows that follow each other: their place, the first of them, and how many."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    for run in np.split(np.arange(len(rows)), breaks):
        yield int(run[0]), int(rows[run[0]]), len(run)


def _write_analysis(
    path: Path, members: Sequence[_Archive], dataset: Dataset, rows: npt.NDArray[np.int64]
) -> None:
    index, first = np.unique(np.concatenate([archive.index for archive in members]), return_index=True)
    numbers = {
        name: np.concatenate([archive.numbers[name] for archive in members])[first]
        for name in members[0].numbers
    }
    labels = dataset.labels[index]
    found = points(
        numbers["step"],
        numbers.get("block_positive"),
        numbers["prediction"].argmax(axis=1) == labels,
        None if dataset.majority is None else dataset.majority[index],
    )
    with _creating(path) as file:
        for label in np.unique(labels):
            group, here = file.create_group(_category(label)), labels == label
            _add(group, "index", np.searchsorted(rows, index[here]).astype(np.uint32))
            for name, places in found.embeddings.items():
                _add(group, f"embedding/{name}", places[here])
            for name, clusters in found.clusterings.items():
                _add(group, f"cluster/{name}", clusters[here])


def _category(label: int) -> str:
    return f"class-{label}"


def _add(parent: h5py.Group, name: str, values: npt.NDArray[Any]) -> None:
    parent.create_dataset(name, data=values)


@contextmanager
def _creating(path: Path) -> Iterator[h5py.File]:
    with replacing(path) as temporary, h5py.File(temporary, "w", libver=VIRTUAL) as file:
        yield file
