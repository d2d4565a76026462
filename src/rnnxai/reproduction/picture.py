"""Published cosines and curves beside ours, as pictures."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rnnxai.figures import style
from rnnxai.scoring.statistics import reference_levels

_ASIDE = 0.16  # of the distance between two architectures, to either side
_SIZE = 3.5  # of a marker in points


@style.styled()
def draw_cosines(compared: pd.DataFrame, dataset: str) -> tuple[Figure, pd.DataFrame] | None:
    """Draw the published cosines of a data set and ours, a panel for each explainer.

    Parameters
    ----------
    compared : DataFrame
        From :func:`rnnxai.reproduction.compare.compare`.
    dataset : str

    Returns
    -------
    Figure and DataFrame, or None
        The picture and its numbers, if anything of it has run.
    """
    rows = compared[(compared["metric"] == "cosine") & (compared["dataset"] == dataset)]
    rows = rows[rows["ours"].notna() | rows["value"].notna()]
    if not rows["ours"].notna().any():
        return None
    explainers = style.in_order(rows["explainer"])
    architectures = style.in_order(rows["architecture"])
    figure = Figure((style.WIDTH, 4.6), layout="constrained")
    grid = figure.subplots(2, (len(explainers) + 1) // 2, sharex=True, sharey=True, squeeze=False)
    for axes, explainer in zip(grid.flat, explainers, strict=False):
        _panel(axes, rows[rows["explainer"] == explainer], architectures)
        axes.set_title(style.explainer_title(explainer))
    for axes in grid[:, 0]:
        axes.set_ylabel("cosine")
    handles = [
        Line2D([], [], color=style.INK, marker="o", markersize=_SIZE, linewidth=0.8),
        Line2D(
            [], [], color=style.GREY, marker="s", markerfacecolor="white", markersize=_SIZE, linewidth=0.8
        ),
        Line2D([], [], color=style.GREY, linewidth=0.6, linestyle=(0, (4, 2))),
    ]
    figure.legend(
        handles,
        ["ours", "published", "relevance spread evenly"],
        loc="outside upper left",
        ncols=3,
        title=f"{dataset}",
        alignment="left",
    )
    text = (
        "Cosine with the majority marks, means over folds. Bars: ours, the t interval corrected for the "
        "training data that folds share; published, the bootstrap interval that was drawn. No bar of ours: a "
        "single fold. Only published: not run."
    )
    figure.supxlabel(style.wrapped(text), x=0.01, ha="left", fontsize=style.SMALL, color=style.GREY)
    columns = ["architecture", "explainer", "value", "low", "high", "ours", "ours_low", "ours_high", "runs"]
    return figure, rows[columns].reset_index(drop=True)


def _panel(axes: Axes, rows: pd.DataFrame, architectures: list[str]) -> None:
    axes.axhline(
        reference_levels()["uniform"], color=style.GREY, linewidth=0.6, linestyle=(0, (4, 2)), zorder=0.5
    )
    place = {name: number for number, name in enumerate(architectures)}
    for row in rows.to_dict("records"):
        x = place[row["architecture"]]
        axes.vlines(x + _ASIDE, row["low"], row["high"], color=style.GREY, linewidth=0.8)
        axes.plot(
            x + _ASIDE,
            row["value"],
            marker="s",
            markersize=_SIZE,
            color=style.GREY,
            markerfacecolor="white",
            markeredgewidth=0.8,
        )
        axes.vlines(x - _ASIDE, row["ours_low"], row["ours_high"], color=style.INK, linewidth=0.8)
        axes.plot(x - _ASIDE, row["ours"], marker="o", markersize=_SIZE, color=style.INK)
    axes.set_xticks(range(len(architectures)), architectures)
    for label in axes.get_xticklabels():
        label.set(rotation=40, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, len(architectures) - 0.4)
    axes.tick_params("x", length=0)


@style.styled()
def draw_steps(compared: pd.DataFrame) -> tuple[Figure, pd.DataFrame] | None:
    """Draw along which steps relevance lies, published and ours (Figure 3.7 of the thesis).

    Parameters
    ----------
    compared : DataFrame
        From :func:`rnnxai.reproduction.compare.compare`.

    Returns
    -------
    Figure and DataFrame, or None
        The picture and its numbers, if anything of it has run.
    """
    rows = compared[compared["metric"] == "relevance-per-step"]
    if not rows["ours"].notna().any():
        return None
    explainers = style.in_order(rows["explainer"])
    architectures = style.in_order(rows["architecture"])
    figure = Figure((style.WIDTH, 2.6), layout="constrained")
    panels = figure.subplots(1, len(explainers), sharey=True, squeeze=False)[0]
    for axes, explainer in zip(panels, explainers, strict=True):
        axes.set_title(style.explainer_title(explainer))
        for architecture in architectures:
            look = style.look(architecture)
            own = rows[(rows["explainer"] == explainer) & (rows["architecture"] == architecture)]
            own = own.sort_values("step")
            axes.plot(
                own["step"], own["ours"], color=look.colour, linewidth=1, **style.marker_style(look, _SIZE)
            )
            axes.plot(own["step"], own["value"], color=look.colour, linewidth=0.8, linestyle=(0, (3, 2)))
        axes.set_xlabel("step")
    panels[0].set_ylabel("share of relevance")
    panels[0].set_ylim(bottom=0)
    looks = [(name, style.look(name)) for name in architectures]
    handles = [
        Line2D([], [], color=look.colour, linewidth=1, **style.marker_style(look, _SIZE)) for _, look in looks
    ]
    handles.append(Line2D([], [], color=style.INK, linewidth=0.8, linestyle=(0, (3, 2))))
    names = [*(f"{name}, ours" for name in architectures), "published"]
    figure.legend(
        handles, names, loc="outside upper left", ncols=3, title="Digit 1 of mnist", alignment="left"
    )
    notes = "; ".join(dict.fromkeys(note for note in rows["note"] if note))
    if notes:
        text = style.wrapped(f"Published values that cannot be compared: {notes}.")
        figure.supxlabel(text, x=0.01, ha="left", fontsize=style.SMALL, color=style.GREY)
    columns = ["architecture", "explainer", "step", "value", "ours", "note"]
    return figure, rows[columns].reset_index(drop=True)
