"""What a model is explained for: a tensor, a packed sequence, or tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from rnnxai.explain.engine import samples


@dataclass(frozen=True)
class Inputs:
    """One batch of inputs of a model.

    Parameters
    ----------
    values : Tensor (N, ...) or PackedSequence
        What is explained. Whole numbers are tokens: their embeddings are explained.
    others : sequence
        Further arguments of the model, which are not explained (lengths, initial states, ...).
    """

    values: Tensor | PackedSequence
    others: Sequence[Any] = ()

    @property
    def data(self) -> Tensor:
        """The values in one tensor; of a packed sequence its rows."""
        data: Tensor = self.values.data
        return data

    def __len__(self) -> int:
        if isinstance(self.values, PackedSequence):
            return int(self.values.batch_sizes[0])
        return len(self.values)

    def leaf(self) -> Tensor:
        """Return a copy of the values that autograd can walk back to, unless they are tokens."""
        copy = self.data.detach().clone()
        return copy.requires_grad_() if copy.is_floating_point() else copy

    def numbers(self, leaf: Tensor) -> Tensor:
        """Return the sample number of every element."""
        packed = self.values
        if not isinstance(packed, PackedSequence):
            return samples.number(leaf)
        order = packed.sorted_indices
        first = torch.arange(len(self), device=leaf.device) if order is None else order.to(leaf.device)
        rows = torch.cat([first[:size] for size in packed.batch_sizes.tolist()])
        return rows.double().view(-1, *[1] * (leaf.dim() - 1)).expand(leaf.shape)

    def run(self, model: nn.Module, leaf: Tensor) -> Any:
        """Run a model on the values in `leaf`."""
        return model(self.like(leaf), *self.others)

    def like(self, data: Tensor) -> Tensor:
        """Return data in the form of the values."""
        packed = self.values
        if not isinstance(packed, PackedSequence):
            return data
        rebuilt = PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
        return cast(Tensor, rebuilt)  # to callers it is what they gave
