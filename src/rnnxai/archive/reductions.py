"""Sums of heatmaps over ranges of columns, in float64."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rnnxai.errors import Error


def column_sums(maps: npt.NDArray[Any], parts: int) -> npt.NDArray[np.float64]:
    """Sum maps over equal ranges of their columns.

    Parameters
    ----------
    maps : array (N, channels, height, width)
        Any number type; it is summed in float64.
    parts : int
        Number of ranges; it must divide the width.

    Returns
    -------
    array (N, parts) of float64

    Raises
    ------
    Error
        If the maps have another number of axes or the width does not divide.
    """
    if maps.ndim != 4:
        raise Error(f"maps have shape {maps.shape}; it must be (samples, channels, height, width)")
    count, channels, height, width = maps.shape
    if parts < 1 or width % parts:
        raise Error(f"{width} columns do not divide into {parts} equal parts")
    split = maps.reshape(count, channels, height, parts, width // parts)
    return np.asarray(split.sum(axis=(1, 2, 4), dtype=np.float64))
