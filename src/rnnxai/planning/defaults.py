"""What jobs take where nothing has been measured here: a small table, made by benchmarks/plan_defaults.py.

Training and explaining a sample take ``us_per_column`` microseconds for each column of the image and
``us_per_step`` for each time step. Training has a line for each number of folds that are trained together,
with the times of one of them.
Other work takes ``us_per_column`` for each column of a sample. Every job takes ``seconds`` besides.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

COLUMNS = ("work", "name", "folds", "seconds", "us_per_column", "us_per_step", "bytes", "bytes_per_pixel")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    seconds : float
        What a job takes whatever its size: starting Python, loading torch.
    us_per_column, us_per_step : float
        Microseconds that a sample takes, for each column and each time step.
    bytes : float
        Size of what a job writes whatever its size: the weights of a network, a picture.
    bytes_per_pixel : float
        Size of what is written of a sample, for each of its pixels.
    """

    seconds: float
    us_per_column: float
    us_per_step: float
    bytes: float
    bytes_per_pixel: float

    def of_sample(self, columns: int, steps: int) -> float:
        """Return the seconds that a sample takes."""
        return 1e-6 * (self.us_per_column * columns + self.us_per_step * steps)


def measured_on() -> str:
    """Return where and how the table was measured."""
    return _lines()[0].removeprefix("# ")


def of_stage(stage: str) -> Row | None:
    """Return what a job of a stage takes; None of a stage that the table does not have."""
    return _table().get((stage, "job"), {}).get(1)


def of_training(cell: str, folds: int) -> Row:
    """Return what training a cell takes, of folds that are trained together.

    Between the measured numbers of folds the time of a sample is taken as linear. A cell that was not
    measured counts as the slowest.
    """
    rows = _table().get(("train", cell)) or max(
        (found for (work, name), found in _table().items() if work == "train" and name != "job"),
        key=lambda found: found[1].of_sample(84, 12),
    )
    few, many = min(rows), max(rows)
    part = (min(max(folds, few), many) - few) / (many - few)

    def between(field: str) -> float:
        return float((1 - part) * getattr(rows[few], field) + part * getattr(rows[many], field))

    return Row(*map(between, Row.__dataclass_fields__))


def of_explaining(cell: str) -> Row:
    """Return what one pass for a sample takes; a cell that was not measured counts as the slowest."""
    found = _table().get(("explain", cell)) or max(
        (found for (work, name), found in _table().items() if work == "explain" and name != "job"),
        key=lambda found: found[1].of_sample(84, 12),
    )
    return found[1]


def knows(cell: str) -> bool:
    """Return whether a cell was measured."""
    return ("train", cell) in _table()


@cache
def _lines() -> list[str]:
    return files(__package__).joinpath("defaults.csv").read_text(encoding="utf-8").splitlines()


@cache
def _table() -> dict[tuple[str, str], dict[int, Row]]:
    table: dict[tuple[str, str], dict[int, Row]] = {}
    for line in csv.DictReader(_lines()[1:]):
        numbers = (float(line[name]) for name in Row.__dataclass_fields__)
        table.setdefault((line["work"], line["name"]), {})[int(line["folds"])] = Row(*numbers)
    return table
