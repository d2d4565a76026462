"""Does relevance lie on the right blocks of a sequence? Arithmetic on plain arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rnnxai.archive.reductions import column_sums
from rnnxai.errors import Error

OK, ZERO_RELEVANCE, NOT_FINITE, NOT_KEPT, NO_INK = 0, 1, 2, 3, 4
STATUS = ("ok", "zero_relevance", "not_finite", "map_not_kept", "no_ink")
"""Meanings of a status: why a sample has no score."""

Scored = tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]
"""Values (N,), NaN where undefined, and their status (N,)."""


def block_cosine(relevance: Any, majority: Any) -> npt.NDArray[np.float64]:
    r"""Cosine between the relevance of each block and the marks of the majority blocks.

    Negative pixels count as 0; what is left is summed over each block's columns to :math:`v`, and

    .. math:: \cos(v, m) = \frac{v \cdot m}{\lVert v \rVert \lVert m \rVert}

    is 1 when relevance is spread evenly over the majority blocks alone, and 0 when it misses them all.
    A uniform map reaches .8165 for two blocks of three (`reference_levels`), so 0 is not the floor to
    compare with.

    Parameters
    ----------
    relevance : array (N, channels, height, width)
        Heatmaps; a NumPy array, a torch tensor, or nested lists.
    majority : array (N, blocks)
        1 for a block of the majority class, else 0. Blocks are equal ranges of columns.

    Returns
    -------
    array (N,) of float64
        In [0, 1]; NaN for a map without positive relevance.

    Raises
    ------
    Error
        If a shape does not fit, a relevance is not finite, or a row has no majority block.
    """
    maps, marks = _array(relevance), _marks(majority)
    if maps.ndim != 4:
        raise Error(f"relevance has shape {maps.shape}; it must be (samples, channels, height, width)")
    finite = np.isfinite(maps).all(axis=(1, 2, 3))
    if not finite.all():
        raise Error(f"relevance of sample {int(np.argmin(finite))} is not finite")
    positive = np.maximum(maps, 0).astype(np.float64)
    peak = positive.max(axis=(1, 2, 3), keepdims=True, initial=0)
    np.divide(positive, peak, out=positive, where=peak > 0)  # so that sums neither overflow nor vanish
    return cosine(column_sums(positive, marks.shape[1]), marks)[0]


def cosine(vectors: Any, majority: Any) -> Scored:
    """Cosine between block vectors and majority marks, whatever their scale.

    Parameters
    ----------
    vectors : array (N, blocks)
        Relevance of each block, clipped or not.
    majority : array (N, blocks)
        1 for a block of the majority class, else 0.

    Returns
    -------
    array (N,) of float64
        In [-1, 1]; NaN where undefined.
    array (N,) of uint8
        0 ok, 1 all blocks are 0, 2 a block is not finite.

    Raises
    ------
    Error
        If the shapes differ or a row has no majority block.
    """
    scaled, marks, status = _prepare(vectors, majority)
    dots = (scaled * marks).sum(axis=1)
    norms = np.sqrt((scaled**2).sum(axis=1) * marks.sum(axis=1))
    # Rounding may carry a perfect match past 1 by one unit in the last place.
    values = np.clip(np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0), -1, 1)
    return np.where(status == OK, values, np.nan), status


def majority_share(vectors: Any, majority: Any) -> Scored:
    r"""Share of the relevance that lies on majority blocks, :math:`v \cdot m / \sum_j v_j`.

    The thesis' first metric. It cannot tell one majority block from both: (1, 0, 0) and (.5, .5, 0) have
    the share 1 of the marks (1, 1, 0), but the cosines .7071 and 1.

    Parameters
    ----------
    vectors : array (N, blocks)
        Relevance of each block, not negative.
    majority : array (N, blocks)
        1 for a block of the majority class, else 0.

    Returns
    -------
    array (N,) of float64
        In [0, 1]; NaN where undefined.
    array (N,) of uint8
        0 ok, 1 all blocks are 0, 2 a block is not finite.

    Raises
    ------
    Error
        If the shapes differ, a row has no majority block, or a block is negative: shares of a total
        that cancels mean nothing.
    """
    scaled, marks, status = _prepare(vectors, majority)
    if (scaled < 0).any():
        row = int(np.argmax((scaled < 0).any(axis=1)))
        raise Error(f"block relevance of sample {row} is negative; a share needs its positive part")
    totals = scaled.sum(axis=1)
    shares = np.divide((scaled * marks).sum(axis=1), totals, out=np.zeros_like(totals), where=totals > 0)
    return np.where(status == OK, shares, np.nan), status


def _prepare(
    vectors: Any, majority: Any
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    """Scale each row to a largest magnitude of 1, with 0 in place of what has no score."""
    blocks, marks = _array(vectors).astype(np.float64), _marks(majority)
    if blocks.shape != marks.shape:
        raise Error(f"blocks have shape {blocks.shape} and majority {marks.shape}; they must be equal")
    finite = np.isfinite(blocks).all(axis=1, keepdims=True)
    blocks = np.where(finite, blocks, 0)
    peak = np.abs(blocks).max(axis=1, keepdims=True)
    scaled = np.divide(blocks, peak, out=np.zeros_like(blocks), where=peak > 0)
    status = np.where(finite, np.where(peak > 0, OK, ZERO_RELEVANCE), NOT_FINITE)
    return scaled, marks, status[:, 0].astype(np.uint8)


def _marks(majority: Any) -> npt.NDArray[np.float64]:
    marks = _array(majority).astype(np.float64)
    if marks.ndim != 2 or not marks.shape[1]:
        raise Error(f"majority has shape {marks.shape}; it must be (samples, blocks)")
    if not np.isin(marks, (0, 1)).all():
        raise Error("majority holds other values than 0 and 1")
    counts = marks.sum(axis=1)
    if not counts.all():
        raise Error(f"sample {int(np.argmin(counts))} has no majority block; it needs one")
    return marks


def _array(values: Any) -> npt.NDArray[Any]:
    # A tensor that needs a gradient or lives on another device does not turn into an array by itself.
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    return np.asarray(values)
