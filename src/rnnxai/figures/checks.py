"""What can go wrong with an explanation, counted: undefined scores, and relevance that does not add up."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rnnxai.errors import Error
from rnnxai.figures import style

_ROW, _GAP = 0.125, 0.08  # heights in inches: of an architecture, between explainers
_CELL = ["T", "explainer", "architecture"]
_FLOAT32 = float(np.finfo(np.float32).eps)


@style.styled()
def draw(scores: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw the share of samples without a score, and the largest conservation error.

    Parameters
    ----------
    scores : DataFrame
        Rows of one data set from the table of scores (:func:`rnnxai.scoring.table.merge`).

    Returns
    -------
    Figure
    DataFrame
        A row per T, explainer and architecture: ``n`` and ``n_undefined`` over all networks,
        ``share_undefined``, and ``conservation_max_error`` (empty where relevance need not be conserved).

    Raises
    ------
    Error
        If columns are missing or the rows are not of one data set.
    """
    wanted = ["dataset", *_CELL, "n", "n_undefined", "conservation_max_error"]
    missing = [name for name in wanted if name not in scores]
    if missing:
        raise Error(f"columns {', '.join(missing)} are missing; this figure takes the table of scores")
    datasets = sorted(scores["dataset"].unique())
    if len(datasets) != 1:
        raise Error(f"scores are of the data sets {', '.join(datasets) or '(none)'}; a figure shows one")
    grouped = scores.groupby(_CELL, as_index=False)
    table = grouped.agg(
        n=("n", "sum"),
        n_undefined=("n_undefined", lambda counts: counts.sum(min_count=1)),
        conservation_max_error=("conservation_max_error", "max"),
    )
    ranks = {n: i for i, n in enumerate(style.in_order([*scores["explainer"], *scores["architecture"]]))}
    table = table.sort_values(_CELL, key=lambda column: column.replace(ranks), ignore_index=True)
    table["share_undefined"] = (
        (table["n_undefined"] / table["n"]).astype("Float64").to_numpy(float, na_value=np.nan)
    )
    rows, groups = len(table), len(table[["T", "explainer"]].drop_duplicates())
    figure = Figure((style.WIDTH, _ROW * rows + _GAP * groups + 1.0), layout="constrained")
    undefined, errors = figure.subplots(1, 2, sharey=True)
    _draw_rows(undefined, errors, table)
    figure.suptitle(datasets[0], x=0.01, ha="left", fontsize=style.FONT)
    remark = (
        "Undefined: samples without positive relevance, of all networks together. Conservation: the largest "
        "distance, relative, of a map's sum and what was kept on the way from the relevance to be divided; "
        "SA, GB and their like conserve nothing and have none. Dashed: the rounding of one number (float32)."
    )
    figure.supxlabel(style.wrapped(remark), x=0.01, ha="left", fontsize=style.SMALL, color=style.GREY)
    return figure, table


def _draw_rows(undefined: Axes, errors: Axes, table: pd.DataFrame) -> None:
    y, ticks = 0.0, {}
    for (T, explainer), rows in table.groupby(["T", "explainer"], sort=False):
        first = y
        for _, row in rows.iterrows():
            look = style.look(row["architecture"])
            if pd.notna(row["n_undefined"]):
                undefined.barh(
                    y,
                    row["share_undefined"],
                    0.8 * _ROW,
                    facecolor=look.colour if look.filled else "white",
                    edgecolor=look.colour,
                    linewidth=0.6,
                )
                text = f"{row['architecture']}  {row['n_undefined']} of {row['n']}"
            else:
                text = f"{row['architecture']}  not counted, without marks"
            undefined.annotate(
                text,
                (row["share_undefined"] if pd.notna(row["share_undefined"]) else 0, y),
                xytext=(3, 0),
                textcoords="offset points",
                va="center_baseline",
                fontsize=style.SMALL,
            )
            if pd.notna(row["conservation_max_error"]):
                errors.plot(max(row["conservation_max_error"], 1e-17), y, **style.marker_style(look, 3.5))
            y += _ROW
        several = f", T = {T}" if table["T"].nunique() > 1 else ""
        ticks[(first + y - _ROW) / 2] = style.explainer_title(str(explainer)) + several
        y += _GAP
    undefined.set_yticks(list(ticks), list(ticks.values()))
    undefined.set_ylim(y - _GAP - 0.3 * _ROW, -0.8 * _ROW)
    largest = table["share_undefined"].dropna().max()  # of nothing: NaN
    undefined.set_xlim(0, 2 * largest if largest > 0 else 1)
    undefined.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    undefined.xaxis.set_major_locator(MaxNLocator(3))
    undefined.set_title("undefined scores")
    errors.set_title("largest conservation error")
    errors.set_xscale("log")
    errors.axvline(_FLOAT32, color=style.GREY, linewidth=0.7, linestyle=(0, (4, 2)))
    found = table["conservation_max_error"].dropna()
    errors.set_xlim(min([1e-8, *found]) / 3, max([1e-5, *found]) * 3)
    for axes in (undefined, errors):
        axes.tick_params("y", length=0)
