"""A grid of heatmaps: the same samples explained by every architecture and explainer (Fig. 3.11)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.figures import style
from rnnxai.figures.cells import Cell
from rnnxai.figures.explained import Explained
from rnnxai.figures.grid import Grid

_ROUNDING = 1e-6
"""Relevance below zero by less than this share of a map's largest is no sign."""


@style.styled()
def draw(
    dataset_path: str | Path,
    archives: Mapping[Cell, str | Path],
    samples: int = 6,
    seed: int = 0,
) -> tuple[Figure, pd.DataFrame]:
    """Draw some samples and, below each, their maps by architecture and explainer.

    Samples are chosen by a rule (:func:`choose`), never by hand. Each map is scaled by its own largest
    magnitude: from blue (negative) over white (zero) to red (positive) for an explainer that gives signs,
    from white to red for one that does not. Majority blocks are framed and the cosine of each map stands
    under it; a prediction other than the label is named beside its architecture.

    Parameters
    ----------
    dataset_path : str or Path
        The data set file.
    archives : Mapping[(str, str), path]
        Attribution files by architecture and explainer, of one data set, number of steps and fold.
    samples : int
        How many columns; fewer if not so many samples have a map in every archive.
    seed : int
        Seed of the choice.

    Returns
    -------
    Figure
    DataFrame
        A row per map: ``architecture``, ``explainer``, ``column``, ``sample`` (row of the data set file),
        ``label`` (class name), ``majority`` (marks from left to right), ``predicted``, ``cosine``,
        ``relevance_sum`` and ``scale``, the magnitude drawn in full colour. The pixels are in the archives.

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
    wrong = explained.wrong(dataset.labels)
    rows = choose(explained.rows, dataset.labels, wrong, samples, seed)
    maps = {cell: explained.maps(cell, rows) for cell in explained.paths}
    table = pd.concat(
        [_table(cell, dataset, explained.numbers[cell].loc[rows], maps[cell]) for cell in maps],
        ignore_index=True,
    )
    all_right = not wrong[np.isin(explained.rows, rows)].any()
    return _draw(dataset, explained, maps, table, _choice(samples, len(rows), all_right)), table


def choose(
    rows: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    wrong: npt.NDArray[np.int64],
    samples: int,
    seed: int,
) -> npt.NDArray[np.int64]:
    """Choose samples: right in all architectures while there are such, spread over classes, at random.

    All samples are put in a random order that depends on `seed` and the size of the data set alone.
    Those that fewer architectures get wrong go first; among equals the first of each class goes first,
    then the second of each, and so on.

    Parameters
    ----------
    rows : int array (m,)
        Rows of the data set to choose from.
    labels : int array (n,)
        Classes of all samples of the data set.
    wrong : int array (m,)
        How many architectures predict another class.
    samples : int
        How many to choose.
    seed : int
        Seed of the order.

    Returns
    -------
    int array (min(m, samples),)
        Rows of the data set, sorted by class, then by row.
    """
    # The order is of all samples, not of the candidates: one candidate less leaves the others in order.
    rank = np.random.default_rng(seed).permutation(len(labels))[rows]
    pool = pd.DataFrame({"row": rows, "label": labels[rows], "wrong": wrong, "rank": rank})
    pool = pool.sort_values("rank")
    pool["turn"] = pool.groupby(["wrong", "label"]).cumcount()
    chosen = pool.sort_values(["wrong", "turn", "rank"]).head(samples)
    return chosen.sort_values(["label", "row"])["row"].to_numpy()


def _table(
    cell: Cell, dataset: Dataset, numbers: pd.DataFrame, maps: npt.NDArray[np.float64]
) -> pd.DataFrame:
    rows, names, marks = numbers.index.to_numpy(), np.array(dataset.classes), dataset.majority
    return pd.DataFrame(
        {
            "architecture": cell[0],
            "explainer": cell[1],
            "column": range(len(rows)),
            "sample": rows,
            "label": names[dataset.labels[rows]],
            "majority": None if marks is None else ["".join(map(str, row)) for row in marks[rows]],
            "predicted": names[numbers["predicted"]],
            "cosine": numbers["cosine"].to_numpy(),
            "relevance_sum": numbers["relevance_sum"].to_numpy(),
            "scale": np.abs(maps).max(axis=(1, 2)),
        }
    )


def _choice(wanted: int, found: int, all_right: bool) -> str:
    few = f"; {wanted} were asked for, {found} have maps in all archives" if found < wanted else ""
    if all_right:
        return f"Samples: drawn at random, classified rightly by all architectures, spread over classes{few}."
    return (
        "Samples: drawn at random, those that most architectures classify rightly first, "
        f"spread over classes{few}."
    )


def _draw(
    dataset: Dataset,
    explained: Explained,
    maps: Mapping[Cell, npt.NDArray[np.float64]],
    table: pd.DataFrame,
    choice: str,
) -> Figure:
    shown = table.drop_duplicates("column")
    rows = shown["sample"].to_numpy()
    marks = None if dataset.majority is None else dataset.majority[rows]
    signed = {explainer: _signed(maps, explainer) for _, explainer in maps}
    labels = [*(style.explainer_title(e) for e in signed), *dict.fromkeys(a for a, _ in maps)]
    grid = Grid(len(rows), dataset.image_size, marks, labels)
    grid.title(explained.title)
    grid.header(shown["label"], [f"#{row}" for row in rows])
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
    remarks = ["Each map has its own colour scale, up to its largest magnitude."]
    if marks is not None:
        remarks.append("Frames: majority blocks. Below each map: its cosine with them.")
    if (table["predicted"] != table["label"]).any():
        remarks.append("\N{BALLOT X}: the class predicted instead of the label.")
    grid.remarks(f"{' '.join(remarks)} {choice}")
    return grid.figure()


def _signed(maps: Mapping[Cell, npt.NDArray[np.float64]], explainer: str) -> bool:
    """Tell whether any map shown of an explainer is negative somewhere: then all are drawn with signs."""
    of_explainer = [array for (_, name), array in maps.items() if name == explainer]
    return any((array.min(axis=(1, 2)) < -_ROUNDING * array.max(axis=(1, 2))).any() for array in of_explainer)
