"""Score the archives of one network."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rnnxai.archive.provenance import provenance
from rnnxai.archive.verify import verify_all
from rnnxai.errors import Error
from rnnxai.scoring.archives import DEFAULT, Score, score_archive
from rnnxai.scoring.store import write_scores
from rnnxai.scoring.table import write_rows


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


def _set_damaged_aside(paths: Iterable[str | Path]) -> None:
    said = []
    for path, found in verify_all(paths):
        if found:
            aside = path.with_name(f"{path.name}.damaged")
            path.replace(aside)
            said.append(f"{path}: {'; '.join(map(str, found))}; set aside as {aside.name}")
    if said:
        raise Error(". ".join(said) + ". Nothing was scored; run the study again to have it made anew")
