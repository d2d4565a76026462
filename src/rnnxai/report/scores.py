"""The scores of a study as a chart, whose bars lead to samples, and as a table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rnnxai.figures.style import explainer_title, in_order, number
from rnnxai.report.tables import Column, Table
from rnnxai.scoring.statistics import reference_levels
from rnnxai.scoring.summary import COUNTED_OTHERWISE
from rnnxai.scoring.table import QUALITY, read_table

_SHOWN = "cosine"
_NONE = "\N{EN DASH}"
_INTERVALS = {  # the first that a summary has
    "corrected": "corrected for the training data that folds share",
    "t": "Student t",
}


@dataclass(frozen=True)
class Bar:
    """The mean cosine of an explainer on an architecture.

    Attributes
    ----------
    title : str
        The explainer.
    explainer, fold : str
        Where its samples are; `fold` is the first of those averaged.
    mean, low, high : float or None
        None where there is none; no interval of a single network.
    dots : sequence of float
        The folds.
    undefined, n : int
        Samples without a score, of how many, in all folds.
    """

    title: str
    explainer: str
    fold: str
    mean: float | None
    low: float | None
    high: float | None
    dots: Sequence[float]
    undefined: int
    n: int

    @property
    def text(self) -> str:
        """The numbers in words."""
        if self.mean is None:
            return "undefined"
        return number(self.mean) + (
            "" if self.low is None or self.high is None else f" {_interval(self.low, self.high)}"
        )


@dataclass(frozen=True)
class Panel:
    """Scores of one data set and number of steps.

    Attributes
    ----------
    dataset : str
    steps : int
    groups : dict
        Architecture to its bars; empty for data without marks.
    levels : dict
        Name of a trivial explanation to its cosine.
    table : Table
    """

    dataset: str
    steps: int
    groups: Mapping[str, Sequence[Bar]]
    levels: Mapping[str, float]
    table: Table


@dataclass(frozen=True)
class Scores:
    """All scores of a study.

    Attributes
    ----------
    panels : sequence of Panel
    interval : str
        What the intervals are, in words.
    best : tuple of (Panel, str, Bar), or None
        The highest mean cosine: where it is, of which architecture, and the bar.
    """

    panels: Sequence[Panel]
    interval: str

    @property
    def best(self) -> tuple[Panel, str, Bar] | None:
        """The panel, architecture and bar of the highest mean."""
        bars = [
            (panel, architecture, bar)
            for panel in self.panels
            for architecture, bars in panel.groups.items()
            for bar in bars
            if bar.mean is not None
        ]
        return max(bars, key=lambda found: found[2].mean or 0, default=None)


def read_scores(scores_path: Path, summary_path: Path, blocks: Mapping[str, int]) -> Scores:
    """Read the tables of a study.

    Parameters
    ----------
    scores_path, summary_path : Path
        Rows of archives, and their summary over folds.
    blocks : Mapping[str, int]
        Blocks of the data sets that have marks.

    Returns
    -------
    Scores

    Raises
    ------
    Error
        If a table cannot be read.
    """
    scores, summary = read_table(scores_path), read_table(summary_path)
    kind = next(kind for kind in _INTERVALS if f"{kind}_low" in summary)
    summary = summary.rename(columns={f"{kind}_low": "low", f"{kind}_high": "high"})
    panels = []
    for dataset, steps in summary[["dataset", "T"]].drop_duplicates().itertuples(index=False):
        of_panel = summary[(summary["dataset"] == dataset) & (summary["T"] == steps)]
        rows = scores[(scores["dataset"] == dataset) & (scores["T"] == steps)]
        marked = dataset in blocks
        panels.append(
            Panel(
                str(dataset),
                int(steps),
                _groups(of_panel, rows) if marked else {},
                reference_levels(blocks[str(dataset)]) if marked else {},
                _table(of_panel, rows, marked),
            )
        )
    return Scores(panels, _INTERVALS[kind])


def _groups(summary: pd.DataFrame, scores: pd.DataFrame) -> dict[str, list[Bar]]:
    """Return the bars of each architecture; the fixed split stands only where there are no folds."""
    found: dict[str, list[Bar]] = {}
    for cell in _cells(summary[summary["score"] == _SHOWN]):
        rows = scores[
            (scores["architecture"] == cell["architecture"])
            & (scores["explainer"] == cell["explainer"])
            & ((scores["fold"] == QUALITY) == (cell["split"] == QUALITY))
        ]
        bar = Bar(
            explainer_title(cell["explainer"]),
            cell["explainer"],
            str(rows["fold"].iloc[0]),
            _number(cell["mean"]),
            _number(cell["low"]),
            _number(cell["high"]),
            [float(value) for value in rows[_SHOWN].dropna()],
            int(rows["n_undefined"].sum()),
            int(rows["n"].sum()),
        )
        found.setdefault(cell["architecture"], []).append(bar)
    return found


def _table(summary: pd.DataFrame, scores: pd.DataFrame, marked: bool) -> Table:
    names = [name for name in dict.fromkeys(summary["score"]) if name not in COUNTED_OTHERWISE]
    names = names if marked else []
    columns = [Column("architecture"), Column("explainer"), Column("networks", True)]
    columns += [Column("accuracy", True), *(Column(name.replace("_", " "), True) for name in names)]
    columns += [Column("undefined", True)] if marked else []
    rows = []
    for cell in _cells(summary.drop_duplicates(["architecture", "explainer", "split"]), alone=False):
        same = summary[
            (summary["architecture"] == cell["architecture"])
            & (summary["explainer"] == cell["explainer"])
            & (summary["split"] == cell["split"])
        ].set_index("score")
        networks = scores[
            (scores["architecture"] == cell["architecture"])
            & (scores["explainer"] == cell["explainer"])
            & ((scores["fold"] == QUALITY) == (cell["split"] == QUALITY))
        ]
        fixed = ", fixed split" if cell["split"] == QUALITY else ""
        row = [f"{cell['architecture']}{fixed}", explainer_title(cell["explainer"]), str(len(networks))]
        row.append(number(cell["accuracy"]))
        row += [_score(same.loc[name]) for name in names]
        if marked:
            row.append(f"{int(networks['n_undefined'].sum()):,} of {int(networks['n'].sum()):,}")
        rows.append(row)
    return Table(columns, rows)


def _cells(summary: pd.DataFrame, alone: bool = True) -> Iterator[dict[str, Any]]:
    """Yield the rows of cells in the order of figures, by default one split of each: the folds, if any."""
    rows: dict[tuple[str, str, bool], dict[str, Any]] = {
        (row["architecture"], row["explainer"], row["split"] == QUALITY): {**row}
        for _, row in summary.iterrows()
    }
    for architecture in in_order(summary["architecture"]):
        for explainer in in_order(summary["explainer"]):
            found = [rows.get((architecture, explainer, fixed)) for fixed in (False, True)]
            there = [row for row in found if row is not None]
            yield from there[:1] if alone else there


def _score(row: "pd.Series[Any]") -> str:
    if pd.isna(row["mean"]):
        return _NONE
    interval = "" if pd.isna(row["low"]) else f" {_interval(row['low'], row['high'])}"
    return f"{number(row['mean'])}{interval}"


def _interval(low: float, high: float) -> str:
    return f"[{number(low)}, {number(high)}]"


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
