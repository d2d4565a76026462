"""Stationary dropout: one mask for all time steps of a forward pass.

A mask is a value, which a cell draws in ``prepare`` and hands from step to step. No module keeps it, so
nothing of a forward pass is left to the next one.
"""

from torch import Tensor

from rnnxai.models.layers import Dropout

Mask = Tensor | None


def draw_mask(dropout: Dropout, patches: Tensor, units: int) -> Mask:
    """Draw a mask (K, N, units) for the samples of patches (K, T, N, features).

    Every sample and unit has a draw of its own. It is None where dropout does not act.
    """
    if not dropout.training or dropout.p == 0:
        return None
    folds, _, count, _ = patches.shape
    return dropout.mask(patches.new_empty(folds, count, units))


def drop(x: Tensor, mask: Mask) -> Tensor:
    """Apply a mask to one step (K, N, units) or to all steps (K, T, N, units)."""
    if mask is None:
        return x
    return x * (mask if x.dim() == mask.dim() else mask.unsqueeze(1))
