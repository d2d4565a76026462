"""The figures by name.

Each is a function that returns ``(Figure, DataFrame)``; :func:`rnnxai.figures.save.save` writes both.
"""

from rnnxai.registry import Entry, Registry

FIGURES = Registry(
    "figure",
    {
        "overview": Entry(
            "rnnxai.figures.overview:draw",
            "the problem, the architectures, heatmaps of one sample, and the cosine",
        ),
        "problem": Entry(
            "rnnxai.figures.problem:draw",
            "a majority sequence, and why a cosine says more than a share",
        ),
        "cosine": Entry(
            "rnnxai.figures.cosine:draw",
            "cosine of explainers and architectures, fold by fold, against trivial explanations",
        ),
        "look": Entry(
            "rnnxai.figures.look:draw",
            "whether relevance lies on the ink of the images that decide, against trivial explanations",
        ),
        "differences": Entry(
            "rnnxai.figures.differences:draw",
            "differences between architectures, with intervals that allow for shared data and many tests",
        ),
        "heatmaps": Entry(
            "rnnxai.figures.heatmaps:draw",
            "the same samples explained by every architecture and explainer",
        ),
        "positive-heatmaps": Entry(
            "rnnxai.figures.heatmaps:draw_positive",
            "the positive part of the heatmaps that have signs",
        ),
        "relevance-per-step": Entry(
            "rnnxai.figures.relevance_per_step:draw",
            "share of relevance along the time steps, beside the share of ink",
        ),
        "block-shares": Entry(
            "rnnxai.figures.block_shares:draw",
            "how the relevance of each sample is shared among three blocks",
        ),
        "where-did-the-score-go": Entry(
            "rnnxai.figures.ledger:draw_archives",
            "how much of the explained score arrived at the input, and what kept the rest",
        ),
        "checks": Entry(
            "rnnxai.figures.checks:draw",
            "counts of undefined scores, and how far relevance is from adding up",
        ),
        "training-curves": Entry(
            "rnnxai.figures.training_curves:draw",
            "loss and test accuracy per epoch, against the accuracy gate",
        ),
    },
)
