"""Pooling of images over windows of 2 x 2."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function
from torch.nn.functional import avg_pool2d, max_pool2d
from torch.overrides import has_torch_function_variadic

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
    if variant != "max" and not has_torch_function_variadic(x):
        return _window_sums(x, variant, rectify=False)
    pooled: Tensor = function(x.flatten(0, -4)).unflatten(0, x.shape[:-3])
    return pooled if factor == 1 else pooled * factor


def relu_pool(z: Tensor, variant: str) -> Tensor:
    """Pool what a ReLU makes of z, in one: ``pool(torch.relu(z), variant)``."""
    if variant == "max" or has_torch_function_variadic(z):
        return pool(torch.relu(z), variant)
    return _window_sums(z, check_pooling(variant), rectify=True)


def _window_sums(x: Tensor, variant: str, rectify: bool) -> Tensor:
    images: Tensor = _WindowSums.apply(x.flatten(0, -4), variant, rectify)  # type: ignore[no-untyped-call]
    pooled: Tensor = images.unflatten(0, x.shape[:-3])
    return pooled


class _WindowSums(Function):
    """Sums or averages of windows, of images whose channels lie last in memory.

    Whole rows of memory are added, which a CPU does several times faster than ``avg_pool2d`` walks through
    windows. With a ReLU before it, the way back reads and writes large maps once and not twice.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, variant: str, rectify: bool) -> Tensor:
        """Pool images (N, C, H, W)."""
        rows = images.permute(0, 2, 3, 1)
        if rectify:
            rows = torch.relu(rows)
            ctx.save_for_backward(rows)
        height, width = rows.shape[1:3]
        ctx.size, ctx.variant = (height, width), variant
        sums = _halved(_halved(rows, 1), 2)
        return sums.mul_(_scale(variant, height, width, sums)).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Hand each pixel its window's share."""
        (g,) = gradients
        g = g.permute(0, 2, 3, 1)
        height, width = ctx.size
        shares = _doubled(_doubled(g * _scale(ctx.variant, height, width, g), 2, width), 1, height)
        for rows in ctx.saved_tensors:
            shares = torch.ops.aten.threshold_backward(shares, rows, 0)
        return shares.permute(0, 3, 1, 2), None, None


def _halved(x: Tensor, axis: int) -> Tensor:
    """Add neighbours along an axis; the last of an odd number stays alone."""
    pairs = x.shape[axis] // 2
    first, second = x.narrow(axis, 0, 2 * pairs).unflatten(axis, (pairs, 2)).unbind(axis + 1)
    sums: Tensor = first + second
    return sums if x.shape[axis] == 2 * pairs else torch.cat([sums, x.narrow(axis, 2 * pairs, 1)], axis)


def _doubled(x: Tensor, axis: int, size: int) -> Tensor:
    """Repeat what lies along an axis, up to a size: the transpose of :func:`_halved`."""
    repeated: Tensor = torch.repeat_interleave(x, 2, axis)
    return repeated.narrow(axis, 0, size)


def _scale(variant: str, height: int, width: int, like: Tensor) -> Tensor:
    """Return what the sums (H', W', 1) are to be multiplied by."""
    if variant == "sum":
        return like.new_ones(1, 1, 1)
    rows, columns = (_halved(like.new_ones(side), 0) for side in (height, width))
    counts = rows.view(-1, 1, 1) * columns.view(1, -1, 1)
    return counts.reciprocal_().mul_(VARIANTS[variant][1])


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
