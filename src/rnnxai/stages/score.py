"""Score archives, and put the scores of a study together."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rnnxai.archive.provenance import provenance
from rnnxai.scoring.archives import score_archive
from rnnxai.scoring.store import write_scores
from rnnxai.scoring.table import merge, summarise, write_rows


def score_group(
    dataset_path: str | Path,
    archives: Mapping[str, str | Path],
    samples_path: str | Path,
    rows_path: str | Path,
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
    """
    scores = {name: score_archive(dataset_path, path) for name, path in archives.items()}
    about = provenance({}, {"dataset": dataset_path, **archives}, seed=0, threads=1, device="cpu")
    write_scores(samples_path, {name: scored.samples for name, scored in scores.items()}, about)
    write_rows(rows_path, [scored.row for scored in scores.values()])


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
