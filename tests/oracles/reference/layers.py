"""Weights as dense matrices: every layer, also a convolution or a sum, is one (units, inputs) array."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights (units, inputs), what is added to the weighted sums (units,), and which weights exist.

    A padded convolution has no connection to the padding: it is not among the inputs at all.
    """

    w: np.ndarray
    b: np.ndarray
    reads: np.ndarray = None
    name: str = ""
    kind: str = "dense"

    def __post_init__(self):
        if self.reads is None:
            object.__setattr__(self, "reads", np.ones(self.w.shape, dtype=bool))

    def __iter__(self):
        return iter((self.w, self.b))


def convolution(name, kernel, bias, size, padding):
    """Write out a convolution of stride 1 of maps (channels, height, width).

    Parameters: the kernel (to, from, rows, columns), the bias (to,), the size (height, width) of the maps
    read, and the padding (top, left). The result has as many rows and columns as the padding on both
    sides leaves, where the lower and right padding make up for an even kernel if there is any.
    """
    (to, of, rows, columns), (height, width), (top, left) = kernel.shape, size, padding
    out = (height if top else height - rows + 1, width if left else width - columns + 1)
    w = np.zeros((to, *out, of, height, width))
    reads = np.zeros(w.shape, dtype=bool)
    for y in range(out[0]):
        for x in range(out[1]):
            for dy in range(rows):
                for dx in range(columns):
                    row, column = y + dy - top, x + dx - left
                    if 0 <= row < height and 0 <= column < width:
                        w[:, y, x, :, row, column] = kernel[:, :, dy, dx]
                        reads[:, y, x, :, row, column] = True
    units, inputs = to * out[0] * out[1], of * height * width
    b = np.repeat(bias, out[0] * out[1])
    return Layer(w.reshape(units, inputs), b, reads.reshape(units, inputs), name, "convolution"), out


def windows(channels, size):
    """List the places that each window of 2x2 pixels holds, fewer at the lower and right edges."""
    height, width = size
    places = np.arange(channels * height * width).reshape(channels, height, width)
    return [
        places[channel, y : y + 2, x : x + 2].reshape(-1)
        for channel in range(channels)
        for y in range(0, height, 2)
        for x in range(0, width, 2)
    ]


def pooling(name, channels, size, share):
    """Write out a pooling; `share` says what a window of n values takes of each, 1 / n for an average."""
    height, width = size
    w = np.zeros((channels * -(-height // 2) * -(-width // 2), channels * height * width))
    for k, places in enumerate(windows(channels, size)):
        w[k, places] = share(len(places))
    return Layer(w, np.zeros(len(w)), w > 0, name, "pooling"), (-(-height // 2), -(-width // 2))


def addition(name, units):
    """Add two vectors, as a layer whose units have two inputs of weight 1."""
    w = np.hstack([np.eye(units), np.eye(units)])
    return Layer(w, np.zeros(units), w == 1, name, "sum")
