"""Conv+R-LSTM-SD: ConvR-LSTM-SD whose convolutions also read what they computed one step before."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from torch import Tensor

from rnnxai.models.cells import r_lstm
from rnnxai.models.cells.cell import Cell
from rnnxai.models.cells.r_lstm_sd import RLSTMSD
from rnnxai.models.encoders import Lateral, LateralEncoder
from rnnxai.models.layers import BiasForm
from rnnxai.models.stationary import drop


class State(NamedTuple):
    """What the convolutions read of the step before, and the state of the cells."""

    lateral: Lateral
    cells: r_lstm.State


class ConvPlusRLSTMSD(Cell):
    r"""The thesis' Conv+R-LSTM-SD network, with the sizes of ConvR-LSTM-SD.

    .. math::
        a_t &= \operatorname{relu}(W_1 * [x_t ; a_{t-1}] + b_1), \quad a_0 = 0 \\
        b_t &= \operatorname{relu}(W_2 * [\operatorname{pool}(a_t) ; b_{t-1}] + b_2), \quad b_0 = 0 \\
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
        self.convolutions = LateralEncoder(folds, patch, (channels1, channels2), pooling, bias)
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
        """Draw the masks and convolve the pixels of all steps."""
        masks = self.core.draw_masks(patches)
        return [(item, masks) for item in self.convolutions.project(patches)]

    def step(self, prepared: Any, state: State | None) -> State:
        """Return what the convolutions compute at this step, c_t and h_t."""
        projected, masks = prepared
        lateral, cells = (None, None) if state is None else state
        p, lateral = self.convolutions.step(projected, lateral)
        inputs = (self.core.encode(p, masks), *(() if cells is None else (cells.hidden,)))
        new = r_lstm.advance(self.core.gates(*inputs), self.core.candidate(*inputs), cells)
        return State(lateral, r_lstm.State(new.content, drop(new.hidden, masks.hidden)))

    def readout(self, state: State) -> Tensor:
        """Map h_T to the logits."""
        return self.core.readout(state.cells)
