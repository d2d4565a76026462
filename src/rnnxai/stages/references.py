"""Score explanations that look at nothing."""

from collections.abc import Sequence
from pathlib import Path

from rnnxai.scoring.archives import DEFAULT, Score
from rnnxai.scoring.references import reference_scores, write_references


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
