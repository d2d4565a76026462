"""How relevance is shared among three blocks: a triangle for each architecture and explainer."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rnnxai.archive.read import AttributionArchive
from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.figures import style
from rnnxai.figures.cells import Cell, read_cells

POINTS = 200
"""Samples in a triangle, at most: more would only cover each other."""
_CORNERS = np.array([[0, 0], [0.5, np.sqrt(3) / 2], [1, 0]])  # of the first, second and third block
_LOOKS = ((style.BLUE, "o"), (style.ORANGE, "s"), (style.GREEN, "^"))  # by the block that is odd
_ORDINALS = ("first", "second", "third")


@style.styled()
def draw(
    dataset_path: str | Path, archives: Mapping[Cell, str | Path], points: int = POINTS
) -> tuple[Figure, pd.DataFrame]:
    """Draw the shares of positive relevance of samples with three blocks, of which one is odd.

    A corner is all relevance on one block, and the middle of the side opposite to a corner is what should
    be where that corner's block is the odd one: equal shares of the two others. Points of the same colour
    that gather there are explanations that point at the majority.

    Parameters
    ----------
    dataset_path : str or Path
        The data set file.
    archives : Mapping[(str, str), path]
        Attribution files by architecture and explainer, of one data set, number of steps and fold.
    points : int
        Samples to draw, from the first on.

    Returns
    -------
    Figure
    DataFrame
        A row per point: ``architecture``, ``explainer``, ``sample`` (row of the data set file), ``odd``
        (block, from 1), and the shares ``block_1`` to ``block_3``.

    Raises
    ------
    Error
        If the samples have no three marked blocks, or the archives do not belong together.
    """
    dataset = Dataset.open(dataset_path)
    marks = dataset.majority
    if marks is None or marks.shape[1] != 3:
        raise Error(f"{dataset_path}: {dataset.definition.title}; a triangle needs marks of three blocks")

    def read(archive: AttributionArchive) -> pd.DataFrame:
        return _shares(archive, marks, points)

    title, found = read_cells(archives, read)
    table = pd.concat(
        [shares.assign(architecture=cell[0], explainer=cell[1]) for cell, shares in found.items()],
        ignore_index=True,
    )
    table = table[["architecture", "explainer", *table.columns.drop(["architecture", "explainer"])]]
    architectures = style.in_order(architecture for architecture, _ in found)
    explainers = style.in_order(explainer for _, explainer in found)
    width = (style.WIDTH - 0.9) / max(len(explainers), 3)
    figure = Figure((style.WIDTH, 0.85 * width * len(architectures) + 0.95), layout="constrained")
    grid = figure.subplots(len(architectures), len(explainers), squeeze=False)
    for axes, explainer in zip(grid[0], explainers, strict=True):
        axes.set_title(style.explainer_title(explainer), loc="center")
    for line, architecture in zip(grid, architectures, strict=True):
        line[0].set_ylabel(architecture)
        for axes, explainer in zip(line, explainers, strict=True):
            _draw_triangle(axes, found.get((architecture, explainer)))
    handles = [Line2D([], [], linestyle="none", marker=m, markersize=4, color=c) for c, m in _LOOKS]
    names = [f"{name} block is odd" for name in _ORDINALS]
    figure.legend(handles, names, loc="outside upper left", ncols=3, title=title, alignment="left")
    remark = (
        "Corners: all positive relevance on the first (left), second (top) or third block. Large markers: "
        f"where their like belong. Cross: a uniform map. The first {points} test samples at most."
    )
    figure.supxlabel(style.wrapped(remark), x=0.01, ha="left", fontsize=style.SMALL, color=style.GREY)
    return figure, table


def _shares(archive: AttributionArchive, marks: npt.NDArray[np.uint8], points: int) -> pd.DataFrame:
    if archive.layout.blocks != 3:
        raise Error(f"{archive.path}: blocks are {archive.layout.blocks}; a triangle needs three")
    rows = archive["index"][:points].astype(np.int64)
    blocks = archive["relevance_block_positive"][:points]
    total = blocks.sum(axis=1)
    own = (total > 0) & (marks[rows].sum(axis=1) == 2)
    shares = blocks[own] / total[own, None]
    columns = {f"block_{block + 1}": shares[:, block] for block in range(3)}
    return pd.DataFrame({"sample": rows[own], "odd": marks[rows[own]].argmin(axis=1) + 1, **columns})


def _draw_triangle(axes: Axes, shares: pd.DataFrame | None) -> None:
    axes.set_aspect("equal")
    axes.set(xlim=(-0.06, 1.06), ylim=(-0.08, 0.95), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.plot(*_CORNERS[[0, 1, 2, 0]].T, color=style.GREY, linewidth=0.6, zorder=1)
    axes.plot(*_CORNERS.mean(axis=0), "+", color=style.GREY, markersize=5, markeredgewidth=0.7, zorder=1)
    if shares is None:
        return
    places = shares[["block_1", "block_2", "block_3"]].to_numpy() @ _CORNERS
    for odd, (colour, marker) in enumerate(_LOOKS, 1):
        own = places[shares["odd"] == odd]
        axes.scatter(
            own[:, 0], own[:, 1], s=3.5, color=colour, marker=marker, alpha=0.6, linewidths=0, zorder=2
        )
        target = np.delete(_CORNERS, odd - 1, axis=0).mean(axis=0)
        axes.plot(*target, marker, markersize=7, markerfacecolor="none", markeredgecolor=colour, zorder=3)
