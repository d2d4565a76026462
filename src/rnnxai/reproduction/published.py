"""What was published: numbers of the thesis' tables and figures, each with its source, in one CSV file."""

from pathlib import Path

import pandas as pd

from rnnxai.errors import Error

COLUMNS = (
    "source",
    "metric",
    "dataset",
    "architecture",
    "steps",
    "folds",
    "explainer",
    "step",
    "value",
    "low",
    "high",
    "std",
    "tolerance",
    "note",
)
METRICS = ("parameters", "accuracy", "cosine", "relevance-per-step", "ink-per-step")
HELD = "held"
"""Note of a value that is kept back, to check a finished study against."""
_TEXT = ("source", "metric", "dataset", "architecture", "folds", "explainer", "note")


def read_published(path: str | Path) -> pd.DataFrame:
    """Read the published values.

    Parameters
    ----------
    path : str or Path
        A CSV file with :data:`COLUMNS`. ``folds`` is "folds" for a mean over folds, ``quality`` for the
        fixed split; ``step`` counts from 1 as in the figures; ``low`` to ``high`` is the published interval,
        ``tolerance`` replaces the one that the metric has by rule, and what has a ``note`` is not compared.

    Returns
    -------
    DataFrame
        Text columns are empty where they do not apply, numbers NaN.

    Raises
    ------
    Error
        If the file is missing or something else, or a metric is unknown.
    """
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(_TEXT, "str"), keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise Error(f"{path}: not readable as a table ({error})") from error
    if list(table.columns) != list(COLUMNS):
        raise Error(f"{path}: columns are {', '.join(table.columns)}; {', '.join(COLUMNS)} would be right")
    unknown = sorted(set(table["metric"]) - set(METRICS))
    if unknown:
        raise Error(f"{path}: metric {unknown[0]!r} is unknown; known: {', '.join(METRICS)}")
    nothing = table[table["value"].isna() & table["note"].isna()]
    if len(nothing):
        raise Error(f"{path}, line {nothing.index[0] + 2}: neither a value nor a note that says why not")
    return table.fillna(dict.fromkeys(_TEXT, "")).astype({"steps": "int64", "step": "Int64"})
