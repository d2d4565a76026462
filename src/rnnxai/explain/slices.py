"""Relevance of time steps and blocks, from relevance of pixels."""

from torch import Tensor

from rnnxai.errors import Error


def per_step(relevance: Tensor, steps: int, axis: int = -1) -> Tensor:
    """Sum relevance over equal slices of an axis: time steps, or blocks.

    Parameters
    ----------
    relevance : Tensor (N, ...)
        As :func:`rnnxai.explain` returns it.
    steps : int
        Number of slices: 12 steps or 3 blocks of a majority sequence, say.
    axis : int
        Along which time runs: the last of images, 1 of sequences (N, T, features).

    Returns
    -------
    Tensor (N, steps)

    Raises
    ------
    Error
        If the axis is the batch's or does not divide.
    """
    dims = relevance.dim()
    fits = -dims <= axis < dims and axis % dims != 0
    if not fits or steps < 1 or relevance.shape[axis] % steps:
        raise Error(
            f"relevance of shape {tuple(relevance.shape)} does not divide into {steps} steps along axis "
            f"{axis}; an axis other than the batch's and a number that divides its size would be right"
        )
    sliced: Tensor = relevance.movedim(axis, 1).unflatten(1, (steps, -1))
    return sliced.flatten(2).sum(2)
