"""The study on one page: the problem, the architectures, heatmaps of one sample, and the cosine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import FancyArrowPatch, Rectangle

from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.figures import style
from rnnxai.figures.cells import Cell
from rnnxai.figures.choice import by_rule
from rnnxai.figures.explained import Explained
from rnnxai.figures.networks import Network, read_network
from rnnxai.figures.strips import draw_strip
from rnnxai.scoring.statistics import corrected_interval
from rnnxai.scoring.table import QUALITY

_LINE = 0.42  # height of an architecture in inches
_BOX, _APART = 0.14, 1.0  # width of a layer, and from one to the next
_TALLEST = 0.8  # of a line: the widest layer
_LEVEL_AT_MOST = 4  # titles of explainers that are not slanted


@style.styled()
def draw(
    dataset_path: str | Path,
    archives: Mapping[Cell, str | Path],
    networks: Mapping[str, str | Path],
    scores: pd.DataFrame,
    references: pd.DataFrame,
    folds: int,
    level: float = 0.95,
) -> tuple[Figure, pd.DataFrame]:
    """Draw the study in the manner of the thesis' poster.

    The sample is the one with the median cosine over all maps shown (:func:`rnnxai.figures.choice.by_rule`).

    Parameters
    ----------
    dataset_path : str or Path
        The data set file, with marks.
    archives : Mapping[(str, str), path]
        Attribution files by architecture and explainer, of one data set, number of steps and fold.
    networks : Mapping[str, path]
        The trained networks of that fold by architecture.
    scores : DataFrame
        Rows of this data set and number of steps from the table of scores.
    references : DataFrame
        Levels that trivial explanations reach.
    folds : int
        Number of folds of the data set, run or not.
    level : float
        Coverage of the intervals.

    Returns
    -------
    Figure
    DataFrame
        A row per architecture and explainer: ``folds``, ``cosine`` (their mean, or that of the fixed split),
        ``low`` and ``high``, ``sample`` (row of the data set) and ``sample_cosine``, of the map
        that is shown.

    Raises
    ------
    Error
        If the data set has no marks, or the archives do not belong together.
    """
    dataset = Dataset.open(dataset_path)
    if dataset.majority is None:
        raise Error(f"{dataset_path} has no marks; the summary is of explanations that can be scored")
    explained = Explained.read(dataset_path, dataset, archives)
    row = _median(dataset, explained)
    cells = list(explained.paths)
    architectures = list(dict.fromkeys(architecture for architecture, _ in cells))
    table = _table(explained, scores, row, folds, level)
    lines = len(architectures)
    figure = Figure((style.WIDTH, 1.15 + 2 * _LINE * lines + 2.5), layout="constrained")
    parts: Any = figure.subfigures(
        4, 1, height_ratios=[1.1, _LINE * lines + 0.25, _LINE * lines + 0.45, 2.05]
    )
    _draw_problem(parts[0], dataset, row, explained.title)
    _draw_networks(parts[1], {a: read_network(networks[a]) for a in architectures if a in networks})
    _draw_maps(parts[2], dataset, explained, row)
    _draw_cosines(parts[3], table, references)
    return figure, table


def _median(dataset: Dataset, explained: Explained) -> int:
    rows = explained.rows
    cosines = np.stack([each["cosine"].to_numpy(dtype=float) for each in explained.numbers.values()])
    means = np.where(np.isnan(cosines).any(axis=0), np.nan, np.nan_to_num(cosines).mean(axis=0))
    chosen = by_rule(rows, dataset.labels[rows], explained.wrong(dataset.labels), means, 3)
    return next((each.row for each in chosen if each.why == "median"), chosen[0].row)


def _table(explained: Explained, scores: pd.DataFrame, row: int, folds: int, level: float) -> pd.DataFrame:
    found = []
    for (architecture, explainer), numbers in explained.numbers.items():
        own = scores[(scores["architecture"] == architecture) & (scores["explainer"] == explainer)]
        on_folds = own[own["fold"] != QUALITY]
        values = (on_folds if len(on_folds) else own)["cosine"].dropna()
        low, high = corrected_interval(values, 1 / (folds - 1), level) if len(values) else (np.nan, np.nan)
        found.append(
            {
                "architecture": architecture,
                "explainer": explainer,
                "folds": len(on_folds),
                "cosine": values.mean(),
                "low": low,
                "high": high,
                "sample": row,
                "sample_cosine": numbers.loc[row, "cosine"],
            }
        )
    return pd.DataFrame(found)


def _draw_problem(figure: SubFigure, dataset: Dataset, row: int, title: str) -> None:
    axes = figure.subplots()
    picture, marks = dataset.sequences([row])[0, 0], dataset.majority
    draw_strip(axes, picture, None if marks is None else marks[row])
    height, width = picture.shape
    axes.annotate(
        f"class: {dataset.classes[dataset.labels[row]]}",
        (width + 1, height / 2),
        xytext=(width + 14, height / 2),
        va="center",
        annotation_clip=False,
        arrowprops={"arrowstyle": "<-", "linewidth": 0.8},
    )
    _title(figure, f"Problem: find the class of the majority ({title})")


def _draw_networks(figure: SubFigure, networks: Mapping[str, Network]) -> None:
    axes = figure.subplots()
    most = max((len(network.layers) for network in networks.values()), default=1)
    widest = max((layer.units for network in networks.values() for layer in network.layers), default=1)
    for line, (name, network) in enumerate(networks.items()):
        _draw_network(axes, line, name, network, widest)
    axes.set(xlim=(-1.25, most * _APART), ylim=(len(networks) - 0.35, -0.65))
    axes.set_axis_off()
    _title(figure, "Architectures: units of each layer; an arc hands so many on to the next step")


def _draw_network(axes: Axes, line: int, name: str, network: Network, widest: int) -> None:
    look = style.look(name)
    colours: dict[str, Any] = {"facecolor": look.face, "edgecolor": look.colour, "linewidth": 0.8}
    small: dict[str, Any] = {"fontsize": style.SMALL, "va": "center"}
    axes.text(-1.25, line, name, va="center_baseline")
    ends = -0.05
    axes.text(ends, line, "$x_t$", va="center_baseline", ha="right")
    for place, layer in enumerate(network.layers):
        left, height = place * _APART + 0.25, _TALLEST * max(np.sqrt(layer.units / widest), 0.12)
        arrow = {"arrowstyle": "->", "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0}
        axes.annotate("", (left, line), (ends, line), arrowprops=arrow)
        axes.add_patch(Rectangle((left, line - height / 2), _BOX, height, **colours))
        axes.text(left + _BOX + 0.04, line + 0.02, f"{layer.units}\n{layer.name}", linespacing=0.95, **small)
        ends = left + _BOX + 0.46
        if network.recurrent and layer.name in ("hidden", "candidate"):
            top = line - height / 2
            arc: dict[str, Any] = {"connectionstyle": "arc3,rad=1.4", "arrowstyle": "->", "mutation_scale": 5}
            ends_of_arc = (left + _BOX, top), (left, top)
            axes.add_patch(
                FancyArrowPatch(*ends_of_arc, linewidth=0.8, color=style.INK, clip_on=False, **arc)
            )
            axes.text(left - 0.04, top - 0.06, str(network.recurrent), ha="right", color=style.GREY, **small)


def _draw_maps(figure: SubFigure, dataset: Dataset, explained: Explained, row: int) -> None:
    architectures = list(dict.fromkeys(architecture for architecture, _ in explained.paths))
    explainers = list(dict.fromkeys(explainer for _, explainer in explained.paths))
    grid = figure.subplots(len(architectures), len(explainers), squeeze=False)
    marks = None if dataset.majority is None else dataset.majority[row]
    for axes, explainer in zip(grid[0], explainers, strict=True):
        axes.set_title(style.explainer_title(explainer), loc="center")
    for line, architecture in zip(grid, architectures, strict=True):
        for axes, explainer in zip(line, explainers, strict=True):
            axes.set_axis_off()
            if (architecture, explainer) in explained.paths:
                heatmap = explained.maps((architecture, explainer), np.array([row]))[0]
                largest = np.abs(heatmap).max() or 1.0
                signed = heatmap.min() < -1e-6 * largest
                limits = (-largest if signed else 0, largest)
                draw_strip(axes, heatmap, marks, "RdBu_r" if signed else "Reds", limits)
        line[0].text(-4, 14, architecture, ha="right", va="center")
    _title(figure, f"Heatmaps of sample {row}, the median by cosine (red: for the class, blue: against it)")


def _draw_cosines(figure: SubFigure, table: pd.DataFrame, references: pd.DataFrame) -> None:
    axes = figure.subplots()
    explainers = list(dict.fromkeys(table["explainer"]))
    architectures = list(dict.fromkeys(table["architecture"]))
    shift = 0.7 / len(architectures)
    for place, architecture in enumerate(architectures):
        own, look = table[table["architecture"] == architecture], style.look(architecture)
        x = own["explainer"].map(explainers.index) + (place - (len(architectures) - 1) / 2) * shift
        axes.vlines(x, np.maximum(own["low"], 0), np.minimum(own["high"], 1), color=look.colour, linewidth=1)
        axes.plot(x, own["cosine"], linestyle="none", label=architecture, **style.marker_style(look, 4))
    levels = references.set_index("reference")["cosine"]
    for name in ("uniform", "last block"):
        axes.axhline(levels[name], color=style.GREY, linewidth=0.7, linestyle=(0, (4, 2)), zorder=0.5)
        axes.annotate(
            f" {name}",
            (1, levels[name]),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=style.SMALL,
            color=style.GREY,
            annotation_clip=False,
        )
    style.label_explainers(axes, explainers, _LEVEL_AT_MOST)
    axes.set_ylabel("cosine")
    axes.legend(loc="center left", bbox_to_anchor=(1.13, 0.5), borderaxespad=0)
    networks = _counts(table["folds"].tolist())
    _title(figure, f"Cosine of relevance and majority: {networks}")


def _counts(folds: Sequence[int]) -> str:
    least, most = min(folds), max(folds)
    if most == 0:
        return "the fixed split"
    if most == 1:
        return "one fold"
    number = str(most) if least == most else f"{least} to {most}"
    return f"mean of {number} folds and its corrected interval"


def _title(figure: SubFigure, text: str) -> None:
    figure.suptitle(text, x=0.01, ha="left", fontsize=style.FONT, weight="bold")
