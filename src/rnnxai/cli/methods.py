"""``rnnxai methods``."""

import csv
from argparse import ArgumentParser, Namespace
from importlib.resources import files
from typing import Any

from rnnxai.cli.equations import EQUATIONS, NOTATION
from rnnxai.cli.output import as_json, as_table, paragraph
from rnnxai.explain.methods import METHODS

_ERROR_NOTE = (
    "The error is the largest difference to a slow reference that writes every equation out, relative to the "
    "largest value of a map, in float64, over networks of every architecture with up to 12 steps."
)


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Print the methods."""
    found = [
        {
            "name": name,
            "summary": METHODS[name],
            "equation": EQUATIONS[name].equation,
            "conserves": EQUATIONS[name].conserves.value,
            "error": largest_error(name),
        }
        for name in METHODS
    ]
    print(as_json(found) if wanted.json else _text(found))
    return 0


def measured() -> list[tuple[str, float]]:
    """Return what ``benchmarks/reference_error.py`` measured: the largest error of each method."""
    text = files("rnnxai.cli").joinpath("reference_error.csv").read_text(encoding="utf-8")
    return [(row["method"], float(row["error"])) for row in csv.DictReader(text.splitlines())]


def largest_error(name: str) -> float | None:
    """Return the largest measured error of a method of the table; None if it was not measured."""
    return max((error for case, error in measured() if _is(name, case)), default=None)


def _is(name: str, case: str) -> bool:
    """Return whether a method is that of a name of the table, which may be a pattern or another name."""
    if METHODS[name] == METHODS[case]:
        return True
    return "{" not in name and METHODS.target(name) == METHODS.target(case)


def _text(found: list[dict[str, Any]]) -> str:
    rows = [
        {
            "method": method["name"],
            "equation": method["equation"],
            "conserves": method["conserves"],
            "error": "-" if method["error"] is None else f"{method['error']:.0e}",
        }
        for method in found
    ]
    table = as_table(rows, {"equation": 45, "conserves": 24})
    return "\n\n".join([table, paragraph(NOTATION), paragraph(_ERROR_NOTE)])
