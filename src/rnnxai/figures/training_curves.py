"""Loss and test accuracy per epoch, architecture by architecture, on one data set."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rnnxai.data.dataset import Fold
from rnnxai.errors import Error
from rnnxai.figures import style
from rnnxai.scoring.table import QUALITY

_KEYS = ("epoch", "loss", "test_accuracy")
_ROW = 0.95  # height in inches
_TICKS_APART = 0.2  # of the axis
_LOSSES = [step * 10.0**power for step in (1, 3, 2, 5) for power in range(2, -9, -1)]
_ACCURACIES = (1, 0.98, 0.9, 0.8, 0.5, 0, 0.95, 0.99, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1, 0.97, 0.995, 0.999)


@style.styled()
def draw(
    metrics: Mapping[tuple[str, Fold], str | Path], gate: float | None = None, title: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw loss and test accuracy over the epochs, a row of panels for each architecture.

    A thin line is a fold, the thick one their mean over the epochs that all of them have. The fixed split
    is no repetition of the folds: it has a dashed line of its own, and no part in their mean and number.
    The accuracy axis is stretched towards 1, where networks differ. Architectures with a network that ends
    below the gate are named, never left out.

    Parameters
    ----------
    metrics : Mapping[(str, int or "quality"), path]
        By architecture and fold, or the fixed split, files of JSON lines with ``epoch``, ``loss`` and
        ``test_accuracy``.
    gate : float, optional
        Test accuracy that a network should reach, between 0 and 1.
    title : str
        What the networks have in common, such as their data set.

    Returns
    -------
    Figure
    DataFrame
        A row per architecture, fold and epoch: ``loss``, ``test_accuracy``, and ``below_gate``, whether
        the fold ends below the gate (empty without a gate).

    Raises
    ------
    Error
        If there is no file, one cannot be read or is empty, or the gate is not between 0 and 1.
    """
    if not metrics:
        raise Error("there are no metrics; training curves need at least one file")
    if gate is not None and not 0 <= gate <= 1:
        raise Error(f"gate is {gate}; an accuracy lies between 0 and 1")
    architectures = style.in_order(architecture for architecture, _ in metrics)
    table = pd.concat(
        [
            _read(Path(metrics[key]), *key, gate)
            for key in sorted(metrics, key=lambda key: (architectures.index(key[0]), _number(key[1])))
        ],
        ignore_index=True,
    )
    figure = Figure((style.WIDTH, _ROW * len(architectures) + 0.65), layout="constrained")
    panels = figure.subplots(len(architectures), 2, sharex=True, sharey="col", squeeze=False)
    _prepare(panels[0, 0], panels[0, 1], table, gate)
    for (losses, accuracies), architecture in zip(panels, architectures, strict=True):
        rows = table[table["architecture"] == architecture]
        for axes, quantity in ((losses, "loss"), (accuracies, "test_accuracy")):
            _draw_folds(axes, rows, quantity, style.look(architecture).colour)
        losses.set_title(architecture, weight="bold")
        _judge(accuracies, rows, gate)
    for axes, quantity in zip(panels[-1], ("training loss", "test accuracy"), strict=True):
        axes.set_xlabel(f"{quantity} after each epoch")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=style.FONT)
    figure.supxlabel(_remark(table, gate), x=0.01, ha="left", fontsize=style.SMALL, color=style.GREY)
    return figure, table


def _read(path: Path, architecture: str, fold: Fold, gate: float | None) -> pd.DataFrame:
    rows = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            values = json.loads(line)
            rows.append([float(values[key]) for key in _KEYS])
            if not np.isfinite(rows[-1]).all():
                raise Error(f"{path}: line {number} is {line}; its numbers must be finite")
            if not 0 <= rows[-1][-1] <= 1:
                raise Error(f"{path}: line {number} is {line}; an accuracy lies between 0 and 1")
    except OSError as error:
        raise Error(f"{path}: the metrics cannot be read ({error.strerror})") from error
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, Error):
            raise
        raise Error(f"{path}: a line of metrics must be JSON with {', '.join(_KEYS)} ({error!r})") from error
    if not rows:
        raise Error(f"{path} holds no epoch; training curves need at least one")
    table = pd.DataFrame(rows, columns=list(_KEYS)).astype({"epoch": "int64"})
    table.insert(0, "architecture", architecture)
    table.insert(1, "fold", str(fold))
    below = None if gate is None else bool(rows[-1][-1] < gate)
    return table.assign(below_gate=below)


def _number(fold: Fold) -> tuple[int, str]:
    return (int(fold), "") if str(fold).isdigit() else (-1, str(fold))


def _prepare(losses: Axes, accuracies: Axes, table: pd.DataFrame, gate: float | None) -> None:
    """Set the axes that all rows share."""
    if (table["loss"] > 0).all():
        losses.set_yscale("log")
        _set_ticks(losses, np.log10, table["loss"], _LOSSES)
        losses.minorticks_off()
    accuracies.set_yscale("function", functions=(_stretch, _shrink))
    shown = [*table["test_accuracy"], *([] if gate is None else [gate])]
    low, high = _stretch(min(shown)), _stretch(max(shown))
    margin = 0.05 * (high - low) or 0.05
    accuracies.set_ylim(*_shrink([low - margin, high + margin]))
    _set_ticks(accuracies, _stretch, accuracies.get_ylim(), _ACCURACIES)
    losses.set_xlim(table["epoch"].min() - 0.5, table["epoch"].max() + 0.5)
    losses.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))


def _stretch(accuracy: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Square root of the error: finite at an accuracy of 1, and near it almost as open as a logarithm."""
    error = 1 - np.asarray(accuracy, dtype=np.float64)
    return -np.sign(error) * np.sqrt(np.abs(error))


def _shrink(stretched: npt.ArrayLike) -> npt.NDArray[np.float64]:
    place = np.asarray(stretched, dtype=np.float64)
    return 1 + np.sign(place) * place**2


def _set_ticks(
    axes: Axes,
    place: Callable[[npt.ArrayLike], npt.NDArray[np.float64]],
    shown: Iterable[float],
    wanted: Sequence[float],
) -> None:
    """Put ticks at the values wanted most that are in range and far enough apart."""
    low, high = min(shown), max(shown)
    apart = _TICKS_APART * (place(high) - place(low))
    kept: list[float] = []
    for value in wanted:
        if low <= value <= high and all(abs(place(value) - place(other)) >= apart for other in kept):
            kept.append(value)
    if kept:
        axes.set_yticks(kept, [f"{value:g}" for value in kept])


def _draw_folds(axes: Axes, rows: pd.DataFrame, quantity: str, colour: str) -> None:
    networks = rows.pivot_table(index="epoch", columns="fold", values=quantity, sort=False).sort_index()
    folds = networks.drop(columns=QUALITY, errors="ignore")
    marker = "." if len(networks) == 1 else ""
    if folds.shape[1] > 1:
        for fold in folds:
            axes.plot(folds.index, folds[fold], color=colour, linewidth=0.5, alpha=0.7, marker=marker)
    if folds.shape[1]:
        mean = folds.dropna().mean(axis=1)
        axes.plot(mean.index, mean, color=colour, linewidth=1.2, marker=marker, label="mean")
    if QUALITY in networks:
        split = networks[QUALITY].dropna()
        axes.plot(split.index, split, "--", color=colour, linewidth=0.9, marker=marker, label=QUALITY)


def _judge(axes: Axes, rows: pd.DataFrame, gate: float | None) -> None:
    """Write where the folds and the fixed split end, and draw the gate."""
    ends = rows.drop_duplicates("fold", keep="last")
    fixed = ends["fold"] == QUALITY
    parts = []
    if folds := int((~fixed).sum()):
        end = style.number(ends.loc[~fixed, "test_accuracy"].mean())
        parts.append(f"{folds} folds end at {end}" if folds > 1 else f"ends at {end}")
    if fixed.any():
        end = style.number(ends.loc[fixed, "test_accuracy"].mean())
        parts.append(f"split {end}" if folds else f"split ends at {end}")
    text = ", ".join(parts)
    colour = style.INK
    if gate is not None:
        axes.axhline(gate, color=style.GREY, linewidth=0.7, linestyle=(0, (4, 2)), label="gate")
        if below := int((ends["test_accuracy"] < gate).sum()):
            count = f"{below} " if len(ends) > 1 else ""
            text, colour = f"{text}, {count}below the gate", style.VERMILLION
    axes.set_title(text, color=colour, fontsize=style.FONT - 1)


def _remark(table: pd.DataFrame, gate: float | None) -> str:
    fixed = table["fold"] == QUALITY
    parts = []
    if not fixed.all():
        several = table[~fixed].groupby("architecture")["fold"].nunique().max() > 1
        parts.append("Thin: folds. Thick: their mean." if several else "Solid: one fold each.")
    if fixed.any():
        parts.append("Dashed: the fixed split, which no mean includes.")
    parts.append("The accuracy axis is stretched towards 1.")
    if gate is not None:
        parts.append(f"Grey dashes: the gate, {style.number(gate)}.")
    lines = [" ".join(parts)]
    if gate is not None:
        ends = table[table["below_gate"].astype(bool)].drop_duplicates(["architecture", "fold"])
        named = [
            f"{architecture} ({_named(folds)})"
            for architecture, folds in ends.groupby("architecture", sort=False)["fold"]
        ]
        lines.append(f"Below the gate: {', '.join(named) or 'none'}.")
    return "\n".join(map(style.wrapped, lines))


def _named(networks: "pd.Series[str]") -> str:
    folds = [fold for fold in networks if fold != QUALITY]
    names = [f"fold{'s' * (len(folds) > 1)} {', '.join(folds)}"] if folds else []
    return ", ".join(names + ["fixed split"] * (len(folds) < len(networks)))
