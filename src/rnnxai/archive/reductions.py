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
    return ranges(columns(maps), parts)


def columns(maps: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Sum each column of maps (N, channels, height, width) over channels and rows: (N, width), in float64.

    Raises
    ------
    Error
        If the maps have another number of axes.
    """
    if maps.ndim != 4:
        raise Error(f"maps have shape {maps.shape}; it must be (samples, channels, height, width)")
    return np.asarray(maps.sum(axis=(1, 2), dtype=np.float64))


def ranges(sums: npt.NDArray[np.float64], parts: int) -> npt.NDArray[np.float64]:
    """Add up equal ranges of columns: (N, width) to (N, parts).

    Raises
    ------
    Error
        If the width does not divide.
    """
    count, width = sums.shape
    if parts < 1 or width % parts:
        raise Error(f"{width} columns do not divide into {parts} equal parts")
    return np.asarray(sums.reshape(count, parts, width // parts).sum(axis=2))
