"""DeepV2: Deep with one more layer between the pixels and the recurrent state."""

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor

from rnnxai.models.cells.cell import Cell
from rnnxai.models.cells.deep import Deep
from rnnxai.models.dropout import Dropout
from rnnxai.models.layers import Affine, BiasForm


class DeepV2(Cell):
    r"""The thesis' DeepV2 network (128 units in front of Deep's 256, 128, 256 and 32).

    .. math::
        d_t &= \operatorname{drop}(\operatorname{relu}(W_d x_t + b_d)) \\
        e_t &= \operatorname{drop}(\operatorname{relu}(W_e d_t + b_e))

    From there on it is :class:`~rnnxai.models.cells.deep.Deep`.
    """

    def __init__(
        self,
        *,
        folds: int,
        patch: tuple[int, ...],
        classes: int,
        dropout: float,
        bias: BiasForm,
        first: int = 128,
        encoder: int = 256,
        hidden: int = 128,
        recurrent: int = 256,
        decoder: int = 32,
    ) -> None:
        super().__init__()
        self.first = Affine(folds, (prod(patch),), first, bias)
        self.core = Deep(
            folds=folds,
            patch=(first,),
            classes=classes,
            dropout=dropout,
            bias=bias,
            encoder=encoder,
            hidden=hidden,
            recurrent=recurrent,
            decoder=decoder,
        )
        self.dropout = Dropout(dropout)

    def prepare(self, patches: Tensor) -> Sequence[Any]:
        """Encode the pixels of all steps twice and project them into the hidden layer."""
        return self.core.prepare(self.dropout.after_relu(self.first(patches)))

    def step(self, prepared: Any, state: Tensor | None) -> Tensor:
        """Return h_t (K, N, hidden)."""
        return self.core.step(prepared, state)

    def readout(self, state: Tensor) -> Tensor:
        """Decode h_T into the logits."""
        return self.core.readout(state)
