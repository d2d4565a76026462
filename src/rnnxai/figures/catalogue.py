"""The figures by name.

Each is a function that returns ``(Figure, DataFrame)``; :func:`rnnxai.figures.save.save` writes both.
"""

from rnnxai.registry import Entry, Registry

FIGURES = Registry(
    "figure",
    {
        "cosine": Entry(
            "rnnxai.figures.cosine:draw",
            "cosine of explainers and architectures, fold by fold, against trivial explanations",
        ),
        "heatmaps": Entry(
            "rnnxai.figures.heatmaps:draw",
            "the same samples explained by every architecture and explainer",
        ),
        "training-curves": Entry(
            "rnnxai.figures.training_curves:draw",
            "loss and test accuracy per epoch, against the accuracy gate",
        ),
        "where-did-the-score-go": Entry(
            "rnnxai.figures.ledger:draw_archives",
            "how much of the explained score arrived at the input, and what kept the rest",
        ),
    },
)
