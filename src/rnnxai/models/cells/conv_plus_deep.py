"""Conv+Deep: ConvDeep whose convolutions also read what they computed one step before."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from rnnxai.models.cells.cell import Cell
from rnnxai.models.cells.deep import Deep
from rnnxai.models.encoders import Lateral, LateralEncoder
from rnnxai.models.layers import BiasForm


class State(NamedTuple):
    """What the convolutions read of the step before, and h_t (K, N, hidden)."""

    lateral: Lateral
    hidden: Tensor


class ConvPlusDeep(Cell):
    r"""The thesis' Conv+Deep network, with the sizes of ConvDeep.

    .. math::
        a_t &= \operatorname{relu}(W_1 * [x_t ; a_{t-1}] + b_1), \quad a_0 = 0 \\
        b_t &= \operatorname{relu}(W_2 * [\operatorname{pool}(a_t) ; b_{t-1}] + b_2), \quad b_0 = 0 \\
        p_t &= \operatorname{pool}(b_t)

    Flattened, :math:`p_t` is what :class:`~rnnxai.models.cells.deep.Deep` reads in place of pixels. There
    is no dropout before it.
    """

    own_pooling: ClassVar[str | None] = "thesis"

    def __init__(
        self,
        *,
        folds: int,
        patch: tuple[int, ...],
        classes: int,
        dropout: float,
        bias: BiasForm,
        pooling: str,
        channels1: int = 24,
        channels2: int = 32,
        encoder: int = 128,
        hidden: int = 128,
        recurrent: int = 256,
        decoder: int = 32,
    ) -> None:
        super().__init__()
        self.convolutions = LateralEncoder(folds, patch, (channels1, channels2), pooling, bias)
        self.core = Deep(
            folds=folds,
            patch=self.convolutions.shape,
            classes=classes,
            dropout=dropout,
            bias=bias,
            encoder=encoder,
            hidden=hidden,
            recurrent=recurrent,
            decoder=decoder,
        )

    def prepare(self, patches: Tensor) -> Sequence[Any]:
        """Convolve the pixels of all steps."""
        return self.convolutions.project(patches)

    def step(self, prepared: Any, state: State | None) -> State:
        """Return what the convolutions compute at this step, and h_t."""
        lateral, hidden = (None, None) if state is None else state
        p, lateral = self.convolutions.step(prepared, lateral)
        return State(lateral, torch.relu(self.core.hidden(self.core.encode(p), *self.core.recall(hidden))))

    def readout(self, state: State) -> Tensor:
        """Decode h_T into the logits."""
        return self.core.readout(state.hidden)
