"""What commands print: JSON, and tables of plain text."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

WIDTH = 100
"""Columns of the terminal that everything fits into."""
_GAP = "  "


def as_json(value: Any) -> str:
    """Return a value as JSON that is laid out for people."""
    return json.dumps(value, indent=2, allow_nan=False)


def as_table(rows: Sequence[Mapping[str, str | int]], at_most: Mapping[str, int] | None = None) -> str:
    """Lay rows out in columns.

    Parameters
    ----------
    rows : sequence of mappings
        Title of the column to what stands in it: text on the left, whole numbers on the right, with a
        comma at every thousand. All have the titles of the first, which are broken into words if the table
        is too wide otherwise.
    at_most : mapping, optional
        Widths at which the text of a column is broken.

    Returns
    -------
    str
        Lines without spaces at their ends.
    """
    titles = list(rows[0])
    numbers = {title for title in titles if isinstance(rows[0][title], int)}
    cells = [[_broken(row[title], (at_most or {}).get(title, WIDTH)) for title in titles] for row in rows]
    cells.insert(0, [[title] for title in titles])
    if sum(widths := _widths(cells)) + len(_GAP) * (len(widths) - 1) > WIDTH:
        cells[0] = [title.split() or [""] for title in titles]
        widths = _widths(cells)

    def lines() -> Iterator[str]:
        for row in cells:
            for line in zip_longest(*row, fillvalue=""):
                placed = [
                    text.rjust(width) if title in numbers else text.ljust(width)
                    for text, title, width in zip(line, titles, widths, strict=True)
                ]
                yield _GAP.join(placed).rstrip()

    return "\n".join(lines())


def paragraph(text: str, first: str = "") -> str:
    """Break a text into lines; what stands before the first line indents the others."""
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def _widths(cells: Sequence[Sequence[Sequence[str]]]) -> list[int]:
    return [max(len(line) for cell in column for line in cell) for column in zip(*cells, strict=True)]


def _broken(value: str | int, width: int) -> list[str]:
    text = f"{value:,}" if isinstance(value, int) else value
    return textwrap.wrap(text, width, break_long_words=False) or [""]
