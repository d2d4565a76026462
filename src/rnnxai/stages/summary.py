"""Put the scores of a study together."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rnnxai.scoring.comparisons import Comparison
from rnnxai.scoring.differences import differences, write_differences
from rnnxai.scoring.summary import COUNTED_OTHERWISE, summarise
from rnnxai.scoring.table import merge, score_columns


def summarise_study(
    tables: Sequence[str | Path],
    scores_path: str | Path,
    summary_path: str | Path,
    differences_path: str | Path,
    *,
    level: float,
    resamples: int,
    folds: Mapping[str, int],
    comparisons: Mapping[str, Sequence[Comparison]],
) -> None:
    """Merge the rows of all archives, summarise them over folds, and compare architectures.

    Parameters
    ----------
    tables : sequence of path
        One CSV per group and network.
    scores_path, summary_path, differences_path : str or Path
        Outputs: one row per archive; per network, explainer and score; and per pair of architectures.
    level : float
        Level of the intervals.
    resamples : int
        Of the bootstrap.
    folds : Mapping[str, int]
        Number of folds of each data set, run or not.
    comparisons : Mapping
        Of each data set.
    """
    scores = merge(tables, scores_path)
    summarise(scores, summary_path, folds, level, resamples)
    compared = [name for name in score_columns(scores) if name not in COUNTED_OTHERWISE]
    write_differences(differences(scores, compared, comparisons, folds, level), differences_path)
