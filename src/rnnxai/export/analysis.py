"""Points in the plane, and groups, for the samples of an archive: what ViRelAy calls an analysis."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnxai.scoring.blocks import cosine

UNDEFINED = 4
"""The cluster of samples without a cosine, beside the four quarters."""


class Points(NamedTuple):
    """Embeddings (N, 2) and clusterings (N,) of samples by name."""

    embeddings: dict[str, npt.NDArray[np.float32]]
    clusterings: dict[str, npt.NDArray[np.int32]]


def points(
    step: npt.NDArray[np.float64],
    block_positive: npt.NDArray[np.float64] | None,
    right: npt.NDArray[np.bool_],
    majority: npt.NDArray[np.uint8] | None,
) -> Points:
    """Place and group samples.

    Parameters
    ----------
    step : array (N, T)
        Relevance of each time step.
    block_positive : array (N, blocks), optional
        Positive relevance of each block.
    right : array (N,) of bool
        Whether the explained class is predicted.
    majority : array (N, blocks), optional
        1 for a block of the majority class.

    Returns
    -------
    Points
        ``block_share`` is the mean of a regular polygon's corners, one for each block, weighted by the
        blocks' shares of positive relevance (three blocks make a triangle); ``step_pca`` the first two
        principal components of the steps' shares of all magnitude. Every number is finite: what has no
        shares is at 0. ``predicted_right`` is 0 or 1, ``odd_block`` the first block not of the majority,
        ``cosine_quarter`` 0 to 3 from low to high and `UNDEFINED` for none.
    """
    embeddings, clusterings = {}, {"predicted_right": right.astype(np.int32)}
    if block_positive is not None:
        angles = np.pi / 2 - 2 * np.pi * np.arange(block_positive.shape[1]) / block_positive.shape[1]
        corners = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        embeddings["block_share"] = (_shares(block_positive) @ corners).astype(np.float32)
        if majority is not None:
            clusterings["odd_block"] = majority.argmin(axis=1).astype(np.int32)
            values, _ = cosine(block_positive, majority)
            quarter = np.minimum(np.floor(4 * np.clip(values, 0, 1)), UNDEFINED - 1)
            clusterings["cosine_quarter"] = np.where(np.isnan(values), UNDEFINED, quarter).astype(np.int32)
    embeddings["step_pca"] = _principal(_shares(step))
    return Points(embeddings, clusterings)


def _shares(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    size = np.abs(values).sum(axis=1, keepdims=True)
    shares = np.zeros(values.shape)
    np.divide(values, size, out=shares, where=size > 0)
    return shares


def _principal(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    centred = shares - shares.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((len(shares), 2))
    for number, axis in enumerate(axes[:2]):
        # Of an axis and its opposite, the one whose largest part is positive.
        found[:, number] = centred @ axis * np.sign(axis[np.abs(axis).argmax()])
    return found.astype(np.float32)
