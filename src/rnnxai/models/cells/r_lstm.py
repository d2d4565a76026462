"""R-LSTM: an LSTM whose candidate is a ReLU layer, so that relevance can pass through it."""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rnnxai.models.cells.cell import Cell
from rnnxai.models.dropout import Dropout
from rnnxai.models.layers import Affine, BiasForm, gate


class State(NamedTuple):
    """Cell content and hidden activation, each (K, N, cells)."""

    content: Tensor
    hidden: Tensor


def advance(gates: Tensor, candidate: Tensor, state: State | None) -> State:
    """Go one step from the weighted sums of the gates (K, N, 3 * cells) and the candidate, undropped."""
    i, f, o = gate(gates).chunk(3, dim=-1)
    g = torch.relu(candidate)
    content = i * g if state is None else f * state.content + i * g
    return State(content, o * content)


class RLSTM(Cell):
    r"""The thesis' R-LSTM (256 encoder units, 72 cells).

    .. math::
        e_t &= \operatorname{drop}(\operatorname{relu}(W_e x_t + b_e)) \\
        i_t, f_t, o_t &= \sigma(W [e_t ; h_{t-1}] + b) \\
        g_t &= \operatorname{relu}(W_g [e_t ; h_{t-1}] + b_g) \\
        c_t &= f_t c_{t-1} + i_t g_t, \quad c_0 = 0 \\
        h_t &= \operatorname{drop}(o_t c_t), \quad h_0 = 0 \\
        z &= W_o h_T + b_o

    There is no tanh after the cell. The dropped h_t feeds both the next step and the output. The
    gates have an ordinary bias that starts at 0, so the forget gate starts half open.
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
        cells: int = 72,
    ) -> None:
        super().__init__()
        self.encoder = Affine(folds, (prod(patch),), encoder, bias)
        self.gates = Affine(folds, (encoder, cells), 3 * cells, "plain")
        self.candidate = Affine(folds, (encoder, cells), cells, bias)
        self.output = Affine(folds, (cells,), classes, bias)
        self.dropout = Dropout(dropout)

    def prepare(self, patches: Tensor) -> Sequence[Any]:
        """Encode the pixels of all steps and project them into gates and candidate."""
        e = self.dropout.after_relu(self.encoder(patches))
        return list(zip(self.gates.project(e), self.candidate.project(e), strict=True))

    def step(self, prepared: Any, state: State | None) -> State:
        """Return c_t and h_t."""
        past = () if state is None else (state.hidden,)
        gates, candidate = prepared
        new = advance(self.gates.complete(gates, *past), self.candidate.complete(candidate, *past), state)
        return State(new.content, self.dropout(new.hidden))

    def readout(self, state: State) -> Tensor:
        """Map h_T to the logits."""
        return self.output(state.hidden)  # type: ignore[no-any-return]
