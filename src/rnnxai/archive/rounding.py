"""Round maps to fewer bits, so that they compress to half their size."""

import numpy as np
import numpy.typing as npt

from rnnxai.errors import Error

MANTISSA = 23
"""Bits of the mantissa that float32 stores."""
_INFINITE = 0x7F800000
_SMALLEST_NORMAL = 0x00800000


def rounded(values: npt.NDArray[np.float32], keep_bits: int) -> npt.NDArray[np.float32]:
    r"""Round numbers to the nearest with `keep_bits` bits of mantissa, ties to even.

    The other bits become 0, which is what compresses. A result differs from its number by at most
    :math:`2^{-(b + 1)}` of it (:func:`largest_error`); so do sums of absolute values. Where this would not
    hold, for numbers below float32's normal range and those that would round to infinity, nothing is rounded.

    Parameters
    ----------
    values : array of float32
    keep_bits : int
        b, from 1 to 22.

    Returns
    -------
    array of float32, of the same shape

    Raises
    ------
    Error
        If `keep_bits` is out of range.
    """
    largest_error(keep_bits)
    dropped = np.uint32(MANTISSA - keep_bits)
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    half = np.uint32((1 << int(dropped) - 1) - 1)
    odd = (bits >> dropped) & np.uint32(1)
    result = ((bits + half + odd) >> dropped) << dropped
    size = bits & np.uint32(0x7FFFFFFF)
    exact = (size < _SMALLEST_NORMAL) | ((result & np.uint32(0x7FFFFFFF)) >= _INFINITE)
    return np.where(exact, bits, result).view(np.float32).reshape(values.shape)


def largest_error(keep_bits: int) -> float:
    """Return how far rounding can move a number, relative to it.

    Raises
    ------
    Error
        If `keep_bits` is not from 1 to 22.
    """
    if isinstance(keep_bits, bool) or not isinstance(keep_bits, int) or not 1 <= keep_bits < MANTISSA:
        raise Error(f"keep_bits is {keep_bits!r}; it must be a whole number from 1 to {MANTISSA - 1}")
    return float(2.0 ** -(keep_bits + 1))
