"""Tables for the page: cells as text, from any CSV file."""

import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from rnnxai.errors import Error
from rnnxai.report.captions import Captions
from rnnxai.report.names import title_of, what_of
from rnnxai.report.pictures import data_address

_MOST_ROWS = 120
_SEPARATOR = re.compile(r"(?<!\\)\|")
_PLAIN_AT_MOST, _PACKED_AT_MOST = 200_000, 1_000_000  # bytes of a file on the page


@dataclass(frozen=True)
class Column:
    """A column: its title, and whether it holds numbers, which stand on the right."""

    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table as the page shows it.

    Attributes
    ----------
    columns : sequence of Column
    rows : sequence of sequences of str
    left_out : int
        Rows that are only in the file.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    left_out: int = 0


@dataclass(frozen=True)
class Download:
    """A file that the page carries along, or the place of one that is too large.

    Attributes
    ----------
    name : str
        Name it is saved under; empty where the page does not carry it.
    address : str
        A ``data:`` address, or the path below the results folder.
    size : str
        In words.
    """

    name: str
    address: str
    size: str

    @property
    def stem(self) -> str:
        """Its name without endings."""
        return Path(self.name or self.address).name.partition(".")[0]


@dataclass(frozen=True)
class Titled:
    """A table file with its caption.

    Attributes
    ----------
    title : str
    caption : str
        HTML.
    table : Table
    data : Download
    """

    title: str
    caption: str
    table: Table
    data: Download


def read_tables(paths: Iterable[Path], results: Path, captions: Captions) -> list[Titled]:
    """Read CSV files of any columns, as they are printed in a Markdown file beside them, if there is one.

    Parameters
    ----------
    paths : iterable of Path
        Files that do not end in ``.csv`` are passed over.
    results : Path
        The results folder.
    captions : Captions
        For tables that are not printed.

    Returns
    -------
    list of Titled
        In the order given.

    Raises
    ------
    Error
        If one cannot be read, or its caption.
    """
    found = []
    for path in paths:
        if path.suffix != ".csv":
            continue
        name, title, printed = _name(path), _title(path), path.with_suffix(".md")
        if printed.is_file():
            caption, table = read_markdown(printed)
        else:
            caption, table = captions(name), as_table(read_csv(path))
        found.append(Titled(title, caption, table, download(path, results)))
    return found


def read_markdown(path: Path) -> tuple[str, Table]:
    """Read a table as :func:`rnnxai.figures.table_files.markdown` prints it: caption, blank line, table.

    Returns
    -------
    str
        The caption as HTML.
    Table

    Raises
    ------
    Error
        If the file is none of these.
    """
    try:
        caption, _, *lines = path.read_text(encoding="utf-8").splitlines()
        titles, rule, *rows = [_SEPARATOR.split(line.strip()[1:-1]) for line in lines]
        columns = [
            Column(_plain(title), dashes.strip().endswith(":"))
            for title, dashes in zip(titles, rule, strict=True)
        ]
        cells = [[_plain(cell) for cell in row] for row in rows]
    except (OSError, ValueError) as error:
        raise Error(f"{path}: not readable as a printed table ({error}); make it anew") from error
    return f"<p>{escape(_plain(caption))}</p>", Table(columns, cells[:_MOST_ROWS], len(cells[_MOST_ROWS:]))


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text.strip())


def _name(path: Path) -> str:
    """Return what the caption of a table goes by: its folder's name, or its own below scores/ and tables/."""
    return path.stem if path.parent.name in ("scores", "tables") else path.parent.name


def _title(path: Path) -> str:
    name = title_of(_name(path))
    return name if _name(path) == path.stem else f"{name}: {what_of(path.stem)}"


def read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV file of any columns.

    Raises
    ------
    Error
        If it is none.
    """
    try:
        return pd.read_csv(path, dtype={"fold": "str"}, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise Error(f"{path}: not readable as a table ({error}); make it anew") from error


def as_table(frame: pd.DataFrame) -> Table:
    """Lay out a table of any columns: numbers on the right, with four digits that count."""
    columns = [
        Column(str(name).replace("_", " "), pd.api.types.is_numeric_dtype(frame[name])) for name in frame
    ]
    shown = frame.head(_MOST_ROWS)
    rows = [[_cell(value) for value in row] for row in shown.itertuples(index=False)]
    return Table(columns, rows, len(frame) - len(shown))


def download(path: Path, results: Path) -> Download:
    """Carry a file along: as it is, packed if it is large, or by its name only."""
    return carried(path.name, path.read_bytes(), path.relative_to(results).as_posix())


def carried(name: str, content: bytes, place: str = "") -> Download:
    """Carry some content along under a name; see :func:`download`."""
    size = _size(len(content))
    if len(content) <= _PLAIN_AT_MOST:
        return Download(name, data_address("text/csv", content), size)
    packed = gzip.compress(content, mtime=0)
    if len(packed) <= _PACKED_AT_MOST or not place:
        return Download(f"{name}.gz", data_address("application/gzip", packed), f"{size}, packed")
    return Download("", place, size)


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)) or value is pd.NA:
        return "\N{EN DASH}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _size(count: int) -> str:
    return f"{count} bytes" if count < 1000 else f"{count / 1000:,.0f} kB"
