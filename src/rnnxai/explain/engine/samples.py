"""Which sample an element belongs to, wherever a model has moved it.

The books are kept per sample, but a model may put the batch on any axis, or pack sequences of different
lengths into one. So sample numbers ride along with the signals: whatever moves a signal moves them too.
They are views of one small tensor as long as the model only views.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from rnnxai.errors import Error

MIXED = (
    "the model mixes the samples of a batch, so no sample has an explanation of its own; explain one sample "
    "at a time"
)


def number(x: Tensor) -> Tensor:
    """Return sample numbers in the shape of x, whose first axis is the batch.

    They are floating point numbers, since not all that moves values moves whole numbers.
    """
    numbers = torch.arange(len(x), device=x.device, dtype=torch.float64)
    return numbers.view(-1, *[1] * (x.dim() - 1)).expand(x.shape)


def numbers_of_output(numbers: Tensor, z: Tensor, axes: Sequence[int]) -> Tensor:
    """Return the sample numbers of a layer's output, given those of its input.

    Parameters
    ----------
    numbers : Tensor
        Of the input.
    z : Tensor
        The output.
    axes : sequence of int
        Which axes the layer mixes, counted from the end.

    Raises
    ------
    Error
        If it mixes samples of the batch.
    """
    for axis in axes:
        first = numbers.narrow(axis, 0, 1)
        if numbers.stride(axis) and bool((numbers != first).any()):
            raise Error(MIXED)
        numbers = first
    return numbers.expand(z.shape)


def numbers_of_several(known: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """Return the sample numbers of what is computed element by element from tensors with these numbers.

    Raises
    ------
    Error
        If elements of different samples meet, because one sample was broadcast to all.
    """
    first, *others = (numbers.expand(shape) for numbers in known)
    if any(bool((numbers != first).any()) for numbers in others if not _alike(numbers, first)):
        raise Error(MIXED)
    return first


def _alike(a: Tensor, b: Tensor) -> bool:
    """Tell without a look at their elements whether two views show the same."""
    return a.data_ptr() == b.data_ptr() and a.stride() == b.stride()


def per_sample(values: Tensor, numbers: Tensor, count: int) -> Tensor:
    """Add up values by sample, (count,) in float64.

    Parameters
    ----------
    values : Tensor
        Of the shape of `numbers`, but for axes along which the sample does not change.
    numbers : Tensor
    count : int
    """
    for axis in range(numbers.dim()):
        if values.shape[axis] == 1:
            numbers = numbers.narrow(axis, 0, 1)
    values = values.detach().double()
    # Along an axis that was only expanded the sample does not change.
    alike = [a for a in range(numbers.dim()) if numbers.stride(a) == 0 or numbers.shape[a] == 1]
    for axis in reversed(alike):
        values, numbers = values.sum(axis), numbers.select(axis, 0)
    total = values.new_zeros(count)
    return total.index_add_(0, numbers.reshape(-1).long(), values.reshape(-1))
