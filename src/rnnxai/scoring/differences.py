"""Differences between architectures, fold by fold, and which of them are more than chance."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rnnxai.errors import Error
from rnnxai.files import write_text
from rnnxai.scoring.comparisons import Comparison
from rnnxai.scoring.statistics import corrected_interval, corrected_p, effect_size, holm, holm_levels
from rnnxai.scoring.table import QUALITY

SEPARATED, NOT_SEPARATED, NO_TEST = "separated", "not separated", "too few folds"
FAMILY = ("dataset", "T", "comparison", "score")
"""What is tested together: all pairs and explainers of a comparison, one score at a time."""
COLUMNS = (
    *FAMILY,
    "explainer",
    "architecture",
    "baseline",
    "folds",
    "difference",
    "sd",
    "effect",
    "p",
    "p_holm",
    "low",
    "high",
    "holm_low",
    "holm_high",
    "verdict",
)


def differences(
    scores: pd.DataFrame,
    names: Iterable[str],
    comparisons: Mapping[str, Iterable[Comparison]],
    folds: Mapping[str, int],
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare architectures with the baselines of their comparison, on the folds that both have.

    A difference is taken within a fold, so what makes a fold hard for all cancels. Intervals and tests are
    corrected for the training data that folds share (:func:`rnnxai.scoring.statistics.corrected_interval`)
    and for the number of tests (:func:`rnnxai.scoring.statistics.holm`): within a family (:data:`FAMILY`)
    the chance that any "separated" is false is at most 1 - level.

    Parameters
    ----------
    scores : DataFrame
        The table of scores (:func:`rnnxai.scoring.table.merge`).
    names : iterable of str
        Columns to compare; what is empty for a data set is left out of it.
    comparisons : Mapping
        Of each data set.
    folds : Mapping[str, int]
        Number of folds of each data set, run or not: it decides how much training data two of them share.
    level : float

    Returns
    -------
    DataFrame
        A row per score, explainer and pair with :data:`COLUMNS`: ``difference`` (architecture less
        baseline, mean over ``folds``), its ``sd`` over folds, ``effect`` (its size), ``p`` and ``low`` to
        ``high`` by itself, ``p_holm`` and ``holm_low`` to ``holm_high`` within its family, and the
        ``verdict``: "separated" exactly when the latter leaves out 0. With the fixed split alone there
        is a difference and no test.

    Raises
    ------
    Error
        If a column is missing.
    """
    wanted = list(names)
    missing = [
        name for name in ("dataset", "architecture", "T", "fold", "explainer", *wanted) if name not in scores
    ]
    if missing:
        raise Error(f"columns {', '.join(missing)} are missing; differences are taken of the table of scores")
    found = []
    for (dataset, steps), of_dataset in scores.groupby(["dataset", "T"], sort=True):
        share = 1 / (folds[str(dataset)] - 1)
        for comparison in comparisons[str(dataset)]:
            for name in wanted:
                if of_dataset[name].notna().any():
                    rows = list(_family(of_dataset, name, comparison, share, level))
                    family = {"dataset": dataset, "T": steps, "comparison": comparison.name, "score": name}
                    found += [family | row for row in rows]
    return pd.DataFrame(found, columns=list(COLUMNS)).astype({"T": "int64", "folds": "int64"})


def write_differences(table: pd.DataFrame, path: str | Path) -> None:
    """Write differences as a CSV file."""
    write_text(path, table.to_csv(index=False, lineterminator="\n", float_format="%.10g"))


def read_differences(path: str | Path) -> pd.DataFrame:
    """Read what :func:`write_differences` wrote.

    Raises
    ------
    Error
        If the file is missing or something else.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise Error(f"{path}: not readable as a table ({error})") from error
    if list(table.columns) != list(COLUMNS):
        raise Error(f"{path}: columns are {', '.join(table.columns)}; expected a table of differences")
    return table


def _family(
    scores: pd.DataFrame, name: str, comparison: Comparison, share: float, level: float
) -> Iterator[dict[str, Any]]:
    pairs = []
    for explainer, of_explainer in scores.groupby("explainer", sort=True):
        values = of_explainer.pivot(index="fold", columns="architecture", values=name)
        for architecture, baseline in comparison.pairs:
            if {architecture, baseline} <= set(values):
                apart = (values[architecture] - values[baseline]).dropna()
                on_folds = apart[apart.index != QUALITY]
                shown = on_folds if len(on_folds) else apart
                if len(shown):
                    pairs.append(
                        (explainer, architecture, baseline, shown.to_numpy(dtype=float), len(on_folds))
                    )
    p = np.array([corrected_p(shown, share) for *_, shown, _ in pairs])
    for pair, one, adjusted, at in zip(pairs, p, holm(p), holm_levels(p, level), strict=True):
        explainer, architecture, baseline, found, count = pair
        own = corrected_interval(found, share, level)
        within = corrected_interval(found, share, at) if np.isfinite(at) else own
        verdict = NO_TEST if np.isnan(one) else SEPARATED if adjusted <= 1 - level else NOT_SEPARATED
        yield {
            "explainer": explainer,
            "architecture": architecture,
            "baseline": baseline,
            "folds": count,
            "difference": found.mean(),
            "sd": found.std(ddof=1) if len(found) > 1 else np.nan,
            "effect": effect_size(found),
            "p": one,
            "p_holm": adjusted,
            "low": own.low,
            "high": own.high,
            "holm_low": within.low,
            "holm_high": within.high,
            "verdict": verdict,
        }
