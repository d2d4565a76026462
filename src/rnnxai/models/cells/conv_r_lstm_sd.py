"""ConvR-LSTM-SD: two convolutions between the pixels and R-LSTM-SD."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from rnnxai.models.cells.cell import Cell
from rnnxai.models.cells.r_lstm import State
from rnnxai.models.cells.r_lstm_sd import RLSTMSD
from rnnxai.models.encoders import ConvEncoder
from rnnxai.models.layers import BiasForm


class ConvRLSTMSD(Cell):
    r"""The thesis' ConvR-LSTM-SD network (24 and 32 channels, 128 encoder units, 96 cells).

    .. math::
        a_t &= \operatorname{relu}(W_1 * x_t + b_1) \\
        b_t &= \operatorname{relu}(W_2 * \operatorname{pool}(a_t) + b_2) \\
        p_t &= \operatorname{pool}(b_t)

    Flattened, :math:`p_t` is what :class:`~rnnxai.models.cells.r_lstm_sd.RLSTMSD` reads in place of
    pixels. There is no dropout before it.
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
        cells: int = 96,
    ) -> None:
        super().__init__()
        self.convolutions = ConvEncoder(folds, patch, (channels1, channels2), pooling, bias)
        self.core = RLSTMSD(
            folds=folds,
            patch=self.convolutions.shape,
            classes=classes,
            dropout=dropout,
            bias=bias,
            encoder=encoder,
            cells=cells,
        )

    def prepare(self, patches: Tensor) -> Sequence[Any]:
        """Draw the masks, encode the pixels of all steps and project them into gates and candidate."""
        return self.core.prepare(self.convolutions(patches))

    def step(self, prepared: Any, state: State | None) -> State:
        """Return c_t and h_t."""
        return self.core.step(prepared, state)

    def readout(self, state: State) -> Tensor:
        """Map h_T to the logits."""
        return self.core.readout(state)
