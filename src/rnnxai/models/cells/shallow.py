"""Shallow: one hidden layer that reads pixels and recurrent state together."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from rnnxai.models.cells.cell import Cell
from rnnxai.models.dropout import Dropout
from rnnxai.models.layers import Affine, BiasForm


class Shallow(Cell):
    r"""The thesis' Shallow network (256 hidden, 256 recurrent units).

    .. math::
        r_t &= \operatorname{relu}(W_r \operatorname{drop}(h_{t-1}) + b_r), \quad r_1 = 0 \\
        h_t &= \operatorname{relu}(W_h [x_t ; r_t] + b_h) \\
        z &= W_o h_T + b_o

    The output reads the hidden layer without dropout.
    """

    def __init__(
        self,
        *,
        folds: int,
        patch: tuple[int, ...],
        classes: int,
        dropout: float,
        bias: BiasForm,
        hidden: int = 256,
        recurrent: int = 256,
    ) -> None:
        super().__init__()
        self.hidden = Affine(folds, (prod(patch), recurrent), hidden, bias)
        self.recurrent = Affine(folds, (hidden,), recurrent, bias)
        self.output = Affine(folds, (hidden,), classes, bias)
        self.dropout = Dropout(dropout)

    def prepare(self, patches: Tensor) -> Sequence[Any]:
        """Project the pixels of all steps."""
        return self.hidden.project(patches)

    def step(self, prepared: Any, state: Tensor | None) -> Tensor:
        """Return h_t (K, N, hidden)."""
        if state is None:
            return torch.relu(self.hidden.complete(prepared))
        r = torch.relu(self.recurrent(self.dropout(state)))
        return torch.relu(self.hidden.complete(prepared, r))

    def readout(self, state: Tensor) -> Tensor:
        """Map h_T to the logits."""
        return self.output(state)  # type: ignore[no-any-return]
