"""Does relevance lie on the ink? Arithmetic on maps and masks.

What the cosine of blocks cannot see: two maps with the same sums over blocks score the same, whether one of
them draws the digits or not.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from rnnxai.errors import Error
from rnnxai.scoring.blocks import NO_INK, NOT_FINITE, OK, ZERO_RELEVANCE, Scored

Mask = npt.NDArray[np.bool_]

INK = 0.25
"""Share of full white from which a pixel counts as ink: below it there is the fringe of a stroke."""


def mass_accuracy(relevance: Any, truth: Any) -> Scored:
    r"""Relevance mass accuracy: share of the positive relevance that lies on the true pixels.

    .. math:: \frac{\sum_{p \in G} \max(R_p, 0)}{\sum_p \max(R_p, 0)}

    A uniform map scores :math:`|G|` over the number of pixels. The measure is that of Arras, Osman and
    Samek, "CLEVR-XAI" (2022), with negative relevance counted as 0.

    Parameters
    ----------
    relevance : array (n, height, width)
    truth : bool array (n, height, width)
        The true pixels :math:`G` of each sample.

    Returns
    -------
    array (n,) of float64
        In [0, 1]; NaN where undefined.
    array (n,) of uint8
        0 ok, 1 no positive relevance, 2 a pixel is not finite, 4 there is no true pixel.

    Raises
    ------
    Error
        If the shapes differ or are no stack of maps.
    """
    positive, mask, status = _prepare(relevance, truth)
    total = positive.sum(axis=1)
    found = np.where(mask, positive, 0).sum(axis=1)
    # Rounding may carry a perfect share past 1 by one unit in the last place.
    shares = np.minimum(np.divide(found, total, out=np.zeros_like(total), where=total > 0), 1)
    return np.where(status == OK, shares, np.nan), status


def rank_accuracy(relevance: Any, truth: Any) -> Scored:
    r"""Relevance rank accuracy: how many of the :math:`|G|` most relevant pixels are true pixels.

    .. math:: \frac{|P_{\text{top } |G|} \cap G|}{|G|}

    Unlike the mass, it does not depend on how relevance is spread over the true pixels, nor on a few
    that hold most of it. Pixels that tie at the last place share the places that are left, which is the
    mean over all ways of breaking the tie: a uniform map scores :math:`|G|` over the number of pixels,
    and a map that is 0 nearly everywhere gets no credit for an order that it does not state.

    Parameters
    ----------
    relevance : array (n, height, width)
        Negative relevance counts as 0.
    truth : bool array (n, height, width)

    Returns
    -------
    array (n,) of float64
        In [0, 1]; NaN where undefined.
    array (n,) of uint8
        0 ok, 1 no positive relevance, 2 a pixel is not finite, 4 there is no true pixel.

    Raises
    ------
    Error
        If the shapes differ or are no stack of maps.
    """
    positive, mask, status = _prepare(relevance, truth)
    wanted = mask.sum(axis=1)
    ordered = np.sort(positive, axis=1)
    place = positive.shape[1] - np.maximum(wanted, 1)  # in rising order, of the last that is in
    last = np.take_along_axis(ordered, place[:, None], axis=1)
    above, tied = positive > last, positive == last
    places = wanted - above.sum(axis=1)
    hits = (above & mask).sum(axis=1) + places * (tied & mask).sum(axis=1) / tied.sum(axis=1)
    return np.where(status == OK, hits / np.maximum(wanted, 1), np.nan), status


def ink(pictures: npt.NDArray[np.uint8], least: float = INK) -> Mask:
    r"""Tell which pixels are ink, :math:`v \ge 255 l`.

    Parameters
    ----------
    pictures : uint8 array (n, height, width)
        Grey values, 0 for the background.
    least : float
        Share of full white from which a pixel is ink, above 0 and up to 1.

    Raises
    ------
    Error
        If `least` is out of range.
    """
    if not 0 < least <= 1:
        raise Error(f"ink is {least!r}; the share of full white from which a pixel counts lies in (0, 1]")
    return np.asarray(pictures >= 255 * least)


def in_blocks(marks: npt.NDArray[np.uint8], width: int) -> Mask:
    """Spread marks (n, blocks) over the columns they stand for: (n, 1, width)."""
    return np.repeat(marks.astype(bool), width // marks.shape[1], axis=1)[:, None]


def _prepare(relevance: Any, truth: Any) -> tuple[npt.NDArray[np.float64], Mask, npt.NDArray[np.uint8]]:
    """Flatten maps to (n, pixels), keep their positive part scaled to 1, and say what has no score."""
    maps, mask = np.asarray(relevance, dtype=np.float64), np.asarray(truth, dtype=bool)
    if maps.ndim != 3 or maps.shape != mask.shape or not maps.shape[1] * maps.shape[2]:
        raise Error(
            f"maps have shape {maps.shape} and true pixels {mask.shape}; both must be (n, height, width)"
        )
    maps, mask = maps.reshape(len(maps), -1), mask.reshape(len(mask), -1)
    finite: Mask = np.asarray(np.isfinite(maps).all(axis=1))
    positive = np.maximum(np.where(finite[:, None], maps, 0), 0)
    peak: npt.NDArray[np.float64] = positive.max(axis=1, initial=0)
    np.divide(
        positive, peak[:, None], out=positive, where=(peak > 0)[:, None]
    )  # so that sums cannot overflow
    status = np.select(
        [~finite, ~mask.any(axis=1), peak == 0], [NOT_FINITE, NO_INK, ZERO_RELEVANCE], OK
    ).astype(np.uint8)
    return positive, mask, status
