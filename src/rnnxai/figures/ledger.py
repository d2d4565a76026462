"""Where did the score go? The books of explanations, a bar for each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from rnnxai.archive.format import KEPT
from rnnxai.archive.read import AttributionArchive
from rnnxai.errors import Error
from rnnxai.figures import style
from rnnxai.figures.cells import Cell, read_cells

_PLACES = {  # in the order in which they stand in a bar: name, colour, hatch for grey print
    "input": ("arrived at the input", style.BLUE, ""),
    "bias": ("kept by biases", style.ORANGE, "///"),
    "stabiliser": ("absorbed by stabilisers", style.GREEN, "..."),
    "initial_state": ("left in initial states", style.PURPLE, "xxx"),
    "dropped": ("dropped", style.VERMILLION, "---"),
    "missing": ("missing", style.INK, ""),
}
_BAR, _PANEL = 0.21, 0.34  # height of a bar, and what a panel takes beside its bars, in inches
_LINE, _FRAME = 0.17, 0.75  # height of a line of the legend, and of all that is below the panels
_THICK = 0.72  # of the distance between bars
_LEAST = 5e-4  # of the score: what is less is not drawn, but stands in the table
_CUT = (-2, 3)  # of the score: where scores nearly cancel, bars beyond would dwarf all others
_LETTER = 0.062  # inches, of small text
_AXIS = 4.2  # length of the x axis in inches, nearly
_REMARK: dict[str, Any] = {"fontsize": style.SMALL, "color": style.GREY}
_COLUMNS = ["model", "explainer", "place", "layer", "amount", "share"]


class Books(Protocol):
    """What is drawn of a ledger, such as that of :func:`rnnxai.explain`."""

    start: NDArray[np.float64]
    inputs: NDArray[np.float64]

    def table(self) -> pd.DataFrame:
        """Return a row per layer and step with what was lost there, summed over all samples."""
        ...


@dataclass(eq=False)
class Totals:
    """The books that an archive keeps: what was lost in all layers together."""

    start: NDArray[np.float64]
    inputs: NDArray[np.float64]
    lost: Mapping[str, float]

    @classmethod
    def read(cls, archive: AttributionArchive) -> Self | None:
        """Read them of all samples; an explainer that does not conserve relevance has none."""
        if not archive.layout.conserves:
            return None
        lost = {place: float(archive[field.name][:].sum()) for place, field in KEPT.items()}
        return cls(archive["starting_relevance"][:], archive["relevance_sum"][:], lost)

    def table(self) -> pd.DataFrame:
        """Return the totals as the books of one layer without a name."""
        return pd.DataFrame([{"layer": "", **self.lost}])


def draw_archives(archives: Mapping[Cell, str | Path]) -> tuple[Figure, pd.DataFrame]:
    """Draw the books of archives, as :func:`draw` does those of ledgers.

    Parameters
    ----------
    archives : Mapping[(str, str), path]
        Attribution files by architecture and explainer, of one data set, number of steps and fold.

    Returns
    -------
    Figure
    DataFrame
        As :func:`draw` returns it, without layers, which archives do not tell apart.

    Raises
    ------
    Error
        If there is no archive or they do not belong together.
    """
    title, books = read_cells(archives, Totals.read)
    return draw(books, title)


@style.styled()
def draw(ledgers: Mapping[Cell, Books | None], title: str = "") -> tuple[Figure, pd.DataFrame]:
    """Draw how much of the explained score arrived at the input, and where the rest was kept.

    There is a panel for each model and a bar for each explainer. What speaks for the score lies right of 0
    and what speaks against it left, so that right less left is the whole score: biases that counteract it
    have taken part of it that the input must make up for. Amounts are sums over all samples of a ledger,
    as parts of the sum of their scores. Where that sum is 0, or there are no books, words stand for the bar.

    Parameters
    ----------
    ledgers : Mapping[(str, str), Books or None]
        By model and explainer; None for an explainer that does not conserve relevance.
    title : str
        What the models have in common, such as their data set.

    Returns
    -------
    Figure
    DataFrame
        A row per model, explainer and place: ``place`` (``input``, ``bias``, ``stabiliser``,
        ``initial_state``, ``dropped``, or ``missing``, which only rounding makes differ from 0), ``layer``
        (empty for the input, what is missing, and totals of all layers), ``amount`` in units of the score
        and ``share`` of it (NaN where scores sum to 0).

    Raises
    ------
    Error
        If there is no ledger.
    """
    if not ledgers:
        raise Error("there are no ledgers; the figure shows one or more, by model and explainer")
    models = style.in_order(model for model, _ in ledgers)
    explainers = {m: style.in_order(name for model, name in ledgers if model == m) for m in models}
    found = {(m, name): ledgers[m, name] for m in models for name in explainers[m]}
    rows = [row for cell, books in found.items() if books for row in _rows(*cell, books)]
    table = pd.DataFrame(rows, columns=_COLUMNS).astype({"amount": float, "share": float})
    shown = table[table["share"].abs() >= _LEAST]
    bars = [len(explainers[model]) for model in models]
    used = [place for place in _PLACES if place in set(shown["place"])]
    height = _BAR * sum(bars) + _PANEL * len(bars) + _FRAME
    height += _LINE * (ceil(len(used) / 2) + bool(title))
    figure = Figure((style.WIDTH, height), layout="constrained")
    panels = figure.subplots(len(models), 1, sharex=True, squeeze=False, height_ratios=bars)[:, 0]
    cut = _prepare(panels[-1], shown)
    for axes, model in zip(panels, models, strict=True):
        axes.set_title(model, weight="bold")
        _draw_bars(axes, shown[shown["model"] == model], explainers[model])
        for y, name in enumerate(explainers[model]):
            if words := _no_bar(found[model, name]):
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # no line goes through words
                offset = {"xytext": (4, 0), "textcoords": "offset points"}
                axes.annotate(words, (0, y), va="center", bbox=box, zorder=4, **offset, **_REMARK)
    handles = [Rectangle((0, 0), 1, 1, **_face(place)) for place in used]
    names = [_PLACES[place][0] for place in used]
    if shown["layer"].any():
        names = [f"{name}, layer by layer" if name == "kept by biases" else name for name in names]
    figure.legend(
        handles, names, loc="outside upper left", ncols=2, handleheight=1, title=title, alignment="left"
    )
    remark = (
        "Sums over all samples. Right of 0: relevance of the score's own sign; left: of the other sign. "
        "What lies right less what lies left is the score."
    )
    if cut:
        remark += " Bars that are longer than the axis are cut; the table has their lengths."
    figure.supxlabel(style.wrapped(remark), x=0.01, ha="left", **_REMARK)
    return figure, table


def _face(place: str) -> dict[str, Any]:
    _, colour, hatch = _PLACES[place]
    return {"facecolor": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.4}


def _no_bar(books: Books | None) -> str:
    """Say why there is nothing to draw, if so."""
    if books is None:
        return "does not conserve relevance"
    return "" if books.start.sum() else "nothing to divide: the scores sum to 0"


def _rows(model: str, explainer: str, books: Books) -> Iterator[dict[str, Any]]:
    """Yield where the score of one explanation went, in the order of a bar."""
    start = float(books.start.sum())
    lost = books.table().groupby("layer", sort=False).sum()
    amounts = [("input", "", float(books.inputs.sum()))]
    for place in _PLACES:
        if place in lost:
            amounts += [(place, str(layer), float(value)) for layer, value in lost[place].items()]
    amounts.append(("missing", "", start - sum(amount for *_, amount in amounts)))
    for place, layer, amount in amounts:
        share = amount / start if start else np.nan
        yield dict(zip(_COLUMNS, (model, explainer, place, layer, amount, share), strict=True))


def _prepare(axes: Axes, shown: pd.DataFrame) -> bool:
    """Set the axis that all panels share, and return whether a bar is longer."""
    sides = shown.groupby([shown["model"], shown["explainer"], shown["share"] > 0])["share"].sum()
    low, high = min([0, *sides]), max([1, *sides])
    cut = bool(low < _CUT[0] or high > _CUT[1])
    low, high = np.clip([low, high], *_CUT)
    axes.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("part of the explained score")
    return cut


def _draw_bars(axes: Axes, shown: pd.DataFrame, explainers: list[str]) -> None:
    low, high = axes.get_xlim()
    inch = (high - low) / _AXIS
    for y, explainer in enumerate(explainers):
        ends = {True: 0.0, False: 0.0}
        rows = shown[shown["explainer"] == explainer]
        for place, layer, share in zip(rows["place"], rows["layer"], rows["share"], strict=True):
            left = ends[share > 0]
            ends[share > 0] += share
            axes.barh(y, share, _THICK, left, **_face(place))
            text = layer or f"{share:.0%}".replace("-", "\N{MINUS SIGN}")
            seen = np.clip([left, left + share], low, high)
            if abs(seen[1] - seen[0]) > (len(text) + 1) * _LETTER * inch:
                middle = seen.mean()
                ink = "white" if place in ("input", "missing") else style.INK
                axes.text(middle, y, text, ha="center", va="center_baseline", fontsize=style.SMALL, color=ink)
    for x in (0, 1):
        axes.axvline(x, color=style.INK, linewidth=0.7, zorder=3)
    axes.set_yticks(range(len(explainers)), [style.explainer_title(name) for name in explainers])
    axes.set_ylim(len(explainers) - 0.4, -0.6)
    axes.tick_params("y", length=0)
    axes.spines["left"].set_visible(False)
