"""The tidy tables: one row per archive, and one per cell of the study and score over its folds."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rnnxai.errors import Error
from rnnxai.files import write_text
from rnnxai.scoring.statistics import bootstrap_interval, corrected_interval, mean_interval

KEYS = ("dataset", "architecture", "T", "fold", "explainer")
"""Columns that name an archive."""
CELL = ("dataset", "architecture", "T", "explainer")
"""Columns that name a cell of the study, which the folds repeat."""
QUALITY = "quality"
"""The fixed split, where a number would name a fold."""

COUNTED_OTHERWISE = ("cosine_zero", "cosine_correct")
"""The cosine again: undefined ones as 0, and of right predictions only."""

_TYPES = defaultdict(
    lambda: "float64",
    dict.fromkeys(("dataset", "architecture", "explainer", "score", "fold", "split"), "str")
    | dict.fromkeys(("T", "folds"), "int64")
    | dict.fromkeys(("n", "n_undefined", "n_maps"), "Int64"),  # whole numbers that may be missing
)
_NO_SCORE = ("n", "n_undefined", "n_maps", "accuracy", "conservation_max_error")


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows of archives (:attr:`rnnxai.scoring.archives.ArchiveScores.row`) as a sorted CSV file."""
    _write(path, _sorted(pd.DataFrame(list(rows)), str(path)))


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table of rows or of summaries.

    Raises
    ------
    Error
        If the file is missing or lacks the columns that name a cell.
    """
    try:
        # A name such as "NA" is a name; only an empty field is missing.
        table = pd.read_csv(
            path,
            dtype=_TYPES,
            keep_default_na=False,
            na_values=[""],
        )
    except (OSError, ValueError) as error:
        raise Error(f"{path}: not readable as a table ({error})") from error
    missing = [name for name in CELL if name not in table]
    if missing:
        raise Error(f"{path}: columns {', '.join(missing)} are missing; expected a table of scores")
    return table


def merge(tables: Sequence[str | Path], path: str | Path) -> pd.DataFrame:
    """Merge per-group tables into one, sorted, equal bytes for equal content.

    Parameters
    ----------
    tables : sequence of paths
        CSV files of :func:`write_rows`, in any order.
    path : str or Path
        The merged CSV file.

    Returns
    -------
    DataFrame
        What was written.

    Raises
    ------
    Error
        If there is no table, columns differ, or two rows name the same archive.
    """
    if not tables:
        raise Error(f"{path}: no tables to merge")
    frames = [read_table(table) for table in tables]
    columns = list(frames[0].columns)
    for table, frame in zip(tables, frames, strict=True):
        if list(frame.columns) != columns:
            raise Error(f"{table}: columns are {list(frame.columns)}; {tables[0]} has {columns}")
    merged = _sorted(pd.concat(frames), str(path))
    _write(path, merged)
    return merged


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
    missing = [name for name in (*KEYS, *_NO_SCORE) if name not in scores]
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
    summary = _typed(pd.DataFrame(rows))
    _write(path, summary)
    return summary


def score_columns(scores: pd.DataFrame) -> list[str]:
    """Return the columns of a table of rows that are scores."""
    return [name for name in scores.columns if name not in (*KEYS, *_NO_SCORE)]


def _statistics(values: "pd.Series[float]", folds: int, level: float, resamples: int) -> dict[str, float]:
    if values.empty:
        return {"folds": 0}
    t, bootstrap = mean_interval(values, level), bootstrap_interval(values, level, resamples)
    corrected = corrected_interval(values, 1 / (folds - 1), level)
    return {
        "folds": len(values),
        "mean": values.mean(),
        "sd": values.std(ddof=1),
        "corrected_low": corrected.low,
        "corrected_high": corrected.high,
        "t_low": t.low,
        "t_high": t.high,
        "bootstrap_low": bootstrap.low,
        "bootstrap_high": bootstrap.high,
    }


def _sorted(table: pd.DataFrame, source: str) -> pd.DataFrame:
    missing = [name for name in KEYS if name not in table]
    if missing:
        raise Error(f"{source}: columns {', '.join(missing)} are missing; rows of archives have them")
    doubled = table[table.duplicated(list(KEYS))]
    if len(doubled):
        raise Error(f"{source}: two rows for {doubled.iloc[0][list(KEYS)].to_dict()}; each archive has one")
    return _typed(table).sort_values(list(KEYS), key=_in_order, ignore_index=True)


def _in_order(column: "pd.Series[Any]") -> "pd.Series[Any]":
    # Folds are text, since one of them may be "quality", but 10 comes after 9.
    return column.str.zfill(12) if column.name == "fold" else column


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({name: _TYPES[name] for name in table.columns})


def _write(path: str | Path, table: pd.DataFrame) -> None:
    write_text(path, table.to_csv(index=False, lineterminator="\n", float_format="%.10g"))
