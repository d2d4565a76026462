"""Several attribution files of the same samples, side by side."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from rnnxai.archive.read import AttributionArchive
from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.figures.cells import Cell, read_cells
from rnnxai.files import sha256
from rnnxai.scoring.blocks import cosine


@dataclass(frozen=True, eq=False)
class Explained:
    """What several archives know about the samples that have a full map in all of them.

    Attributes
    ----------
    title : str
        Data set, T and fold that they share.
    paths : dict
        Archive of each cell, in the order of figures.
    numbers : dict
        Of each cell a table with the same index, the rows of the data set: ``place`` (row of the
        archive), ``predicted``, ``relevance_sum`` and ``cosine`` (NaN without marks).
    """

    title: str
    paths: Mapping[Cell, Path]
    numbers: Mapping[Cell, pd.DataFrame]

    @classmethod
    def read(
        cls, dataset_path: str | Path, dataset: Dataset, archives: Mapping[Cell, str | Path]
    ) -> "Explained":
        """Read all but the maps.

        Raises
        ------
        Error
            If there is no archive, they do not belong together or to the data set, or no sample has a
            full map in all of them.
        """
        digest = sha256(dataset_path)

        def read(archive: AttributionArchive) -> pd.DataFrame:
            _check(archive, dataset, dataset_path, digest)
            return _numbers(archive, dataset)

        title, numbers = read_cells(archives, read)
        kept = [table.index[table["stored"]] for table in numbers.values()]
        common = kept[0]
        for rows in kept[1:]:
            common = common.intersection(rows)
        if common.empty:
            raise Error(f"no sample has a full map in all {len(numbers)} archives of {title}")
        paths = {cell: Path(archives[cell]) for cell in numbers}
        return cls(title, paths, {cell: table.loc[common] for cell, table in numbers.items()})

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Rows (m,) of the data set that can be shown."""
        return next(iter(self.numbers.values())).index.to_numpy(dtype=np.int64)

    def wrong(self, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Count, for each row (m,), the architectures that predict another class than its label."""
        by_architecture = {architecture: table for (architecture, _), table in self.numbers.items()}
        wrong = [table["predicted"].to_numpy() != labels[self.rows] for table in by_architecture.values()]
        return np.asarray(np.sum(wrong, axis=0), dtype=np.int64)

    def maps(self, cell: Cell, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Read the maps (len(rows), height, width) of a cell, colour channels summed."""
        places = self.numbers[cell].loc[rows, "place"]
        with AttributionArchive(self.paths[cell]) as archive:
            return np.stack([archive.map(int(place)).sum(axis=0, dtype=np.float64) for place in places])


def _check(archive: AttributionArchive, dataset: Dataset, dataset_path: str | Path, digest: str) -> None:
    recorded = json.loads(archive.attributes["inputs_json"]).get("dataset")
    size = (archive.layout.height, archive.layout.width)
    if recorded not in (None, digest) or size != dataset.image_size:
        raise Error(f"{archive.path} was not made from the data set file {dataset_path}")
    if dataset.majority is not None and archive.layout.blocks != dataset.majority.shape[1]:
        raise Error(
            f"{archive.path}: blocks are {archive.layout.blocks}; "
            f"{dataset_path} marks {dataset.majority.shape[1]} blocks"
        )


def _numbers(archive: AttributionArchive, dataset: Dataset) -> pd.DataFrame:
    index = archive["index"][:].astype(np.int64)
    if index.max() >= len(dataset):
        raise Error(f"{archive.path}: index reaches {index.max()}; the data set has {len(dataset)} rows")
    marks = dataset.majority
    scores = np.nan if marks is None else cosine(archive["relevance_block_positive"][:], marks[index])[0]
    return pd.DataFrame(
        {
            "place": np.arange(len(index)),
            "stored": archive["map_stored"][:].astype(bool),
            "predicted": archive["prediction"][:].argmax(axis=1),
            "relevance_sum": archive["relevance_sum"][:],
            "cosine": scores,
        },
        index=index,
    )
