"""Which samples a figure shows: by rule, or those of the thesis; never by hand."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from rnnxai.data.dataset import Dataset
from rnnxai.data.thesis import THESIS, thesis_shows
from rnnxai.errors import Error

Rows = npt.NDArray[np.int64]


class Chosen(NamedTuple):
    """A sample, and why it is shown."""

    row: int
    why: str


EXTREMES = ("best", "median", "worst")


def by_rule(
    rows: Rows, labels: Rows, wrong: Rows, scores: npt.NDArray[np.float64], samples: int
) -> list[Chosen]:
    """Choose the first sample of each class that all networks get right, and the best, median and worst.

    Where scores are, up to three columns are for the samples with the highest, the middle and the lowest;
    the others show the first of each class in order, then the second of each, and so on, those that fewer
    networks get wrong before all others of their class.

    Parameters
    ----------
    rows : int array (m,)
        Rows of the data set to choose from.
    labels : int array (m,)
        Their classes.
    wrong : int array (m,)
        How many networks predict another class.
    scores : array (m,)
        Mean score over what is shown; NaN where there is none.
    samples : int
        How many to choose.

    Returns
    -------
    list of Chosen
        At most so many, none twice: by class, then the extremes.
    """
    scored = np.flatnonzero(~np.isnan(scores))
    order = scored[np.lexsort((rows[scored], -scores[scored]))]
    extremes: dict[int, str] = {}
    if len(order) and samples > 1:
        for name, place in zip(EXTREMES, (0, len(order) // 2, len(order) - 1), strict=True):
            extremes.setdefault(int(order[place]), name)  # one sample may be several
    ends = [Chosen(int(rows[place]), name) for place, name in extremes.items()][:samples]
    pool = pd.DataFrame({"row": rows, "label": labels, "wrong": wrong}).drop(index=list(extremes))
    pool = pool.sort_values(["wrong", "row"])
    pool["turn"] = pool.groupby("label").cumcount()
    shown = pool.sort_values(["turn", "wrong", "label"]).head(samples - len(ends))
    shown = shown.sort_values(["label", "turn"])
    of_classes = [
        Chosen(int(row), "right" if not missed else "not all right")
        for row, missed in zip(shown["row"], shown["wrong"], strict=True)
    ]
    return [*of_classes, *ends]


def of_thesis(rows: Rows, dataset: Dataset) -> list[Chosen]:
    """Choose the samples that the thesis shows, as far as they are among some rows.

    Raises
    ------
    Error
        If the thesis shows none of this data set, or none of them is among the rows.
    """
    definition = dataset.definition
    if not thesis_shows(definition):
        raise Error(f"the thesis shows no samples of: {definition.title}; set figures.choice: rule")
    numbers = THESIS[definition.source, definition.task]
    shown = dataset.rows("quality", "test")[list(numbers)]
    found = [
        Chosen(int(row), f"thesis {number}")
        for row, number in zip(shown, numbers, strict=True)
        if row in rows
    ]
    if not found:
        raise Error(
            f"rows {', '.join(map(str, shown))}, which the thesis shows, have no full map in these archives; "
            "set archive.maps: all, or figures.choice: rule"
        )
    return found
