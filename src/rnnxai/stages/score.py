"""Score archives, and put the scores of a study together."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rnnxai.archive.provenance import provenance
from rnnxai.scoring.archives import DEFAULT, Score, score_archive
from rnnxai.scoring.store import write_scores
from rnnxai.scoring.table import merge, summarise, write_rows


def score_group(
    dataset_path: str | Path,
    archives: Mapping[str, str | Path],
    samples_path: str | Path,
    rows_path: str | Path,
    scores: Sequence[Score] = DEFAULT,
) -> None:
    """Score every sample of a group's archives.

    Parameters
    ----------
    dataset_path : str or Path
        Where the marks are.
    archives : Mapping[str, path]
        Explainer name to archive.
    samples_path : str or Path
        Output: the scores of every sample (HDF5).
    rows_path : str or Path
        Output: one row per archive (CSV).
    scores : sequence of Score
        What to compute.
    """
    scored = {name: score_archive(dataset_path, path, scores) for name, path in archives.items()}
    about = provenance({}, {"dataset": dataset_path, **archives}, seed=0, threads=1, device="cpu")
    write_scores(samples_path, {name: each.samples for name, each in scored.items()}, about)
    write_rows(rows_path, [each.row for each in scored.values()])


def summarise_study(
    tables: Sequence[str | Path],
    scores_path: str | Path,
    summary_path: str | Path,
    level: float,
    resamples: int,
) -> None:
    """Merge the rows of all archives and summarise them over folds.

    Parameters
    ----------
    tables : sequence of path
        One CSV per group and network.
    scores_path, summary_path : str or Path
        Outputs: one row per archive; one row per network, explainer and score.
    level : float
        Level of the intervals.
    resamples : int
        Of the bootstrap.
    """
    summarise(merge(tables, scores_path), summary_path, level, resamples)
