"""The look of heatmaps in numbers: whether relevance draws the items that decide."""

import pandas as pd
from matplotlib.figure import Figure

from rnnxai.errors import Error
from rnnxai.figures.score_panels import draw_scores

SCORES = {
    "ink_share": "share on ink,\nof relevance on majority",
    "mass_accuracy": "relevance mass\naccuracy",
    "rank_accuracy": "relevance rank\naccuracy",
}


def draw(
    scores: pd.DataFrame, references: pd.DataFrame, folds: int, level: float = 0.95
) -> tuple[Figure, pd.DataFrame]:
    """Draw the scores of the look that the table has, a panel each.

    Parameters and results are those of :func:`rnnxai.figures.score_panels.draw_scores`.

    Raises
    ------
    Error
        As there, or if the table has none of them.
    """
    names = {name: title for name, title in SCORES.items() if name in scores}
    if not names:
        raise Error(f"the table has none of {', '.join(SCORES)}; ask for one under scores")
    return draw_scores(scores, names, references, folds, level)
