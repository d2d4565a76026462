"""Scores over folds: one row per cell of the study and score."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from rnnxai.errors import Error
from rnnxai.scoring.statistics import bootstrap_interval, corrected_interval, mean_interval
from rnnxai.scoring.table import CELL, KEYS, NO_SCORE, QUALITY, score_columns, typed, write_table

COUNTED_OTHERWISE = ("cosine_zero", "cosine_correct")
"""The cosine again: undefined ones as 0, and of right predictions only."""


_NUMBERS = (
    "mean",
    "sd",
    "corrected_low",
    "corrected_high",
    "t_low",
    "t_high",
    "bootstrap_low",
    "bootstrap_high",
)


def summarise(
    scores: pd.DataFrame,
    path: str | Path,
    folds: Mapping[str, int],
    level: float = 0.95,
    resamples: int = 10_000,
) -> pd.DataFrame:
    """Summarise scores over folds, one row per cell, split and score.

    The folds of the cross-validation are put together; the fixed split is a row of its own, since its
    network is no repetition of theirs.

    Parameters
    ----------
    scores : DataFrame
        From :func:`merge`. Every column that is neither a key nor a count is a score.
    path : str or Path
        The CSV file.
    folds : Mapping[str, int]
        Number of folds of each data set, run or not: it decides how much training data two of them share.
    level : float
        Level of the intervals.
    resamples : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        What was written: `CELL`, ``split`` ("folds" or "quality"), ``score``, ``folds`` (with a value),
        ``mean``, ``sd``, ``corrected_low``, ``corrected_high``, ``t_low``, ``t_high``, ``bootstrap_low``,
        ``bootstrap_high``, ``accuracy`` (mean), ``n``, ``n_undefined`` and ``n_maps`` (sums).
        Cells without marks have one row per score with empty numbers.

    Raises
    ------
    Error
        If columns are missing.
    """
    missing = [name for name in (*KEYS, *NO_SCORE) if name not in scores]
    if missing:
        raise Error(f"columns {', '.join(missing)} are missing; summarise takes the table of merge")
    names = score_columns(scores)
    split = scores["fold"].where(scores["fold"] == QUALITY, "folds")
    rows = [
        {
            **dict(zip((*CELL, "split"), cell, strict=True)),
            "score": name,
            **_statistics(group[name].dropna(), folds[str(cell[0])], level, resamples),
            "accuracy": group["accuracy"].mean(),
            **{count: group[count].sum(min_count=1) for count in ("n", "n_undefined", "n_maps")},
        }
        for cell, group in scores.assign(split=split).groupby([*CELL, "split"], sort=True)
        for name in names
    ]
    summary = typed(pd.DataFrame(rows))
    write_table(path, summary)
    return summary


def _statistics(values: "pd.Series[float]", folds: int, level: float, resamples: int) -> dict[str, float]:
    if values.empty:
        return {"folds": 0, **dict.fromkeys(_NUMBERS, float("nan"))}
    numbers = (
        values.mean(),
        values.std(ddof=1),
        *corrected_interval(values, 1 / (folds - 1), level),
        *mean_interval(values, level),
        *bootstrap_interval(values, level, resamples),
    )
    return {"folds": len(values), **dict(zip(_NUMBERS, numbers, strict=True))}
