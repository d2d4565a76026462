"""A table for reading: CSV for machines, Markdown for pages, LaTeX for papers.

pandas' own writer leaves the % of a percent format and the # of a heading as they are, which LaTeX takes for
something else.
"""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from rnnxai.errors import Error
from rnnxai.files import write_text

Format = Callable[[Any], str]
DASH = "\N{EN DASH}"
_TIE = "\N{NO-BREAK SPACE}"

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\N{MINUS SIGN}": r"$-$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{GREEK SMALL LETTER ALPHA}": r"$\alpha$",
    "\N{GREEK SMALL LETTER BETA}": r"$\beta$",
    DASH: "--",
    _TIE: "~",
}

_UPRIGHT, _SIDEWAYS = 345, 550
"""Points of a line of the class article at 10 pt, and of one of a page on its side."""
_SIZES = {
    False: (("small", 4.4), ("footnotesize", 4.0)),
    True: (("small", 4.4), ("footnotesize", 4.0), ("scriptsize", 3.8), ("tiny", 3.3)),
}
"""Sizes of letters, and how many points a letter of each is wide, rather too many."""
_SEPARATION, _LEAST_SEPARATION = 6, 2
"""Points on either side of a column: what LaTeX has, and what it can be."""
_ROWS_OF_A_PAGE = 40


@dataclass(frozen=True)
class Printed:
    """A table and how it is printed.

    Parameters
    ----------
    table : DataFrame
        Its values, which are what the CSV file holds.
    columns : Mapping[str, str]
        The columns to print, in order, with their headings.
    caption : str
        What it shows, in full sentences.
    formats : Mapping[str, function]
        How values of a column are written; numbers without a format have up to four digits, what is
        missing is a dash.
    texts : Mapping[str, sequence of str]
        Printed columns that are made of several of the table, a text for each row.
    """

    table: pd.DataFrame
    columns: Mapping[str, str]
    caption: str
    formats: Mapping[str, Format] = field(default_factory=dict)
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [name for name in self.columns if name not in self.table and name not in self.texts]
        if missing:
            raise Error(
                f"columns {', '.join(missing)} are not in the table; it has {', '.join(map(str, self.table))}"
            )

    @property
    def cells(self) -> list[list[str]]:
        """The printed text of each row."""
        columns = [
            list(self.texts[name])
            if name in self.texts
            else [self._text(name, value) for value in self.table[name]]
            for name in self.columns
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    @property
    def numeric(self) -> list[bool]:
        """Whether each column is of numbers, which stand on the right."""
        return [
            name not in self.texts and pd.api.types.is_numeric_dtype(self.table[name])
            for name in self.columns
        ]

    def _text(self, name: str, value: Any) -> str:
        if name in self.formats:
            return self.formats[name](value)
        if pd.isna(value):
            return DASH
        return f"{value:.4g}".replace("-", "\N{MINUS SIGN}") if isinstance(value, float) else str(value)


def write_tables(printed: Printed, stem: str | Path) -> list[Path]:
    """Write a table as ``.csv``, ``.md`` and ``.tex``; equal tables give equal bytes.

    Parameters
    ----------
    printed : Printed
    stem : str or Path
        Path without the ending.

    Returns
    -------
    list of Path
        What was written.
    """
    texts = {
        "csv": printed.table.to_csv(index=False, lineterminator="\n", float_format="%.10g"),
        "md": markdown(printed),
        "tex": latex(printed),
    }
    paths = []
    for ending, text in texts.items():
        paths.append(Path(f"{stem}.{ending}"))
        write_text(paths[-1], text)
    return paths


def markdown(printed: Printed) -> str:
    """Return a table in GitHub's Markdown, with its caption above it."""
    lines = [[_markdown(cell) for cell in row] for row in [list(printed.columns.values()), *printed.cells]]
    columns = range(len(printed.columns))
    widths = [max(3, *(len(line[column]) for line in lines)) for column in columns]
    rule = ["-" * (width - right) + ":" * right for width, right in zip(widths, printed.numeric, strict=True)]
    rows = [
        [line[c].rjust(widths[c]) if printed.numeric[c] else line[c].ljust(widths[c]) for c in columns]
        for line in lines
    ]
    body = "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])
    return f"{_markdown(printed.caption)}\n\n{body}\n"


def latex(printed: Printed) -> str:
    """Return a table in LaTeX, with rules of the package booktabs, that fits a page of the class article.

    It is a float where it fits on an upright page. A longer one breaks over pages, a wider one lies on its
    side (packages longtable and pdflscape); letters are as large as its width allows.
    """
    cells = [[_latex(cell) for cell in row] for row in printed.cells]
    widths = [max([1, *map(len, column)]) for column in zip(*printed.cells, strict=True)] or [
        1 for _ in printed.columns
    ]
    titles = [
        _wrapped(title.replace(", ", f",{_TIE}"), width)
        for title, width in zip(printed.columns.values(), widths, strict=True)
    ]
    sides = ["r" if right else "l" for right in printed.numeric]
    heading = " & ".join(_stacked(lines, side) for lines, side in zip(titles, sides, strict=True)) + r" \\"
    letters = sum(max([width, *map(len, lines)]) for width, lines in zip(widths, titles, strict=True))
    size, wide, separation = _fitting(letters, len(widths))
    caption = rf"\caption{{{_latex(printed.caption)}}}"
    head = [r"\toprule", heading, r"\midrule"]
    rows = [" & ".join(row) + r" \\" for row in cells]
    if not wide and len(rows) <= _ROWS_OF_A_PAGE:
        lines = [
            r"\begin{table}",
            rf"\centering\{size}",
            caption,
            rf"\begin{{tabular}}{{{''.join(sides)}}}",
            *head,
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
        return "\n".join([r"% needs \usepackage{booktabs}", *lines]) + "\n"
    lines = [
        rf"\begingroup\{size}\setlength{{\tabcolsep}}{{{separation}pt}}\setlength{{\LTcapwidth}}{{\linewidth}}",
        rf"\begin{{longtable}}{{{''.join(sides)}}}",
        rf"{caption} \\",
        *head,
        r"\endfirsthead",
        *head,
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *rows,
        r"\end{longtable}",
        r"\endgroup",
    ]
    packages = "booktabs,longtable"
    if wide:
        packages, lines = f"{packages},pdflscape", [r"\begin{landscape}", *lines, r"\end{landscape}"]
    return "\n".join([rf"% needs \usepackage{{{packages}}}", *lines]) + "\n"


def _fitting(letters: int, columns: int) -> tuple[str, bool, int]:
    """Return the largest letters in which a table fits, whether it lies on its side, and its separation."""
    for wide, room, least in ((False, _UPRIGHT, _SEPARATION), (True, _SIDEWAYS, _LEAST_SEPARATION)):
        for size, points in _SIZES[wide]:
            separation = int((room - letters * points) / (2 * columns))
            if separation >= least:
                return size, wide, min(separation, _SEPARATION)
    return _SIZES[True][-1][0], True, _LEAST_SEPARATION


def _wrapped(title: str, width: int) -> list[str]:
    """Break a heading between words, into lines that are no longer than what stands below if they can be."""
    return textwrap.wrap(title, max(width, *map(len, title.split(" "))), break_on_hyphens=False) or [""]


def _stacked(lines: Sequence[str], side: str) -> str:
    """Return a heading, on several lines where it is longer than what stands below it."""
    text = r" \\ ".join(map(_latex, lines))
    return text if len(lines) == 1 else rf"\shortstack[{side}]{{{text}}}"


def _markdown(text: str) -> str:
    """Keep a text from being taken for markup, or for the end of a cell."""
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", text).replace("\n", " ")


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text).replace("\n", " ")
