"""Write chunks as HDF5's filters shuffle, gzip and fletcher32 would, in a third of the time.

HDF5 lets zlib search for repeated strings. There are none in the bytes of relevance, which are noise but for
sign and exponent, and zeros where nothing is relevant. Its strategy for runs of equal bytes finds these as
well, and what it writes any zlib reads: files are as large as before, and readers see no difference.
"""

import zlib
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

_LEVEL, _WINDOW, _MEMORY = 4, 15, 8
"""Level, which counts for nothing with this strategy, and what zlib has by default."""
_MODULUS = 2**16 - 1
_BLOCK = 2**20
"""Pairs of bytes that are summed at a time, which fits in 64 bits."""


def write_rows(array: h5py.Dataset, first: int, values: npt.NDArray[Any]) -> None:
    """Write whole chunks of an array.

    Parameters
    ----------
    array : Dataset
        With :data:`rnnxai.archive.format.FILTERS`, and chunks that span all axes but the first.
    first : int
        Row of the first value, where a chunk begins.
    values : ndarray
        Rows up to the end of a chunk, or of the array.
    """
    rows, origin = array.chunks[0], (0,) * (array.ndim - 1)
    for start in range(0, len(values), rows):
        chunk = values[start : start + rows]
        if len(chunk) < rows:  # beyond the end of the array; nobody reads it, and equal runs give equal bytes
            rest = np.full((rows - len(chunk), *chunk.shape[1:]), array.fillvalue, dtype=array.dtype)
            chunk = np.concatenate([chunk, rest])
        array.id.write_direct_chunk((first + start, *origin), filtered(chunk))


def filtered(chunk: npt.NDArray[Any]) -> bytes:
    """Return the bytes of a chunk as they are stored: shuffled, compressed, and with their checksum."""
    plain = np.ascontiguousarray(chunk)
    shuffled = np.ascontiguousarray(plain.reshape(-1).view(np.uint8).reshape(plain.size, plain.itemsize).T)
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_RLE)
    compressed = stream.compress(shuffled.data) + stream.flush()
    return compressed + fletcher32(compressed).to_bytes(4, "little")


def fletcher32(data: bytes) -> int:
    r"""Return Fletcher's checksum of bytes as HDF5 has it.

    With :math:`w_1 \dots w_n` the bytes taken in pairs, the first of a pair being the higher and a 0 filling
    the last, it is :math:`2^{16} \sum_i (n + 1 - i) w_i + \sum_i w_i`, both sums modulo 65535, and 65535
    where that leaves 0 of a sum that is not 0.
    """
    words = np.frombuffer(data + b"\0" * (len(data) % 2), dtype=">u2")
    low = high = 0
    for start in range(0, len(words), _BLOCK):
        running = np.cumsum(words[start : start + _BLOCK], dtype=np.uint64)
        high += low * len(running) + int(running.sum())
        low += int(running[-1])
    return _reduced(high) << 16 | _reduced(low)


def _reduced(total: int) -> int:
    return (total - 1) % _MODULUS + 1 if total else 0
