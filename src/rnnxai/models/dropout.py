"""Dropout of a stack of K networks, whose folds can draw from streams of their own."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.autograd.function import Function
from torch.overrides import has_torch_function_variadic

from rnnxai.models.unrolling import one_per_step


class Dropout(nn.Module):
    """Inverted dropout.

    Parameters
    ----------
    p : float
        Probability that a unit is dropped.

    Attributes
    ----------
    generators : sequence of torch.Generator or None
        One per fold, or a single one whose masks all folds share. None draws from torch's default
        generator, for each fold anew.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generators: Sequence[Generator] | None = None

    @property
    def acts(self) -> bool:
        """Whether anything is dropped: in training, unless the probability is 0."""
        return self.training and self.p > 0

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of x (K, ..., units) in training mode, with one draw per element."""
        return x * self.mask(x) if self.acts else x

    def after_relu(self, z: Tensor, times: int = 1) -> Tensor:
        """Drop units of what a ReLU makes of z, as often as `times` says: in training all in one."""
        if self.acts and not has_torch_function_variadic(z):
            return masked_relu(z, self.mask(z, times))
        result = torch.relu(z)
        for _ in range(times):
            result = self(result)
        return result

    def mask(self, x: Tensor, times: int = 1) -> Tensor:
        """Draw a mask of x's shape with values 0 and 1 / (1 - p); K is 1 if all folds share it.

        With `times` it is the product of that many masks, in one draw: a unit stays if it stays in all of
        them. Masks of all steps of a forward pass are drawn at the first.
        """

        def draw(steps: int) -> Sequence[Tensor]:
            shape = (len(x), steps, *x.shape[1:])
            return _bernoulli(x.new_empty(()).expand(shape), (1 - self.p) ** times, self.generators).unbind(1)

        return one_per_step((id(self), times, x.shape), draw)

    def extra_repr(self) -> str:
        """Show the probability."""
        return f"p={self.p}"


def masked_relu(z: Tensor, mask: Tensor | None) -> Tensor:
    """Return ``torch.relu(z) * mask``, or the ReLU alone where there is no mask."""
    if mask is None:
        return torch.relu(z)
    if has_torch_function_variadic(z):
        return torch.relu(z) * mask
    result: Tensor = _MaskedReLU.apply(z, mask)  # type: ignore[no-untyped-call]
    return result


class _MaskedReLU(Function):
    """A ReLU and a product with fewer new tensors, which are what costs time where they leave the cache."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, mask: Tensor) -> Tensor:
        """Multiply in place."""
        result = torch.relu(z).mul_(mask)
        ctx.save_for_backward(result, mask)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Let the gradient through where something is left."""
        result, mask = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradients[0], result, 0).mul_(mask), None


def _bernoulli(x: Tensor, keep: float, generators: Sequence[Generator] | None) -> Tensor:
    """Draw 16 random bits per element, several times faster than ``bernoulli_``.

    One 64-bit draw serves four elements. The threshold is rounded to a multiple of 2**-16, and the
    surviving units are scaled by the inverse of the probability that results, so the mean is exact.
    """
    threshold = round(keep * 2**16)
    if threshold == 2**16:
        return torch.ones_like(x)
    folds, count = x.shape[0], x[0].numel()
    if generators is not None and len(generators) == 1:
        folds = 1
    words = torch.empty(folds, -(-count // 4), dtype=torch.int64, device=x.device)
    if generators is None:
        words.random_(-(2**63), None)
    else:
        for row, generator in zip(words, generators, strict=True):
            row.random_(-(2**63), None, generator=generator)
    lanes = words.view(torch.int16)[:, :count].reshape(folds, *x.shape[1:])
    # Into the mask's own type: a comparison that returns bool takes four times as long.
    mask = torch.lt(lanes, threshold - 2**15, out=torch.empty(lanes.shape, dtype=x.dtype, device=x.device))
    return mask.mul_(2**16 / threshold)
