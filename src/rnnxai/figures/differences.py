"""Differences between architectures with their intervals, and which are more than chance."""

from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from rnnxai.errors import Error
from rnnxai.figures import style
from rnnxai.scoring.differences import SEPARATED

_ROW, _GAP, _FRAME = 0.115, 0.09, 0.55  # heights in inches: of a pair, between explainers, around a panel
_COLUMNS = 2
_LETTERS = 60  # of a line of the legend
_BEYOND = 3.0  # times the largest difference: intervals that are longer are cut
_TITLES = {
    "cosine": "cosine",
    "majority_share": "share on majority blocks",
    "ink_share": "share on ink, of relevance on majority",
    "mass_accuracy": "relevance mass accuracy",
    "rank_accuracy": "relevance rank accuracy",
}


@style.styled()
def draw(differences: pd.DataFrame, level: float = 0.95) -> tuple[Figure, pd.DataFrame]:
    """Draw the differences of one data set and comparison, a panel for each T and score.

    Thick lines are the intervals of each difference by itself, thin ones those that allow for the number of
    differences in the panel. A marker is filled where the thin line leaves out 0.

    Parameters
    ----------
    differences : DataFrame
        Rows of one data set and comparison (:func:`rnnxai.scoring.differences.differences`).
    level : float
        Of the intervals.

    Returns
    -------
    Figure
    DataFrame
        The rows as they are drawn, from top to bottom.

    Raises
    ------
    Error
        If there is no row, or they are of several data sets or comparisons.
    """
    which = differences[["dataset", "comparison"]].drop_duplicates()
    if len(which) != 1:
        found = ", ".join("/".join(map(str, row)) for row in which.to_numpy()) or "(none)"
        raise Error(f"differences are of {found}; the figure shows one data set and comparison")
    names = [*differences["explainer"], *differences["architecture"], *differences["baseline"]]
    ranks = {name: rank for rank, name in enumerate(style.in_order(names))}
    order = ["T", "baseline", "explainer", "architecture"]
    table = differences.sort_values(order, key=lambda column: column.replace(ranks), ignore_index=True)
    panels = list(table[["T", "score"]].drop_duplicates().itertuples(index=False, name=None))
    panels.sort(key=lambda panel: (panel[0], [*_TITLES, panel[1]].index(panel[1])))
    table["panel"] = [panels.index(panel) for panel in zip(table["T"], table["score"], strict=True)]
    table = table.sort_values("panel", kind="stable").drop(columns="panel").reset_index(drop=True)
    pairs = table.groupby(["T", "score"]).size().max()
    explainers = len(table[["baseline", "explainer"]].drop_duplicates())
    lines = ceil(len(panels) / _COLUMNS)
    height = lines * (_ROW * pairs + _GAP * explainers + _FRAME) + 0.75
    figure = Figure((style.WIDTH, height), layout="constrained")
    grid = figure.subplots(lines, min(_COLUMNS, len(panels)), squeeze=False, sharey=True).ravel()
    for axes, (T, score) in zip(grid, panels, strict=False):
        _draw_panel(axes, table[(table["T"] == T) & (table["score"] == score)])
        several = f", T = {T}" if table["T"].nunique() > 1 else ""
        axes.set_title(_TITLES.get(score, score.replace("_", " ")) + several)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    _legend(figure, table)
    figure.supxlabel(_remark(table, level), x=0.01, ha="left", fontsize=style.SMALL, color=style.GREY)
    return figure, table


def _draw_panel(axes: Axes, rows: pd.DataFrame) -> None:
    y, ticks = 0.0, {}
    several = rows["baseline"].nunique() > 1
    reach = _BEYOND * rows["difference"].abs().max() or 1.0
    for (baseline, explainer), pairs in rows.groupby(["baseline", "explainer"], sort=False):
        first = y
        for _, row in pairs.iterrows():
            look = style.look(row["architecture"])
            for ends, thick in ((("holm_low", "holm_high"), 0.6), (("low", "high"), 1.6)):
                if np.isfinite(row[ends[0]]):
                    cut = np.clip([row[end] for end in ends], -reach, reach)
                    axes.hlines(y, *cut, color=look.colour, linewidth=thick, zorder=2)
            separated = row["verdict"] == SEPARATED
            settings = style.marker_style(look, 4) | {
                "markerfacecolor": look.colour if separated else "white"
            }
            axes.plot(row["difference"], y, zorder=3, **settings)
            y += _ROW
        name = style.explainer_title(str(explainer))
        ticks[(first + y - _ROW) / 2] = f"{name}\nless {baseline}" if several else name
        y += _GAP
    axes.axvline(0, color=style.INK, linewidth=0.7, zorder=1)
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.set_ylim(y - _GAP - 0.4 * _ROW, -0.9 * _ROW)
    axes.set_xlim(*_limits(rows, reach))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params("y", length=0)
    axes.tick_params("x", labelsize=style.FONT - 1)
    axes.spines["left"].set_visible(False)


def _limits(rows: pd.DataFrame, reach: float) -> tuple[float, float]:
    ends = rows[["difference", "low", "high", "holm_low", "holm_high"]].to_numpy(dtype=float)
    low, high = min(0, np.nanmin(ends)), max(0, np.nanmax(ends))
    low, high = max(low, -reach), min(high, reach)
    margin = 0.04 * (high - low) or 0.04
    return low - margin, high + margin


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    architectures = style.in_order(table["architecture"])
    handles = [
        Line2D([], [], linestyle="none", **style.marker_style(style.look(a)._replace(filled=True), 4))
        for a in architectures
    ]
    baselines = table["baseline"].unique()
    title = f"{table['dataset'].iloc[0]}: difference to {' and to '.join(baselines)}"
    columns = max(1, min(4, _LETTERS // (max(map(len, architectures)) + 4)))
    figure.legend(
        handles, architectures, loc="outside upper left", ncols=columns, title=title, alignment="left"
    )


def _remark(table: pd.DataFrame, level: float) -> str:
    folds = table["folds"].unique()
    if folds.max() < 2:
        return style.wrapped("A single network of each, hence no interval and no verdict.")
    number = f"{folds.min()}" if len(folds) == 1 else f"{folds.min()} to {folds.max()}"
    cut = _BEYOND * table.groupby(["T", "score"])["difference"].transform(lambda d: d.abs().max())
    longer = (table[["holm_low", "holm_high"]].abs().max(axis=1) > cut).any()
    text = (
        f"Means of differences within {number} folds. Thick lines: {100 * level:g} % interval, corrected for "
        "the training data that folds share; thin ones: also for the number of differences in a panel "
        "(Holm). Filled markers: the thin line leaves out 0; hollow ones: not separated."
    )
    return style.wrapped(text + (" Long lines are cut; the table has their ends." if longer else ""))
