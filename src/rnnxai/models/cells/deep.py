"""Deep: pixels are encoded before they meet the recurrent state, and decoded after it."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from rnnxai.models.cells.cell import Cell
from rnnxai.models.dropout import Dropout
from rnnxai.models.layers import Affine, BiasForm


class Deep(Cell):
    r"""The thesis' Deep network (256 encoder, 128 hidden, 256 recurrent, 32 output units).

    .. math::
        e_t &= \operatorname{drop}(\operatorname{relu}(W_e x_t + b_e)) \\
        r_t &= \operatorname{relu}(W_r \operatorname{drop}(h_{t-1}) + b_r), \quad r_1 = 0 \\
        h_t &= \operatorname{relu}(W_h \operatorname{drop}([e_t ; r_t]) + b_h) \\
        z &= W_2 \operatorname{relu}(W_1 \operatorname{drop}(h_T) + b_1) + b_2

    The encoder's units are dropped twice, once by themselves and once in the concatenation: by one mask,
    which is distributed as the product of two.
    """

    def __init__(
        self,
        *,
        folds: int,
        patch: tuple[int, ...],
        classes: int,
        dropout: float,
        bias: BiasForm,
        encoder: int = 256,
        hidden: int = 128,
        recurrent: int = 256,
        decoder: int = 32,
    ) -> None:
        super().__init__()
        self.encoder = Affine(folds, (prod(patch),), encoder, bias)
        self.hidden = Affine(folds, (encoder, recurrent), hidden, bias)
        self.recurrent = Affine(folds, (hidden,), recurrent, bias)
        self.decoder = Affine(folds, (hidden,), decoder, bias)
        self.output = Affine(folds, (decoder,), classes, bias)
        self.dropout = Dropout(dropout)

    def prepare(self, patches: Tensor) -> Sequence[Any]:
        """Encode the pixels of all steps and project them into the hidden layer."""
        return self.hidden.project(self.encode(patches))

    def step(self, prepared: Any, state: Tensor | None) -> Tensor:
        """Return h_t (K, N, hidden)."""
        return torch.relu(self.hidden.complete(prepared, *self.recall(state)))

    def readout(self, state: Tensor) -> Tensor:
        """Decode h_T into the logits."""
        return self.output(torch.relu(self.decoder(self.dropout(state))))  # type: ignore[no-any-return]

    def encode(self, x: Tensor) -> Tensor:
        """Return e_t (K, ..., encoder) as the concatenation holds it, dropped twice."""
        return self.dropout.after_relu(self.encoder(x), times=2)

    def recall(self, state: Tensor | None) -> tuple[Tensor, ...]:
        """Return r_t (K, N, recurrent) as the concatenation holds it, and nothing at the first step."""
        if state is None:
            return ()
        return (self.dropout.after_relu(self.recurrent(self.dropout(state))),)
