"""Where did the score go? The books of explanations, a bar for each."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any, Protocol

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from rnnxai.errors import Error
from rnnxai.figures import style

_PLACES = {  # in the order in which they stand in a bar: name, colour
    "input": ("arrived at the input", style.BLUE),
    "bias": ("kept by biases, layer by layer", style.ORANGE),
    "stabiliser": ("absorbed by stabilisers", style.GREEN),
    "initial_state": ("left in initial states", style.PURPLE),
    "dropped": ("dropped", style.VERMILLION),
    "missing": ("missing", style.INK),
}
_BAR, _PANEL = 0.21, 0.34  # height of a bar, and what a panel takes beside its bars, in inches
_LINE, _FRAME = 0.17, 0.75  # height of a line of the legend, and of all that is below the panels
_THICK = 0.72  # of the distance between bars
_LEAST = 5e-4  # of the score: what is less is not drawn, but stands in the table
_LETTER = 0.062  # inches, of small text
_AXIS = 4.2  # length of the x axis in inches, nearly


class Books(Protocol):
    """What is drawn of a ledger, such as that of :func:`rnnxai.explain`."""

    start: NDArray[np.float64]
    inputs: NDArray[np.float64]

    def table(self) -> pd.DataFrame:
        """Return a row per layer and step with what was lost there, summed over all samples."""
        ...


@style.styled()
def draw(ledgers: Mapping[tuple[str, str], Books]) -> tuple[Figure, pd.DataFrame]:
    """Draw how much of the explained score arrived at the input, and where the rest was kept.

    There is a panel for each model and a bar for each explainer. What speaks for the score lies right of 0
    and what speaks against it left, so that right less left is the whole score: biases that counteract it
    have taken part of it that the input must make up for. Amounts are sums over all samples of a ledger,
    as parts of the sum of their scores.

    Parameters
    ----------
    ledgers : Mapping[(str, str), Books]
        By model and explainer.

    Returns
    -------
    Figure
    DataFrame
        A row per model, explainer and place: ``place`` (``input``, ``bias``, ``stabiliser``,
        ``initial_state``, ``dropped``, or ``missing``, which only rounding makes differ from 0), ``layer``
        (empty for the input and what is missing), ``amount`` in units of the score and ``share`` of it.

    Raises
    ------
    Error
        If there is no ledger, or scores sum to 0, so that nothing is a part of them.
    """
    if not ledgers:
        raise Error("there are no ledgers; the figure shows one or more, by model and explainer")
    models = style.in_order(model for model, _ in ledgers)
    explainers = {m: style.in_order(name for model, name in ledgers if model == m) for m in models}
    table = pd.DataFrame(
        [row for m in models for name in explainers[m] for row in _rows(m, name, ledgers[m, name])]
    )
    shown = table[table["share"].abs() >= _LEAST]
    bars = [len(explainers[model]) for model in models]
    used = [place for place in _PLACES if place in set(shown["place"])]
    height = _BAR * sum(bars) + _PANEL * len(bars) + _LINE * ceil(len(used) / 2) + _FRAME
    figure = Figure((style.WIDTH, height), layout="constrained")
    panels = figure.subplots(len(models), 1, sharex=True, squeeze=False, height_ratios=bars)[:, 0]
    _prepare(panels[-1], shown)
    for axes, model in zip(panels, models, strict=True):
        axes.set_title(model, weight="bold")
        _draw_bars(axes, shown[shown["model"] == model], explainers[model])
    handles = [Rectangle((0, 0), 1, 1, facecolor=_PLACES[place][1]) for place in used]
    names = [_PLACES[place][0] for place in used]
    figure.legend(handles, names, loc="outside upper left", ncols=2, handleheight=1)
    remark = (
        "Sums over all samples. Right of 0: relevance of the score's own sign; left: of the other sign. "
        "What lies right less what lies left is the score."
    )
    figure.supxlabel(style.wrapped(remark), x=0.01, ha="left", fontsize=style.SMALL, color=style.GREY)
    return figure, table


def _rows(model: str, explainer: str, books: Books) -> Iterator[dict[str, Any]]:
    """Yield where the score of one explanation went, in the order of a bar."""
    start = float(books.start.sum())
    if not abs(start) > 0:
        raise Error(f"{model}, {explainer}: the explained scores sum to {start:g}; nothing is a part of that")
    lost = books.table().groupby("layer", sort=False).sum()
    amounts = [("input", "", float(books.inputs.sum()))]
    for place in _PLACES:
        if place in lost:
            amounts += [(place, str(layer), float(value)) for layer, value in lost[place].items()]
    amounts.append(("missing", "", start - sum(amount for *_, amount in amounts)))
    for place, layer, amount in amounts:
        yield {
            "model": model,
            "explainer": explainer,
            "place": place,
            "layer": layer,
            "amount": amount,
            "share": amount / start,
        }


def _prepare(axes: Axes, shown: pd.DataFrame) -> None:
    """Set the axis that all panels share."""
    sides = shown.groupby([shown["model"], shown["explainer"], shown["share"] > 0])["share"].sum()
    low, high = min(0, sides.min()), max(1, sides.max())
    axes.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("part of the explained score")


def _draw_bars(axes: Axes, shown: pd.DataFrame, explainers: list[str]) -> None:
    low, high = axes.get_xlim()
    inch = (high - low) / _AXIS
    for y, explainer in enumerate(explainers):
        ends = {True: 0.0, False: 0.0}
        rows = shown[shown["explainer"] == explainer]
        for place, layer, share in zip(rows["place"], rows["layer"], rows["share"], strict=True):
            left = ends[share > 0]
            ends[share > 0] += share
            colour = _PLACES[place][1]
            axes.barh(y, share, _THICK, left, color=colour, edgecolor="white", linewidth=0.4)
            text = layer or f"{share:.0%}"
            if abs(share) > (len(text) + 1) * _LETTER * inch:
                middle = left + share / 2
                ink = "white" if place in ("input", "missing") else style.INK
                axes.text(middle, y, text, ha="center", va="center_baseline", fontsize=style.SMALL, color=ink)
    for x in (0, 1):
        axes.axvline(x, color=style.INK, linewidth=0.7, zorder=3)
    axes.set_yticks(range(len(explainers)), [style.explainer_title(name) for name in explainers])
    axes.set_ylim(len(explainers) - 0.4, -0.6)
    axes.tick_params("y", length=0)
    axes.spines["left"].set_visible(False)
