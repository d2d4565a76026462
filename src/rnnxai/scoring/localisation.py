"""Scores of where relevance lies: each takes the reductions of an archive.

A score returns its values (N,), NaN where undefined, and a status (N,) that says why
(:data:`rnnxai.scoring.blocks.STATUS`). One line in :mod:`rnnxai.scoring.scores` gives it a name.

The first two judge the sums of blocks, of every sample. The others judge the look of a map, pixel by
pixel, and have a value where the full map is kept. They fit together: the mass accuracy is the share of
relevance on majority blocks times the share of that which lies on ink.
"""

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnxai.errors import Error
from rnnxai.scoring import blocks, pixels
from rnnxai.scoring.reductions import Reductions


def cosine(reductions: Reductions, clip: Literal["pixels", "blocks"] = "pixels") -> blocks.Scored:
    """Cosine between the positive relevance of the blocks and the majority marks.

    `clip` says where negative relevance is set to 0: at each pixel, or only in the sums of blocks.
    """
    if clip not in ("pixels", "blocks"):
        raise Error(f"clip is {clip!r}; pixels or blocks would be right")
    positive = reductions.block_positive if clip == "pixels" else np.maximum(reductions.block, 0)
    return blocks.cosine(positive, reductions.majority)


def majority_share(reductions: Reductions) -> blocks.Scored:
    """Share of the positive relevance that lies on majority blocks."""
    return blocks.majority_share(reductions.block_positive, reductions.majority)


def ink_share(reductions: Reductions, ink: float = pixels.INK) -> blocks.Scored:
    """Of the positive relevance inside majority blocks, the share that lies on ink.

    The look alone: which blocks are relevant does not matter to it. `ink` is the share of full white
    from which a pixel counts as ink.
    """
    return _measure(reductions, ink).share


def mass_accuracy(reductions: Reductions, ink: float = pixels.INK) -> blocks.Scored:
    """Share of all positive relevance that lies on ink inside majority blocks."""
    return _measure(reductions, ink).mass


def rank_accuracy(reductions: Reductions, ink: float = pixels.INK) -> blocks.Scored:
    """Share of the most relevant pixels that are ink inside majority blocks, as many as there are of it."""
    return _measure(reductions, ink).rank


class _Measured(NamedTuple):
    share: blocks.Scored
    mass: blocks.Scored
    rank: blocks.Scored


@lru_cache(maxsize=1)  # reading the maps takes longer than all three scores
def _measure(reductions: Reductions, ink: float) -> _Measured:
    count = len(reductions.total)
    measured = _Measured(*(_nothing(count) for _ in _Measured._fields))
    for rows, maps, pictures in reductions.maps:
        positive = np.maximum(maps, 0).sum(axis=1, dtype=np.float64)
        inside = pixels.in_blocks(reductions.majority[rows], positive.shape[2])
        truth = pixels.ink(pictures, ink) & inside
        found = (
            pixels.mass_accuracy(positive * inside, truth),
            pixels.mass_accuracy(positive, truth),
            pixels.rank_accuracy(positive, truth),
        )
        for (values, status), (of_rows, why) in zip(measured, found, strict=True):
            values[rows], status[rows] = of_rows, why
    return measured


def _nothing(count: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    return np.full(count, np.nan), np.full(count, blocks.NOT_KEPT, dtype=np.uint8)
