"""Pooling of images over windows of 2 x 2."""

from collections.abc import Mapping
from functools import partial

from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from rnnxai.errors import Error

_average = partial(avg_pool2d, kernel_size=2, ceil_mode=True, count_include_pad=False)
_sum = partial(avg_pool2d, kernel_size=2, ceil_mode=True, divisor_override=1)
_max = partial(max_pool2d, kernel_size=2, ceil_mode=True)

# Name of a variant: what pools, and the constant its result is multiplied by.
VARIANTS: Mapping[str, tuple[partial[Tensor], int]] = {
    "thesis": (_average, 2),
    "sum": (_sum, 1),
    "average": (_average, 1),
    "max": (_max, 1),
}


def pool(x: Tensor, variant: str) -> Tensor:
    """Pool windows of 2 x 2 with stride 2.

    At an odd edge the last window holds what is there, without padding: 7 columns become 4.

    Parameters
    ----------
    x : Tensor (K, ..., C, H, W)
    variant : {"thesis", "sum", "average", "max"}
        ``thesis`` is what the thesis calls sum pooling: twice the average of a window, so half the sum
        of a whole one, and the sum of one that is cut in half. ``sum`` is the sum of every window.

    Returns
    -------
    Tensor (K, ..., C, ceil(H / 2), ceil(W / 2))
    """
    function, factor = VARIANTS[check_pooling(variant)]
    pooled: Tensor = function(x.flatten(0, -4)).unflatten(0, x.shape[:-3])
    return pooled if factor == 1 else pooled * factor


def check_pooling(variant: str) -> str:
    """Return the name of a variant, or name those there are.

    Raises
    ------
    Error
        If it is unknown.
    """
    if variant not in VARIANTS:
        raise Error(f"pooling = {variant!r} is unknown; allowed: {', '.join(map(repr, VARIANTS))}")
    return variant


def size_after_pooling(height: int, width: int) -> tuple[int, int]:
    """Return height and width after :func:`pool`."""
    return -(-height // 2), -(-width // 2)
