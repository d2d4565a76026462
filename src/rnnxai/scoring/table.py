"""The tidy table of a study: one row per archive."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rnnxai.errors import Error
from rnnxai.files import write_text

KEYS = ("dataset", "architecture", "T", "fold", "explainer")
"""Columns that name an archive."""
CELL = ("dataset", "architecture", "T", "explainer")
"""Columns that name a cell of the study, which the folds repeat."""
QUALITY = "quality"
"""The fixed split, where a number would name a fold."""

_TYPES = defaultdict(
    lambda: "float64",
    dict.fromkeys(("dataset", "architecture", "explainer", "score", "fold", "split"), "str")
    | dict.fromkeys(("T", "folds"), "int64")
    | dict.fromkeys(("n", "n_undefined", "n_maps"), "Int64"),  # whole numbers that may be missing
)
NO_SCORE = ("n", "n_undefined", "n_maps", "accuracy", "conservation_max_error")
"""Further columns that are no scores."""


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows of archives (:attr:`rnnxai.scoring.archives.ArchiveScores.row`) as a sorted CSV file."""
    write_table(path, _sorted(pd.DataFrame(list(rows)), str(path)))


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
    write_table(path, merged)
    return merged


def score_columns(scores: pd.DataFrame) -> list[str]:
    """Return the columns of a table of rows that are scores."""
    return [name for name in scores.columns if name not in (*KEYS, *NO_SCORE)]


def _sorted(table: pd.DataFrame, source: str) -> pd.DataFrame:
    missing = [name for name in KEYS if name not in table]
    if missing:
        raise Error(f"{source}: columns {', '.join(missing)} are missing; rows of archives have them")
    doubled = table[table.duplicated(list(KEYS))]
    if len(doubled):
        raise Error(f"{source}: two rows for {doubled.iloc[0][list(KEYS)].to_dict()}; each archive has one")
    return typed(table).sort_values(list(KEYS), key=_in_order, ignore_index=True)


def _in_order(column: "pd.Series[Any]") -> "pd.Series[Any]":
    # Folds are text, since one of them may be "quality", but 10 comes after 9.
    return column.str.zfill(12) if column.name == "fold" else column


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the types of its columns, by their names."""
    return table.astype({name: _TYPES[name] for name in table.columns})


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, equal bytes for equal content."""
    write_text(path, table.to_csv(index=False, lineterminator="\n", float_format="%.10g"))
