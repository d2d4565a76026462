"""Score archives, and put the scores of a study together."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rnnxai.archive.provenance import provenance
from rnnxai.archive.verify import verify_all
from rnnxai.errors import Error
from rnnxai.scoring.archives import DEFAULT, Score, score_archive
from rnnxai.scoring.comparisons import Comparison
from rnnxai.scoring.differences import differences, write_differences
from rnnxai.scoring.references import reference_scores, write_references
from rnnxai.scoring.store import write_scores
from rnnxai.scoring.table import COUNTED_OTHERWISE, merge, score_columns, summarise, write_rows


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

    Raises
    ------
    Error
        If an archive is damaged. It is set aside under another name, so that the next run makes it anew.
    """
    _set_damaged_aside(archives.values())
    scored = {name: score_archive(dataset_path, path, scores) for name, path in archives.items()}
    about = provenance({}, {"dataset": dataset_path, **archives}, seed=0, threads=1, device="cpu")
    write_scores(samples_path, {name: each.samples for name, each in scored.items()}, about)
    write_rows(rows_path, [each.row for each in scored.values()])


def score_references(dataset_path: str | Path, path: str | Path, scores: Sequence[Score] = DEFAULT) -> None:
    """Score explanations that look at nothing, on the samples of a data set with marks.

    Parameters
    ----------
    dataset_path : str or Path
    path : str or Path
        Output: one row per trivial explanation (CSV).
    scores : sequence of Score
        What to compute.
    """
    write_references(reference_scores(dataset_path, scores), path)


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


def _set_damaged_aside(paths: Iterable[str | Path]) -> None:
    said = []
    for path, found in verify_all(paths):
        if found:
            aside = path.with_name(f"{path.name}.damaged")
            path.replace(aside)
            said.append(f"{path}: {'; '.join(map(str, found))}; set aside as {aside.name}")
    if said:
        raise Error(". ".join(said) + ". Nothing was scored; run the study again to have it made anew")
