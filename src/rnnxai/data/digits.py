"""Scikit-learn's handwritten digits, enlarged to the geometry of MNIST.

They come with an installed package, so demonstrations and tests need no download.
"""

import numpy as np
from numpy.typing import NDArray

from rnnxai.data.source import Source

_SMALL, _LARGE, _MARGIN = 8, 20, 4  # MNIST, too, draws a digit in 20x20 pixels inside a margin of 4
_TENTHS = 10  # enlarging 8 to 20 puts every sample point at a whole number of tenths
_UNIT = 2 * _TENTHS**3  # the kernel below is scaled by this, which makes it integer
_TEST_COUNT = 297


def digits() -> Source:
    """Load the digits; see :func:`rnnxai.data.source.load_source`."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    labels = bunch.target.astype(np.uint8)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=_TEST_COUNT, stratify=labels, random_state=71
    )
    order = np.concatenate([np.sort(train), np.sort(test)])
    return Source(
        images=enlarge(bunch.images.astype(np.uint8))[order],
        labels=labels[order],
        train_count=len(train),
        classes=tuple(str(digit) for digit in range(10)),
    )


def enlarge(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Enlarge by bicubic (Catmull-Rom) interpolation, in integers, hence alike on every machine.

    Parameters
    ----------
    images : uint8 array (N, 8, 8)
        Grey values, 0 to 16.

    Returns
    -------
    uint8 array (N, 28, 28)
        Grey values, 0 to 255; 20x20 pixels inside an empty margin.
    """
    weights = _weights()
    scaled = 255 * (weights @ images.astype(np.int64) @ weights.T)
    white = 16 * _UNIT**2
    rounded = (2 * scaled + white) // (2 * white)
    margin = ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN))
    return np.pad(np.clip(rounded, 0, 255).astype(np.uint8), margin)


def _weights() -> NDArray[np.int64]:
    """Return ``_UNIT * k(distance)`` of large pixel (rows) to small pixel (columns).

    With u the distance in tenths, ``2000 k`` is ``3 u^3 - 50 u^2 + 2000`` up to u = 10, and
    ``-u^3 + 50 u^2 - 800 u + 4000`` up to u = 20. Pixels beyond the border count as background.
    """
    large, small = np.arange(_LARGE)[:, None], np.arange(_SMALL)
    centre = _TENTHS * _SMALL * (2 * large + 1) // (2 * _LARGE)
    u = np.abs(centre - (_TENTHS * small + _TENTHS // 2))
    near = 3 * u**3 - 50 * u**2 + 2000
    far = -(u**3) + 50 * u**2 - 800 * u + 4000
    return np.select([u <= 10, u <= 20], [near, far], default=0)
