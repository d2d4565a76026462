"""Along which time steps does relevance lie? Its shares, beside those of the ink (Figs. 3.6, 3.7)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from rnnxai.archive.read import AttributionArchive
from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.figures import style
from rnnxai.figures.cells import Cell, read_cells

INK = "ink"
_PANEL = 1.05  # height in inches
_WIDE_AT_MOST = 4  # panels beside each other
_LETTERS = 95  # of a line of the legend
_AT_ONCE = 1000  # pictures


class _Group(NamedTuple):
    """Samples that are averaged."""

    name: str
    rows: npt.NDArray[np.int64]  # of the data set


@style.styled()
def draw(
    dataset_path: str | Path, archives: Mapping[Cell, str | Path], of_class: int = 1
) -> tuple[Figure, pd.DataFrame]:
    """Draw the share of positive relevance at each time step, and the share of ink that is there.

    A share is of the sample's own total, and shares are averaged over samples. Of single images the
    samples of one class are taken; of marked sequences there is a row of panels for each pattern of
    marks, since what is relevant moves with it. (Figure 3.7 of the thesis takes shares of the sum over
    samples instead: :func:`rnnxai.reproduction.run.shares_of_sum`.)

    Parameters
    ----------
    dataset_path : str or Path
        The data set file.
    archives : Mapping[(str, str), path]
        Attribution files by architecture and explainer, of one data set, number of steps and fold.
    of_class : int
        Which class, of single images.

    Returns
    -------
    Figure
    DataFrame
        A row per group of samples, architecture, explainer and step: ``share``, ``n`` samples and
        ``n_undefined``, those without positive relevance, which are left out. The ink has the
        architecture "ink" and no explainer.

    Raises
    ------
    Error
        If there is no such class among the samples, or the archives do not belong together.
    """
    dataset = Dataset.open(dataset_path)

    def read(archive: AttributionArchive) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        return archive["index"][:].astype(np.int64), archive["relevance_step_positive"][:]

    title, found = read_cells(archives, read)
    rows, first = next(iter(found.values()))
    steps, groups = first.shape[1], list(_groups(dataset, rows, of_class))
    tables = []
    for group in groups:
        tables.append(_table(group, INK, "", ink_per_step(dataset, group.rows, steps)))
        for (architecture, explainer), (index, relevance) in found.items():
            tables.append(_table(group, architecture, explainer, relevance[np.isin(index, group.rows)]))
    table = pd.concat(tables, ignore_index=True)
    return _draw(table, title, dataset), table


def _groups(dataset: Dataset, rows: npt.NDArray[np.int64], of_class: int) -> Iterator[_Group]:
    if dataset.majority is None:
        own = rows[dataset.labels[rows] == of_class]
        if not len(own):
            known = ", ".join(map(str, np.unique(dataset.labels[rows])))
            raise Error(f"no sample is of the class {of_class}; those there are of {known}")
        yield _Group(f"class {dataset.classes[of_class]}", own)
        return
    marks = dataset.majority[rows]
    for pattern in np.unique(marks, axis=0)[::-1]:
        name = "".join("\N{BLACK SQUARE}" if mark else "\N{WHITE SQUARE}" for mark in pattern)
        yield _Group(name, rows[(marks == pattern).all(axis=1)])


def ink_per_step(dataset: Dataset, rows: npt.NDArray[np.int64], steps: int) -> npt.NDArray[np.float64]:
    """Return how much ink each step of some samples sees, (n, steps), in grey values."""
    sums = []
    for first in range(0, len(rows), _AT_ONCE):
        pictures = dataset.sequences(rows[first : first + _AT_ONCE])[:, 0]
        columns = pictures.sum(axis=1, dtype=np.float64)
        sums.append(columns.reshape(len(columns), steps, -1).sum(axis=2))
    return np.concatenate(sums)


def mean_shares(sums: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.float64], int]:
    """Average over samples what share of a sample's total lies at each step.

    Parameters
    ----------
    sums : array (n, steps)
        Not negative.

    Returns
    -------
    array (steps,)
        NaN if no sample has a total.
    int
        How many samples have none, and are left out.
    """
    total = sums.sum(axis=1)
    defined = total > 0
    left_out = int((~defined).sum())
    if not defined.any():
        return np.full(sums.shape[1], np.nan), left_out
    return (sums[defined] / total[defined, None]).mean(axis=0), left_out


def _table(group: _Group, architecture: str, explainer: str, sums: npt.NDArray[np.float64]) -> pd.DataFrame:
    shares, left_out = mean_shares(sums)
    return pd.DataFrame(
        {
            "group": group.name,
            "architecture": architecture,
            "explainer": explainer,
            "step": range(1, sums.shape[1] + 1),
            "share": shares,
            "n": len(sums),
            "n_undefined": left_out,
        }
    )


def _draw(table: pd.DataFrame, title: str, dataset: Dataset) -> Figure:
    groups = list(table["group"].unique())
    explained = table[table["architecture"] != INK]
    explainers = list(explained["explainer"].unique())
    architectures = style.in_order(explained["architecture"])
    figure = Figure((style.WIDTH, (_PANEL + 0.12) * len(groups) + 1.0), layout="constrained")
    grid = figure.subplots(len(groups), len(explainers), squeeze=False, sharex=True, sharey=True)
    narrow = len(explainers) > _WIDE_AT_MOST
    for axes, explainer in zip(grid[0], explainers, strict=True):
        axes.set_title(style.explainer_title(explainer), **({"fontsize": style.SMALL} if narrow else {}))
    for line, group in zip(grid, groups, strict=True):
        rows = table[table["group"] == group]
        ink = rows[rows["architecture"] == INK]
        line[0].set_ylabel(f"{group}\nshare", rotation=0, ha="right", va="center")
        for axes, explainer in zip(line, explainers, strict=True):
            _draw_panel(axes, ink, rows[rows["explainer"] == explainer], architectures, dataset)
    grid[0, 0].xaxis.set_major_locator(MaxNLocator(4 if narrow else 6, integer=True, min_n_ticks=1))
    grid[0, 0].set_ylim(0, 1.08 * np.nanmax(table["share"]))
    _finish(figure, table, architectures, title)
    return figure


def _draw_panel(
    axes: Axes, ink: pd.DataFrame, rows: pd.DataFrame, architectures: list[str], dataset: Dataset
) -> None:
    steps = len(ink)
    axes.bar(
        ink["step"],
        ink["share"],
        1,
        facecolor=style.PALE,
        edgecolor="white",
        hatch="////",
        linewidth=0,
        zorder=1,
    )
    if dataset.majority is not None:
        blocks = dataset.majority.shape[1]
        for block in range(1, blocks):
            axes.axvline(block * steps / blocks + 0.5, color=style.GREY, linewidth=0.5, zorder=1)
    for architecture in architectures:
        look, own = style.look(architecture), rows[rows["architecture"] == architecture]
        settings = style.marker_style(look, 2.5)
        axes.plot(own["step"], own["share"], color=look.colour, linewidth=0.9, zorder=2, **settings)
    axes.set_xlim(0.5, steps + 0.5)


def _finish(figure: Figure, table: pd.DataFrame, architectures: list[str], title: str) -> None:
    handles: list[Line2D | Patch] = [
        Patch(facecolor=style.PALE, edgecolor="white", hatch="////", linewidth=0)
    ]
    handles += [
        Line2D([], [], color=look.colour, linewidth=0.9, **style.marker_style(look, 3))
        for look in map(style.look, architectures)
    ]
    columns = max(1, min(5, _LETTERS // (max(map(len, architectures)) + 6)))
    figure.legend(
        handles, [INK, *architectures], loc="outside upper left", ncols=columns, title=title, alignment="left"
    )
    counts = table.drop_duplicates("group")["n"]
    text = (
        "Along the time steps: mean share of a sample's positive relevance, and of its ink (hatched), over "
        f"{' + '.join(map(str, counts))} test samples."
    )
    if (table["group"].str.contains("\N{BLACK SQUARE}")).any():
        text += " Filled squares: majority blocks; lines: borders of blocks."
    undefined = table[table["architecture"] != INK].drop_duplicates(["group", "architecture", "explainer"])
    worst = undefined["n_undefined"].max()
    if worst:
        text += f" Samples without positive relevance are left out, at most {worst} of a curve."
    figure.supxlabel(style.wrapped(text), x=0.01, ha="left", fontsize=style.SMALL, color=style.GREY)
