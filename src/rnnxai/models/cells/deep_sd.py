"""Deep-SD: Deep with stationary dropout."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rnnxai.models.cells.deep import Deep
from rnnxai.models.stationary import Mask, draw_mask, drop, drop_after_relu


class Prepared(NamedTuple):
    """One step's projection, and the masks that all steps share."""

    projected: Any
    recurrent: Mask
    hidden: Mask


class DeepSD(Deep):
    r"""The thesis' Deep-SD network: Deep's layers and sizes, with masks that stay for all steps.

    .. math::
        e_t &= m_e \operatorname{relu}(W_e x_t + b_e) \\
        r_t &= \operatorname{relu}(W_r (m_h h_{t-1}) + b_r), \quad r_1 = 0 \\
        h_t &= \operatorname{relu}(W_h (m_u [e_t ; r_t]) + b_h) \\
        z &= W_2 \operatorname{relu}(W_1 \operatorname{drop}(h_T) + b_1) + b_2

    :math:`m_e, m_u, m_h` are drawn once per forward pass, for each sample and unit; where two of them meet
    at :math:`e_t`, their product is. The last dropout is an ordinary one.
    """

    def prepare(self, patches: Tensor) -> Sequence[Any]:
        """Draw the masks, encode the pixels of all steps and project them into the hidden layer."""
        encoder, recurrent = (part.stop - part.start for part in self.hidden.columns)
        own = draw_mask(self.dropout, patches, encoder, times=2)
        past, hidden = (
            draw_mask(self.dropout, patches, units) for units in (recurrent, self.hidden.weight.shape[1])
        )
        e = drop_after_relu(self.encoder(patches), own)
        return [Prepared(item, past, hidden) for item in self.hidden.project(e)]

    def step(self, prepared: Prepared, state: Tensor | None) -> Tensor:
        """Return h_t (K, N, hidden)."""
        if state is None:
            return torch.relu(self.hidden.complete(prepared.projected))
        r = drop_after_relu(self.recurrent(drop(state, prepared.hidden)), prepared.recurrent)
        return torch.relu(self.hidden.complete(prepared.projected, r))
