"""The books of finished runs: CSV files to which bigger machines and later days only add.

A row is found again by what decides its numbers (:mod:`rnnxai.reproduction.identity`), so the settings that a
study has now decide which rows count.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rnnxai.errors import Error
from rnnxai.files import write_text
from rnnxai.locks import job_lock
from rnnxai.scoring.table import KEYS

CONFIG = "config"
"""Column by which a row is found: the identity of its settings."""
_TYPES: dict[str, str] = dict.fromkeys(
    (
        CONFIG,
        "dataset",
        "architecture",
        "fold",
        "explainer",
        "other",
        "relevance_steps",
        "ink_steps",
        "commit",
    ),
    "str",
) | dict.fromkeys(("T", "epochs", "folds_together", "n", "n_undefined", "n_maps"), "Int64")
_PATIENCE = 60.0  # seconds for another that adds its rows: it takes milliseconds


@dataclass(frozen=True)
class Book:
    """A form of rows.

    Parameters
    ----------
    first, last : tuple of str
        Columns that every row begins and ends with.
    between : tuple of str, optional
        Columns that every row has between these, where others may stand too; without it there are no others.
    """

    first: tuple[str, ...]
    last: tuple[str, ...] = ()
    between: tuple[str, ...] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """What every row has."""
        return (*self.first, *(self.between or ()), *self.last)


RUNS = Book(
    first=(CONFIG, *KEYS, "epochs", "folds_together", "accuracy", "n", "n_undefined", "n_maps"),
    last=("conservation_max_error", "relevance_steps", "ink_steps", "commit"),
    between=("cosine", "cosine_zero", "cosine_correct"),
)
"""A row for each network and explainer, with all its scores, of which the cosine is always one. Shares of the
steps are numbers with spaces between."""
LIKENESS = Book(first=(CONFIG, *KEYS, "other", "n", "correlation", "commit"))
"""A row for each two architectures and an explainer: how their maps of the same samples correlate."""


def read_records(path: str | Path, book: Book) -> pd.DataFrame:
    """Read a book.

    Parameters
    ----------
    path : str or Path
        The CSV file; a missing one is an empty book.
    book : Book
        Its form.

    Raises
    ------
    Error
        If the file is no such table, or holds a row twice.
    """
    if not Path(path).exists():
        return pd.DataFrame(columns=list(book.columns))
    try:
        table = pd.read_csv(path, dtype=_TYPES, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise Error(f"{path}: not readable as a table ({error})") from error
    missing = [name for name in book.columns if name not in table]
    if missing:
        raise Error(f"{path}: columns {', '.join(missing)} are missing; expected a book of runs")
    doubled = table[table.duplicated(CONFIG)]
    if len(doubled):
        raise Error(f"{path}: {doubled[CONFIG].iloc[0]} stands there twice; each run has one row")
    return table


def open_book(path: str | Path, book: Book) -> pd.DataFrame:
    """Read a book, after beginning it if there is none."""
    records = read_records(path, book)
    if not Path(path).exists():
        _write(path, book, records)
    return records


def add_records(path: str | Path, book: Book, rows: Iterable[Mapping[str, Any]]) -> None:
    """Put rows into a book; what is there already under the same identity is replaced.

    Jobs that end together may add to it at once: one waits for the other, and no row is lost.

    Parameters
    ----------
    path : str or Path
        The CSV file; made if missing.
    book : Book
        Its form.
    rows : iterable of Mapping

    Raises
    ------
    Error
        If the book cannot be read, stays in another's hands, or a row has columns that are not its own.
    """
    new = pd.DataFrame(list(rows))
    if new.empty:
        return
    foreign = [name for name in new if name not in book.columns]
    if foreign and book.between is None:
        raise Error(f"{path}: {foreign[0]!r} is no column of it; those are {', '.join(book.columns)}")
    with job_lock(Path(path).parent, Path(path).name, _PATIENCE):
        old = read_records(path, book)
        kept = old[~old[CONFIG].isin(new[CONFIG])]
        _write(path, book, pd.concat([kept, new], ignore_index=True) if len(kept) else new)


def _write(path: str | Path, book: Book, table: pd.DataFrame) -> None:
    between = [name for name in table if name not in (*book.first, *book.last)]
    ordered = table[[*book.first, *between, *book.last]]
    ordered = ordered.astype(
        {name: kind for name, kind in _TYPES.items() if name in ordered and kind != "str"}
    )
    ordered = ordered.sort_values([*KEYS, CONFIG], key=_in_order)
    write_text(path, ordered.to_csv(index=False, lineterminator="\n", float_format="%.6g"))


def _in_order(column: "pd.Series[Any]") -> "pd.Series[Any]":
    # Folds are text, since one of them may be "quality", but 10 comes after 9.
    return column.str.zfill(12) if column.name == "fold" else column
