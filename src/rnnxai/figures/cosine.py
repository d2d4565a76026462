"""The cosine plot of one data set (Figs. 3.12, 3.18 and 3.21 of the thesis)."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnxai.errors import Error
from rnnxai.figures import style
from rnnxai.scoring.statistics import mean_interval, reference_levels
from rnnxai.scoring.table import QUALITY

_COLUMNS = ("dataset", "architecture", "T", "fold", "explainer", "n", "n_undefined", "cosine")
_CELL = ["T", "explainer", "architecture"]
_PANEL, _AXIS = 2.5, 4.0  # height of a panel and length of its x axis in inches, nearly
_SPREAD = 0.8  # of the distance between explainers, shared by the architectures
_LEGEND_COLUMNS, _LETTERS = 4, 100  # at most, in a line
_LEVEL_AT_MOST = 6  # names of explainers that are not tilted
_NAMED_AT_MOST = 6  # cells with undefined scores


@style.styled()
def draw(scores: pd.DataFrame, level: float = 0.95, blocks: int = 3) -> tuple[Figure, pd.DataFrame]:
    """Draw the cosine of every explainer and architecture: folds, their mean and its t interval.

    There is one panel for each number of time steps T. The range of the y axis is chosen to hold every
    fold, every interval and every reference line; since it does not start at 0, there are no bars.

    Folds repeat each other and get an interval; the fixed split does not, and training on other samples
    makes it no part of their mean. It is shown only where an architecture, T and explainer have no folds.

    Parameters
    ----------
    scores : DataFrame
        All rows of one data set, folds and fixed split, from the table of scores
        (:func:`rnnxai.scoring.table.merge`).
    level : float
        Coverage of the intervals. A single fold has none, and the figure says so.
    blocks : int
        Blocks of a sequence; decides the levels that trivial explanations reach.

    Returns
    -------
    Figure
    DataFrame
        A row per fold shown: its cosine and its counts, and ``folds`` (with a score), ``mean``, ``t_low`` and
        ``t_high`` of its cell.

    Raises
    ------
    Error
        If columns are missing, the rows are not of one data set, or its samples have no marks.
    """
    table = _with_means(_shown(_checked(scores)), level)
    steps = table["T"].unique()
    levels = reference_levels(blocks)
    figure = Figure((style.WIDTH, _PANEL * len(steps) + 0.9), layout="constrained")
    panels = figure.subplots(len(steps), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    panels[0].set_ylim(_limits(table, levels.values()))
    for axes, T in zip(panels, steps, strict=True):
        axes.set_title(f"{table['dataset'].iloc[0]}, T = {T}")
        _draw_levels(axes, levels, figure)
        _draw_cells(axes, table[table["T"] == T], table)
    handles = {line.get_label(): line for axes in panels for line in axes.get_lines()}
    named = [name for name in style.in_order(table["architecture"]) if name in handles]
    if named:
        columns = max(1, min(_LEGEND_COLUMNS, _LETTERS // (max(map(len, named)) + 4)))
        figure.legend([handles[n] for n in named], named, loc="outside upper left", ncols=columns)
    figure.supxlabel(_remarks(table, level), x=0.01, ha="left", fontsize=style.SMALL, color=style.GREY)
    return figure, table


def _checked(scores: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in _COLUMNS if name not in scores]
    if missing:
        raise Error(f"columns {', '.join(missing)} are missing; a cosine plot takes the table of scores")
    datasets = sorted(scores["dataset"].unique())
    if len(datasets) != 1:
        raise Error(f"scores are of the data sets {', '.join(datasets) or '(none)'}; a figure shows one")
    if scores["n_undefined"].isna().any():
        raise Error(f"{datasets[0]} has no marks, so its explanations have no cosine; draw heatmaps of it")
    ranks = {
        name: i for i, name in enumerate(style.in_order([*scores["explainer"], *scores["architecture"]]))
    }
    # Sorting by several columns is stable, so folds stay in the order of the table.
    return scores[list(_COLUMNS)].sort_values(
        _CELL, key=lambda column: column.replace(ranks), ignore_index=True
    )


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the folds, and the fixed split only in cells without any."""
    fixed = table["fold"] == QUALITY
    alone = fixed.groupby([table[name] for name in _CELL]).transform("all")
    return table[~fixed | alone].reset_index(drop=True)


def _with_means(table: pd.DataFrame, level: float) -> pd.DataFrame:
    cells = []
    for cell, group in table.groupby(_CELL, sort=False):
        values = group["cosine"].dropna()
        interval = mean_interval(values, level) if len(values) else (np.nan, np.nan)
        cells.append((*cell, len(values), values.mean(), *interval))
    means = pd.DataFrame(cells, columns=[*_CELL, "folds", "mean", "t_low", "t_high"])
    return table.merge(means, on=_CELL, validate="many_to_one")


def _limits(table: pd.DataFrame, levels: Iterable[float]) -> tuple[float, float]:
    shown = [*table[["cosine", "t_low", "t_high"]].to_numpy(dtype=float).ravel(), *levels]
    low, high = np.nanmin(shown), np.nanmax(shown)
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _draw_levels(axes: Axes, levels: dict[str, float], figure: Figure) -> None:
    low, high = axes.get_ylim()
    line_height = 1.5 * style.SMALL / 72 / _PANEL * (high - low)
    heights = _apart(list(levels.values()), line_height)
    for (name, value), height in zip(levels.items(), heights, strict=True):
        axes.axhline(value, color=style.GREY, linewidth=0.7, linestyle=(0, (4, 2)), zorder=0.5, label=name)
        axes.annotate(
            f"{name} {style.number(value)}",
            (1, value),
            xytext=(1.02, height),
            xycoords=axes.get_yaxis_transform(),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=style.SMALL,
            color=style.GREY,
            annotation_clip=False,
        )


def _apart(values: Sequence[float], gap: float) -> list[float]:
    """Move values up as little as needed to lie `gap` apart, from the lowest on."""
    placed = list(values)
    for below, above in pairwise(sorted(range(len(placed)), key=placed.__getitem__)):
        placed[above] = max(placed[above], placed[below] + gap)
    return placed


def _draw_cells(axes: Axes, shown: pd.DataFrame, table: pd.DataFrame) -> None:
    explainers = style.in_order(table["explainer"])
    architectures = style.in_order(table["architecture"])
    shift = _SPREAD / len(architectures)
    point = len(explainers) / (72 * _AXIS)
    size = min(4, max(2, 0.55 * shift / point))
    for i, architecture in enumerate(architectures):
        look = style.look(architecture)
        rows = shown[(shown["architecture"] == architecture) & shown["cosine"].notna()]
        if rows.empty:
            continue
        place = {e: x + (i - (len(architectures) - 1) / 2) * shift for x, e in enumerate(explainers)}
        axes.scatter(
            rows["explainer"].map(place) - min(0.3 * shift, 5 * point),
            rows["cosine"],
            s=(size / 2) ** 2,
            color=look.colour,
            alpha=0.5,
            linewidths=0,
            zorder=2,
        )
        cells = rows.drop_duplicates("explainer")
        at = cells["explainer"].map(place)
        axes.vlines(at, cells["t_low"], cells["t_high"], color=look.colour, linewidth=1, zorder=2.5)
        axes.plot(
            at,
            cells["mean"],
            linestyle="none",
            label=architecture,
            zorder=3,
            **style.marker_style(look, size),
        )
    axes.set_xticks(range(len(explainers)), [style.explainer_title(name) for name in explainers])
    if len(explainers) > _LEVEL_AT_MOST:
        for label in axes.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(explainers) - 0.5)
    axes.tick_params("x", length=0)
    for between in range(1, len(explainers)):
        axes.axvline(between - 0.5, color=style.PALE, linewidth=0.5, zorder=0)
    axes.set_ylabel("cosine with the majority marks")


def _remarks(table: pd.DataFrame, level: float) -> str:
    percent = f"{100 * level:g} %"
    cells = table.drop_duplicates(_CELL)
    single = (cells["folds"] == 1).sum()
    fixed = (cells["fold"] == QUALITY).sum()
    if fixed == len(cells):
        parts = ["Markers: the fixed split, hence no interval."]
    elif not (cells["folds"] > 1).any():
        parts = ["Markers: a single fold, hence no interval."]
    else:
        parts = [f"Dots: folds. Markers: their mean, lines: its {percent} t interval."]
        if single:
            parts.append(f"No interval where a single network has a score ({single} of {len(cells)}).")
    if 0 < fixed < len(cells):
        parts.append(f"The fixed split stands in where there are no folds ({fixed} of {len(cells)}).")
    parts.append("Dashed: cosines of trivial explanations.")
    lines = [" ".join(parts)]
    counts = table.groupby(_CELL, sort=False, as_index=False)[["n", "n_undefined"]].sum()
    counts = counts[counts["n_undefined"] > 0]
    if len(counts):
        named = [_cell(row, table["T"].nunique() > 1) for _, row in counts.head(_NAMED_AT_MOST).iterrows()]
        more = len(counts) - len(named)
        tail = f"; and {more} more in the table" if more else ""
        lines.append(f"Samples without positive relevance, left out of the means: {'; '.join(named)}{tail}.")
    return "\n".join(map(style.wrapped, lines))


def _cell(row: "pd.Series[Any]", several_steps: bool) -> str:
    steps = f", T = {row['T']}" if several_steps else ""
    title = style.explainer_title(row["explainer"])
    return f"{row['architecture']} {title}{steps}: {row['n_undefined']} of {row['n']}"
