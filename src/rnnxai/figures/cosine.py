"""The cosine plot of one data set (Figs. 3.12, 3.18 and 3.21 of the thesis)."""

import pandas as pd
from matplotlib.figure import Figure

from rnnxai.figures.score_panels import draw_scores


def draw(
    scores: pd.DataFrame, references: pd.DataFrame, folds: int, level: float = 0.95
) -> tuple[Figure, pd.DataFrame]:
    """Draw the cosine of every explainer and architecture: folds, their mean and its intervals.

    Parameters, results and errors are those of :func:`rnnxai.figures.score_panels.draw_scores`.
    """
    return draw_scores(scores, {"cosine": "cosine with the majority marks"}, references, folds, level)
