"""A grid of heatmaps: the same samples explained by every architecture and explainer.

Figs. 2.14, 3.4, 3.5, 3.11, 3.17, 3.19 and 3.20 of the thesis, with samples chosen by rule.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from rnnxai.data.dataset import Dataset
from rnnxai.data.thesis import thesis_shows
from rnnxai.errors import Error
from rnnxai.figures import style
from rnnxai.figures.cells import Cell
from rnnxai.figures.choice import EXTREMES, Chosen, by_rule, of_thesis
from rnnxai.figures.explained import Explained
from rnnxai.figures.grid import Grid

_ROUNDING = 1e-6
"""Relevance below zero by less than this share of a map's largest is no sign."""


@style.styled()
def draw(
    dataset_path: str | Path,
    archives: Mapping[Cell, str | Path],
    samples: int = 6,
    choice: Literal["rule", "thesis"] = "rule",
    positive: bool = False,
) -> tuple[Figure, pd.DataFrame]:
    """Draw some samples and, below each, their maps by architecture and explainer.

    Samples are chosen by rule or are those of the thesis (:mod:`rnnxai.figures.choice`), never by hand. Each
    map is scaled by its own largest magnitude: from blue (negative) over white (zero) to red (positive) for
    an explainer that gives signs, from white to red for one that does not. Majority blocks are framed and
    the cosine of each map stands under it; a prediction other than the label is named beside its
    architecture.

    Parameters
    ----------
    dataset_path : str or Path
        The data set file.
    archives : Mapping[(str, str), path]
        Attribution files by architecture and explainer, of one data set, number of steps and fold.
    samples : int
        How many columns; fewer if not so many samples have a map in every archive.
    choice : {"rule", "thesis"}
        How samples are chosen. Where the thesis shows none, of other data sets than its own and of folds,
        it is by rule.
    positive : bool
        Draw only the positive part, of the explainers that give signs (of all, if none does).

    Returns
    -------
    Figure
    DataFrame
        A row per map: ``architecture``, ``explainer``, ``column``, ``sample`` (row of the data set file),
        ``choice`` (why it is shown), ``label`` (class name), ``majority`` (marks from left to right),
        ``predicted``, ``cosine``, ``relevance_sum`` and ``scale``, the magnitude drawn in full colour. The
        pixels are in the archives.

    Raises
    ------
    Error
        If there is no archive, they do not belong together or to the data set, no sample has a map in
        all of them, `samples` is not positive, or the grid would be too large for a picture.
    """
    if samples < 1:
        raise Error(f"samples is {samples}; a grid needs at least one")
    dataset = Dataset.open(dataset_path)
    explained = Explained.read(dataset_path, dataset, archives)
    if choice == "thesis" and not _of_thesis(dataset, explained):
        choice = "rule"
    chosen = _choose(dataset, explained, samples, choice)
    rows = np.array([each.row for each in chosen], dtype=np.int64)
    maps = {cell: explained.maps(cell, rows) for cell in explained.paths}
    signed = {explainer: _signed(maps, explainer) for _, explainer in maps}
    if positive:
        signs = [explainer for explainer, has in signed.items() if has] or list(signed)
        maps = {cell: np.maximum(array, 0) for cell, array in maps.items() if cell[1] in signs}
        signed = dict.fromkeys(signs, False)
    table = pd.concat(
        [_table(cell, dataset, explained.numbers[cell].loc[rows], maps[cell], chosen) for cell in maps],
        ignore_index=True,
    )
    remark = _remark(choice, samples, chosen, positive)
    return _draw(dataset, explained, maps, signed, table, remark), table


def draw_positive(
    dataset_path: str | Path,
    archives: Mapping[Cell, str | Path],
    samples: int = 6,
    choice: Literal["rule", "thesis"] = "rule",
) -> tuple[Figure, pd.DataFrame]:
    """Draw the positive part of the maps alone (Fig. 3.20), as :func:`draw` does the maps."""
    return draw(dataset_path, archives, samples, choice, positive=True)


def _of_thesis(dataset: Dataset, explained: Explained) -> bool:
    """Return whether what is explained is the fixed split of a data set of the thesis."""
    return thesis_shows(dataset.definition) and bool(
        np.isin(explained.rows, dataset.rows("quality", "test")).all()
    )


def _choose(
    dataset: Dataset, explained: Explained, samples: int, choice: Literal["rule", "thesis"]
) -> list[Chosen]:
    rows = explained.rows
    if choice == "thesis":
        return of_thesis(rows, dataset)[:samples]
    cosines = np.stack([table["cosine"].to_numpy(dtype=float) for table in explained.numbers.values()])
    known = ~np.isnan(cosines).any(axis=0)  # a map without relevance has none to rank by
    means = np.where(known, np.where(known, cosines, 0).mean(axis=0), np.nan)
    return by_rule(rows, dataset.labels[rows], explained.wrong(dataset.labels), means, samples)


def _table(
    cell: Cell,
    dataset: Dataset,
    numbers: pd.DataFrame,
    maps: npt.NDArray[np.float64],
    chosen: Sequence[Chosen],
) -> pd.DataFrame:
    rows, names, marks = numbers.index.to_numpy(), np.array(dataset.classes), dataset.majority
    return pd.DataFrame(
        {
            "architecture": cell[0],
            "explainer": cell[1],
            "column": range(len(rows)),
            "sample": rows,
            "choice": [each.why for each in chosen],
            "label": names[dataset.labels[rows]],
            "majority": None if marks is None else ["".join(map(str, row)) for row in marks[rows]],
            "predicted": names[numbers["predicted"]],
            "cosine": numbers["cosine"].to_numpy(),
            "relevance_sum": numbers["relevance_sum"].to_numpy(),
            "scale": np.abs(maps).max(axis=(1, 2)),
        }
    )


def _remark(choice: str, wanted: int, chosen: Sequence[Chosen], positive: bool) -> str:
    parts = ["Positive relevance alone."] if positive else []
    parts.append("Each map has its own colour scale, up to its largest magnitude.")
    if choice == "thesis":
        parts.append("Samples: those that the thesis shows, as far as their maps are kept.")
    else:
        why = {each.why for each in chosen}
        text = "Samples: of each class the first that all architectures classify rightly"
        text += " (or else that most do)" if "not all right" in why else ""
        text += "; best, median and worst by the mean cosine over all maps" if why & set(EXTREMES) else ""
        few = (
            f"; {wanted} were asked for, {len(chosen)} have maps in all archives"
            if len(chosen) < wanted
            else ""
        )
        parts.append(f"{text}{few}.")
    return " ".join(parts)


def _draw(
    dataset: Dataset,
    explained: Explained,
    maps: Mapping[Cell, npt.NDArray[np.float64]],
    signed: Mapping[str, bool],
    table: pd.DataFrame,
    remark: str,
) -> Figure:
    shown = table.drop_duplicates("column")
    rows = shown["sample"].to_numpy()
    marks = None if dataset.majority is None else dataset.majority[rows]
    labels = [*(style.explainer_title(e) for e in signed), *dict.fromkeys(a for a, _ in maps)]
    grid = Grid(len(rows), dataset.image_size, marks, labels)
    grid.title(explained.title)
    grid.header(shown["label"], [f"#{row} {why}" for row, why in zip(rows, shown["choice"], strict=True)])
    grid.pictures("input", dataset.sequences(rows)[:, 0])
    for architecture, cells in table.groupby("architecture", sort=False):
        first = cells.drop_duplicates("column")
        wrong = first["predicted"].where(first["predicted"] != first["label"], "")
        grid.heading(str(architecture), [f"\N{BALLOT X} {name}" if name else "" for name in wrong])
        for explainer, row in cells.groupby("explainer", sort=False):
            name = str(explainer)
            grid.maps(
                style.explainer_title(name),
                maps[str(architecture), name],
                signed[name],
                None if marks is None else row["cosine"].to_list(),
            )
    grid.colour_bars(signed.values())
    remarks = [remark]
    if marks is not None:
        remarks.append("Frames: majority blocks. Below each map: its cosine with them.")
    if (table["predicted"] != table["label"]).any():
        remarks.append("\N{BALLOT X}: the class predicted instead of the label.")
    grid.remarks(" ".join(remarks))
    return grid.figure()


def _signed(maps: Mapping[Cell, npt.NDArray[np.float64]], explainer: str) -> bool:
    """Tell whether any map shown of an explainer is negative somewhere: then all are drawn with signs."""
    of_explainer = [array for (_, name), array in maps.items() if name == explainer]
    return any((array.min(axis=(1, 2)) < -_ROUNDING * array.max(axis=(1, 2))).any() for array in of_explainer)
