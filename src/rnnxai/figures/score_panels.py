"""Scores of every explainer and architecture, fold by fold, against trivial explanations.

One drawing for several figures: the cosine (Figs. 3.12, 3.18 and 3.21 of the thesis) and the look.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnxai.errors import Error
from rnnxai.figures import style
from rnnxai.scoring.statistics import corrected_interval, mean_interval
from rnnxai.scoring.table import QUALITY

LEVELS = ("uniform", "ink", "one correct block", "last block")
"""Trivial explanations that are drawn; the table of reference levels has more."""
_KEYS = ("dataset", "architecture", "T", "fold", "explainer", "n", "n_undefined", "n_maps")
_CELL = ["T", "score", "explainer", "architecture"]
_PANEL, _LOW_PANEL = 2.3, 1.7  # height in inches of a panel alone, and of one among several scores
_AXIS = 4.0  # length of the x axis in inches, nearly
_SPREAD = 0.8  # of the distance between explainers, shared by the architectures
_LEGEND_COLUMNS, _LETTERS = 4, 100  # at most, in a line
_LEVEL_AT_MOST = 6  # names of explainers that are not tilted
_NAMED_AT_MOST = 6  # cells with undefined scores


@style.styled()
def draw_scores(
    scores: pd.DataFrame,
    names: Mapping[str, str],
    references: pd.DataFrame,
    folds: int,
    level: float = 0.95,
) -> tuple[Figure, pd.DataFrame]:
    """Draw scores of every explainer and architecture: folds, their mean and its intervals.

    There is one panel for each number of time steps T and score. The range of the y axis is chosen to hold
    every fold, every interval and every reference line; since it does not start at 0, there are no bars.

    Folds repeat each other and get intervals; the fixed split does not, and training on other samples
    makes it no part of their mean. It is shown only where an architecture, T and explainer have no folds.

    Parameters
    ----------
    scores : DataFrame
        Rows of one data set, folds and fixed split, from the table of scores
        (:func:`rnnxai.scoring.table.merge`).
    names : Mapping[str, str]
        Columns to draw, each with the title of its axis.
    references : DataFrame
        Levels that trivial explanations reach (:func:`rnnxai.scoring.references.reference_scores`).
    folds : int
        Number of folds of the data set, run or not: it decides how much training data two of them share.
    level : float
        Coverage of the intervals. A single fold has none, and the figure says so.

    Returns
    -------
    Figure
    DataFrame
        A row per fold shown and score: its ``value`` and its counts, and ``folds`` (with a score), ``mean``,
        ``t_low``, ``t_high``, ``corrected_low`` and ``corrected_high`` of its cell.

    Raises
    ------
    Error
        If columns are missing, the rows are not of one data set, or its samples have no marks.
    """
    table = _with_means(_shown(_checked(scores, names)), folds, level)
    panels = [(T, name) for T in table["T"].unique() for name in names]
    height = _PANEL if len(names) == 1 else _LOW_PANEL
    figure = Figure((style.WIDTH, height * len(panels) + 0.9), layout="constrained")
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (T, name) in zip(grid, panels, strict=True):
        shown = table[(table["T"] == T) & (table["score"] == name)]
        levels = _levels(references, name)
        # One range for all T of a score, so that they can be compared.
        axes.set_ylim(_limits(table[table["score"] == name], levels.values()))
        axes.set_title(f"{table['dataset'].iloc[0]}, T = {T}" if name == next(iter(names)) else "")
        axes.set_ylabel(names[name])
        _draw_levels(axes, levels, height)
        _draw_cells(axes, shown, table)
    handles = {line.get_label(): line for axes in grid for line in axes.get_lines()}
    named = [name for name in style.in_order(table["architecture"]) if name in handles]
    if named:
        columns = max(1, min(_LEGEND_COLUMNS, _LETTERS // (max(map(len, named)) + 4)))
        figure.legend([handles[n] for n in named], named, loc="outside upper left", ncols=columns)
    figure.supxlabel(_remarks(table, level), x=0.01, ha="left", fontsize=style.SMALL, color=style.GREY)
    return figure, table


def _checked(scores: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    missing = [name for name in (*_KEYS, *names) if name not in scores]
    if missing:
        raise Error(f"columns {', '.join(missing)} are missing; this figure takes the table of scores")
    datasets = sorted(scores["dataset"].unique())
    if len(datasets) != 1:
        raise Error(f"scores are of the data sets {', '.join(datasets) or '(none)'}; a figure shows one")
    if scores["n_undefined"].isna().any():
        raise Error(f"{datasets[0]} has no marks, so its explanations have no scores; draw heatmaps of it")
    long = scores.melt(list(_KEYS), list(names), "score", "value")
    ranks = {
        name: i
        for i, name in enumerate([*names, *style.in_order([*scores["explainer"], *scores["architecture"]])])
    }
    # Sorting by several columns is stable, so folds stay in the order of the table.
    return long.sort_values(_CELL, key=lambda column: column.replace(ranks), ignore_index=True)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the folds, and the fixed split only in cells without any."""
    fixed = table["fold"] == QUALITY
    alone = fixed.groupby([table[name] for name in _CELL]).transform("all")
    return table[~fixed | alone].reset_index(drop=True)


def _with_means(table: pd.DataFrame, folds: int, level: float) -> pd.DataFrame:
    cells = []
    for cell, group in table.groupby(_CELL, sort=False):
        values = group["value"].dropna()
        plain, corrected = (np.nan, np.nan), (np.nan, np.nan)
        if len(values):
            plain, corrected = (
                mean_interval(values, level),
                corrected_interval(values, 1 / (folds - 1), level),
            )
        cells.append((*cell, len(values), values.mean(), *plain, *corrected))
    columns = [*_CELL, "folds", "mean", "t_low", "t_high", "corrected_low", "corrected_high"]
    return table.merge(pd.DataFrame(cells, columns=columns), on=_CELL, validate="many_to_one")


def _levels(references: pd.DataFrame, name: str) -> dict[str, float]:
    if name not in references:
        return {}
    of_score = references.set_index("reference")[name]
    return {level: float(of_score[level]) for level in LEVELS if level in of_score}


def _limits(table: pd.DataFrame, levels: Iterable[float]) -> tuple[float, float]:
    shown = [*table[["value", "corrected_low", "corrected_high"]].to_numpy(dtype=float).ravel(), *levels]
    if not np.isfinite(shown).any():
        return 0, 1
    # Folds that fall apart have intervals beyond anything a share or a cosine can be.
    low, high = max(np.nanmin(shown), min(0, table["value"].min())), min(np.nanmax(shown), 1)
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin


def _draw_levels(axes: Axes, levels: dict[str, float], height: float) -> None:
    low, high = axes.get_ylim()
    line_height = 1.5 * style.SMALL / 72 / height * (high - low)
    heights = _apart(list(levels.values()), line_height)
    for (name, value), place in zip(levels.items(), heights, strict=True):
        axes.axhline(value, color=style.GREY, linewidth=0.7, linestyle=(0, (4, 2)), zorder=0.5, label=name)
        axes.annotate(
            f"{name} {style.number(value)}",
            (1, value),
            xytext=(1.02, place),
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
        rows = shown[(shown["architecture"] == architecture) & shown["value"].notna()]
        if rows.empty:
            continue
        place = {e: x + (i - (len(architectures) - 1) / 2) * shift for x, e in enumerate(explainers)}
        axes.scatter(
            rows["explainer"].map(place) - min(0.3 * shift, 5 * point),
            rows["value"],
            s=(size / 2) ** 2,
            color=look.colour,
            alpha=0.5,
            linewidths=0,
            zorder=2,
        )
        cells = rows.drop_duplicates("explainer")
        at = cells["explainer"].map(place)
        for kind, thick in (("corrected", 0.6), ("t", 1.6)):
            ends = cells[f"{kind}_low"], cells[f"{kind}_high"]
            axes.vlines(at, *ends, color=look.colour, linewidth=thick, zorder=2.5)
        axes.plot(
            at,
            cells["mean"],
            linestyle="none",
            label=architecture,
            zorder=3,
            **style.marker_style(look, size),
        )
    style.label_explainers(axes, explainers, _LEVEL_AT_MOST)
    for between in range(1, len(explainers)):
        axes.axvline(between - 0.5, color=style.PALE, linewidth=0.5, zorder=0)


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
        parts = [
            f"Dots: folds. Markers: their mean. Thick lines: its {percent} t interval,",
            "thin ones: the same, corrected for the training data that folds share.",
        ]
        if single:
            parts.append(f"No interval where a single network has a score ({single} of {len(cells)}).")
    if 0 < fixed < len(cells):
        parts.append(f"The fixed split stands in where there are no folds ({fixed} of {len(cells)}).")
    parts.append("Dashed: what trivial explanations score.")
    lines = [" ".join(parts)]
    archives = table.drop_duplicates(["T", "architecture", "fold", "explainer"])
    cell = ["T", "explainer", "architecture"]
    counts = archives.groupby(cell, sort=False, as_index=False)[["n", "n_undefined"]].sum()
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
