"""Stationary dropout: one mask for all time steps of a forward pass.

A mask is a value, which a cell draws in ``prepare`` and hands from step to step. No module keeps it, so
nothing of a forward pass is left to the next one.
"""

from torch import Tensor

from rnnxai.models.dropout import Dropout, masked_relu

Mask = Tensor | None


def draw_mask(dropout: Dropout, patches: Tensor, units: int, times: int = 1) -> Mask:
    """Draw a mask (K, N, units) for the samples of patches (K, T, N, features).

    Every sample and unit has a draw of its own. It is None where dropout does not act. `times` is as for
    :meth:`~rnnxai.models.dropout.Dropout.mask`.
    """
    if not dropout.acts:
        return None
    folds, _, count, _ = patches.shape
    return dropout.mask(patches.new_empty(folds, count, units), times)


def drop(x: Tensor, mask: Mask) -> Tensor:
    """Apply a mask to one step (K, N, units) or to all steps (K, T, N, units)."""
    return x if mask is None else x * _of_all_steps(mask, x)


def drop_after_relu(z: Tensor, mask: Mask) -> Tensor:
    """Apply a mask to what a ReLU makes of one step or of all steps, in one."""
    return masked_relu(z, None if mask is None else _of_all_steps(mask, z))


def _of_all_steps(mask: Tensor, x: Tensor) -> Tensor:
    return mask if x.dim() == mask.dim() else mask.unsqueeze(1)
