"""Published numbers beside ours, and a verdict by a rule that was fixed before anything ran.

- An accuracy is reproduced if it is at most half a point below the published one: better is good.
- A cosine is reproduced within .03, or within twice the half-width of the published interval if that is more.
- A share of relevance at a step is reproduced within .03; a count of parameters, if it is equal.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rnnxai.reproduction.evidence import Evidence
from rnnxai.reproduction.published import HELD
from rnnxai.scoring.statistics import corrected_interval
from rnnxai.scoring.table import QUALITY

REPRODUCED, NOT_REPRODUCED, NOT_COMPARABLE, NOT_RUN = (
    "reproduced",
    "not reproduced",
    "not comparable",
    "not run",
)
VERDICTS = (REPRODUCED, NOT_REPRODUCED, NOT_COMPARABLE, HELD, NOT_RUN)
TOLERANCE = {
    "parameters": 0.0,
    "accuracy": 0.005,
    "cosine": 0.03,
    "relevance-per-step": 0.03,
    "ink-per-step": 0.03,
}
"""How far a number may be off, unless a published interval or the file of published values allows another."""
_ROUNDING = 1e-9  # so that exactly the tolerance is within it
Counts = Mapping[tuple[str, int], int]


def compare(published: pd.DataFrame, evidence: Evidence, counts: Counts) -> pd.DataFrame:
    """Set every published number beside ours.

    Parameters
    ----------
    published : DataFrame
        From :func:`rnnxai.reproduction.published.read_published`.
    evidence : Evidence
        Our runs.
    counts : Mapping[(str, int), int]
        Our parameters, counted as the thesis does, by architecture and T.

    Returns
    -------
    DataFrame
        The published rows with ``ours`` (a mean over ``runs``), ``ours_low`` and ``ours_high`` (its
        interval, corrected for the training data that folds share; NaN for a single run), ``difference``,
        ``within`` (the tolerance) and ``verdict``.
    """
    rows = []
    for row in published.to_dict("records"):
        ours = _values(row, evidence, counts)
        low, high = _interval(ours, row, evidence)
        mean = float(np.mean(ours)) if len(ours) else np.nan
        within = _tolerance(row)
        rows.append(
            row
            | {
                "runs": len(ours),
                "ours": mean,
                "ours_low": low,
                "ours_high": high,
                "difference": mean - row["value"],
                "within": within,
                "verdict": _verdict(row, mean, within),
            }
        )
    return pd.DataFrame(rows)


def _values(row: Mapping[Any, Any], evidence: Evidence, counts: Counts) -> npt.NDArray[np.float64]:
    metric, steps = row["metric"], int(row["steps"])
    if metric == "parameters":
        count = counts.get((row["architecture"], steps))
        return np.array([] if count is None else [count], dtype=float)
    runs = evidence.runs[(evidence.runs["dataset"] == row["dataset"]) & (evidence.runs["T"] == steps)]
    runs = runs[(runs["fold"] == QUALITY) == (row["folds"] == QUALITY)]
    if row["architecture"]:
        runs = runs[runs["architecture"] == row["architecture"]]
    if metric == "accuracy":
        return _array(runs.drop_duplicates("fold")["accuracy"])
    if metric == "cosine":  # the thesis counts an undefined one as 0
        own = runs[runs["explainer"] == row["explainer"]]
        return _array(own["cosine_zero"].dropna())
    if metric == "ink-per-step":
        return shares(runs["ink_steps"].head(1), int(row["step"]))
    return shares(runs[runs["explainer"] == row["explainer"]]["relevance_steps"], int(row["step"]))


def _array(column: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    return np.asarray(column, dtype=np.float64)


def shares(column: "pd.Series[Any]", step: int) -> npt.NDArray[np.float64]:
    """Return the shares of one step, from 1 on, of runs that have them."""
    texts = [text for text in column if isinstance(text, str) and text]
    return np.array([float(text.split()[step - 1]) for text in texts])


def _interval(
    ours: npt.NDArray[np.float64], row: Mapping[Any, Any], evidence: Evidence
) -> tuple[float, float]:
    if row["folds"] == QUALITY or len(ours) < 2 or row["metric"] == "parameters":
        return np.nan, np.nan
    return corrected_interval(ours, 1 / (evidence.folds[row["dataset"]] - 1), evidence.level)


def _tolerance(row: Mapping[Any, Any]) -> float:
    if pd.notna(row["tolerance"]):
        return float(row["tolerance"])
    tolerance = TOLERANCE[row["metric"]]
    return tolerance if pd.isna(row["low"]) else max(tolerance, float(row["high"] - row["low"]))


def _verdict(row: Mapping[Any, Any], ours: float, within: float) -> str:
    if row["note"] == HELD:
        return HELD
    if np.isnan(ours):
        return NOT_RUN
    if row["note"]:
        return NOT_COMPARABLE
    off = row["value"] - ours if row["metric"] == "accuracy" else abs(row["value"] - ours)
    return REPRODUCED if off <= within + _ROUNDING else NOT_REPRODUCED
