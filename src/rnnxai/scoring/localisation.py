"""Scores of where relevance lies: each takes the reductions of an archive.

A score returns its values (N,), NaN where undefined, and a status (N,) that says why
(:data:`rnnxai.scoring.blocks.STATUS`). One line in :mod:`rnnxai.scoring.scores` gives it a name.
"""

from rnnxai.scoring import blocks
from rnnxai.scoring.reductions import Reductions


def cosine(reductions: Reductions) -> blocks.Scored:
    """Cosine between the positive relevance of the blocks and the majority marks."""
    return blocks.cosine(reductions.block_positive, reductions.majority)


def majority_share(reductions: Reductions) -> blocks.Scored:
    """Share of the positive relevance that lies on majority blocks."""
    return blocks.majority_share(reductions.block_positive, reductions.majority)
