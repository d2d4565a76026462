"""R-LSTM-SD: R-LSTM with stationary dropout."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from rnnxai.models.cells.r_lstm import RLSTM, State, advance
from rnnxai.models.stationary import Mask, draw_mask, drop, drop_after_relu


class Masks(NamedTuple):
    """The masks of e_t (K, N, encoder) and h_t (K, N, cells), which all steps share."""

    encoder: Mask
    hidden: Mask


class RLSTMSD(RLSTM):
    r"""The thesis' R-LSTM-SD network: R-LSTM's layers and sizes, with masks that stay for all steps.

    .. math::
        e_t &= m_e \operatorname{relu}(W_e x_t + b_e) \\
        h_t &= m_h o_t c_t, \quad h_0 = 0

    :math:`m_e, m_h` are drawn once per forward pass, for each sample and unit; :math:`h_T` has the mask of
    all others. The rest is :class:`~rnnxai.models.cells.r_lstm.RLSTM`.
    """

    def prepare(self, patches: Tensor) -> Sequence[Any]:
        """Draw the masks, encode the pixels of all steps and project them into gates and candidate."""
        masks = self.draw_masks(patches)
        e = self.encode(patches, masks)
        items = zip(self.gates.project(e), self.candidate.project(e), strict=True)
        return [(gates, candidate, masks) for gates, candidate in items]

    def step(self, prepared: Any, state: State | None) -> State:
        """Return c_t and h_t."""
        past = () if state is None else (state.hidden,)
        gates, candidate, masks = prepared
        new = advance(self.gates.complete(gates, *past), self.candidate.complete(candidate, *past), state)
        return State(new.content, drop(new.hidden, masks.hidden))

    def draw_masks(self, patches: Tensor) -> Masks:
        """Draw the masks of a forward pass over patches (K, T, N, features)."""
        widths = (part.stop - part.start for part in self.gates.columns)
        return Masks(*(draw_mask(self.dropout, patches, units) for units in widths))

    def encode(self, x: Tensor, masks: Masks) -> Tensor:
        """Return e_t of one step (K, N, encoder), or of all steps (K, T, N, encoder)."""
        return drop_after_relu(self.encoder(x), masks.encoder)
