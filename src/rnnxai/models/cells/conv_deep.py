"""ConvDeep: two convolutions between the pixels and Deep."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from rnnxai.models.cells.cell import Cell
from rnnxai.models.cells.deep import Deep
from rnnxai.models.encoders import ConvEncoder
from rnnxai.models.layers import BiasForm


class ConvDeep(Cell):
    r"""The thesis' ConvDeep network (24 and 32 channels, then 128 units where Deep has 256).

    .. math::
        a_t &= \operatorname{relu}(W_1 * x_t + b_1) \\
        b_t &= \operatorname{relu}(W_2 * \operatorname{pool}(a_t) + b_2) \\
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
        self.convolutions = ConvEncoder(folds, patch, (channels1, channels2), pooling, bias)
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
        """Encode the pixels of all steps and project them into the hidden layer."""
        return self.core.prepare(self.convolutions(patches))

    def step(self, prepared: Any, state: Tensor | None) -> Tensor:
        """Return h_t (K, N, hidden)."""
        return self.core.step(prepared, state)

    def readout(self, state: Tensor) -> Tensor:
        """Decode h_T into the logits."""
        return self.core.readout(state)
