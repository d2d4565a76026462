r"""An LSTM layer as one operation, for methods that ask for nothing of its steps.

Step by step (:mod:`rnnxai.explain.engine.recurrent`) an LSTM is some ten operations, each of which any method
can walk back. Where a rule divides by outputs alone (LRP-0, LRP-epsilon) and gates take nothing, all of them
together are two lines. With :math:`c_t = f_t c_{t-1} + i_t g_t`, :math:`g_t = \tanh(z_t)` and
:math:`R(c_t)` what arrives at the content, by the output and by the next step,

.. math::

    q_t &= R(c_t) / c_t , \quad R(c_{t-1}) = f_t c_{t-1} \, q_t , \\
    s_t &= i_t g_t \, q_t / z_t , \quad
    R(h_{t-1}) = h_{t-1} (s_t W_{hg}) , \quad R(x_t) = x_t (s_t W_{xg}) ,

where :math:`c_t` and :math:`z_t` in denominators stand for themselves with the stabiliser. A denominator of 0
is rare, and then :func:`~rnnxai.explain.engine.divide.divide` is asked at every step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from rnnxai.errors import Error
from rnnxai.explain.channels import Channel, Domain, Rule
from rnnxai.explain.engine.divide import divide
from rnnxai.explain.engine.layer import Layer, Reading
from rnnxai.explain.engine.maps import Elementwise
from rnnxai.explain.engine.parts import Part, PartStep, Projected, add_up
from rnnxai.explain.engine.walk import Walk
from rnnxai.explain.strategy import Strategy

CONTENT = Reading(frozenset({Domain.SIGNED}), is_input=False)


class Step(NamedTuple):
    """What one step leaves behind, (N, units) each: h_t-1, z_t, f_t c_t-1, i_t g_t and c_t."""

    hidden: Tensor
    z: Tensor
    kept: Tensor
    new: Tensor
    content: Tensor


@dataclass(eq=False)
class WholeLSTM:
    """One layer in one direction, over all steps of sequences of equal length.

    Parameters
    ----------
    candidate : Layer
        The weights of g, for the input and for the state.
    inputs : Projected
        The rows of all steps as the candidate's first part.
    weights : tuple of Tensor
        W_ih, W_hh and the sum of the biases or None, of the gates i, f, g, o under each other.
    backward : bool
        Whether it begins at the end of each sequence.
    """

    candidate: Layer
    inputs: Projected
    weights: tuple[Tensor, Tensor, Tensor | None]
    backward: bool

    def __post_init__(self) -> None:
        name, one = self.candidate.name, self.weights[0].new_tensor(1.0)
        self.content = Layer(name, "sum", Elementwise(), [one, one])
        self.reading = Reading(
            frozenset({self.inputs.part.domain, Domain.SIGNED}), is_input=self.inputs.part.is_input
        )

    def serves(self, strategy: Strategy) -> bool:
        """Tell whether a method can walk back through the layer as a whole."""
        return (
            strategy.rule is not None
            and strategy.gates == "all"
            and _divides_by_output(strategy.rule, self.candidate, self.reading)
            and _divides_by_output(strategy.rule, self.content, CONTENT)
        )

    @property
    def order(self) -> Sequence[int]:
        """The steps in the order in which they are computed."""
        count = len(self.inputs.rows)
        return range(count - 1, -1, -1) if self.backward else range(count)

    def run(self, walk: Walk, rows: Tensor, hidden: Tensor, content: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the hidden states in the order of the rows, and the last state."""
        result: tuple[Tensor, Tensor, Tensor] = _Whole.apply(walk, self, rows, hidden, content)
        return result

    def compute(
        self, rows: Tensor, hidden: Tensor, content: Tensor
    ) -> tuple[dict[int, Step], Tensor, Tensor]:
        """Return what each step leaves behind, and the hidden states (T, N, units)."""
        w_ih, w_hh, bias = self.weights
        steps = len(self.inputs.rows)
        projected = F.linear(rows, w_ih, bias).unflatten(0, (steps, -1)).unbind(0)
        recurrent, n = w_hh.mT, w_hh.shape[1]
        left: dict[int, Step] = {}
        states: list[Tensor] = [hidden] * steps
        for t in self.order:
            z = torch.addmm(projected[t], hidden, recurrent)
            z_new = z.narrow(1, 2 * n, n)
            i, f, _, o = torch.sigmoid(z).chunk(4, 1)
            kept, new = f * content, i * torch.tanh(z_new)
            content = kept + new
            left[t] = Step(hidden, z_new, kept, new, content)
            states[t] = hidden = o * torch.tanh(content)
        return left, torch.stack(states), content

    def walk_back(
        self, walk: Walk, left: dict[int, Step], arrived: Sequence[Tensor], of_state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the relevance of the rows, and of the first state.

        Parameters
        ----------
        walk : Walk
        left : dict of int to Step
        arrived : sequence of Tensor
            What comes to the hidden state of each step from outside.
        of_state : tuple of Tensor
            What comes to the last hidden state and content.
        """
        rule = walk.strategy.rule
        if rule is None:
            raise AssertionError("a layer as a whole carries relevance alone")
        channels = self.candidate.channels(rule, self.reading)
        of_sum = self.content.channels(rule, CONTENT)
        found = self._at_once(left, arrived, of_state, channels[0].stabiliser, of_sum[0].stabiliser)
        if all(bool(relevance.sum().isfinite()) for relevance in found):
            return found
        return self._carefully(left, arrived, of_state, channels, of_sum)

    def _at_once(
        self,
        left: dict[int, Step],
        arrived: Sequence[Tensor],
        of_state: tuple[Tensor, Tensor],
        of_candidate: float,
        of_sum: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Walk back as if no denominator were 0; what is wrong then is not finite."""
        of_hidden, of_content = of_state
        weights, part = self.candidate.weights, self.inputs.part
        quotients = [of_hidden] * len(left)
        for t in reversed(self.order):
            step = left[t]
            of_content = of_content + of_hidden + arrived[t]
            q = of_content / _stabilised(step.content, of_sum)
            of_content = q * step.kept
            quotients[t] = s = q * step.new / _stabilised(step.z, of_candidate)
            of_hidden = (s @ weights[1]) * step.hidden
        return (torch.cat(quotients) @ weights[0]) * part.x, of_hidden, of_content

    def _carefully(
        self,
        left: dict[int, Step],
        arrived: Sequence[Tensor],
        of_state: tuple[Tensor, Tensor],
        channels: Sequence[Channel],
        of_sum: Sequence[Channel],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Walk back with all that is done where a denominator is 0."""
        of_hidden, of_content = of_state
        for t in reversed(self.order):
            step = left[t]
            of_content = of_content + of_hidden + arrived[t]
            terms = [Part(self.content, i, x, Domain.SIGNED) for i, x in enumerate((step.kept, step.new))]
            quotients, spread, _ = divide(self.content, of_sum, terms, step.content, of_content)
            of_content, of_new = (term.pull(of_sum, quotients, spread) for term in terms)
            x, h = PartStep(self.inputs, t), Part(self.candidate, 1, step.hidden, Domain.SIGNED)
            quotients, spread, _ = divide(self.candidate, channels, [x, h], step.z, of_new)
            x.pull(channels, quotients, spread)
            of_hidden = h.pull(channels, quotients, spread)
        of_rows = add_up([self.inputs.part.pull(*waiting) for waiting in self.inputs.collect()])
        return of_rows, of_hidden, of_content


class _Whole(Function):
    @staticmethod
    def forward(
        ctx: Any, walk: Walk, whole: WholeLSTM, rows: Tensor, hidden: Tensor, content: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.walk, ctx.whole = walk, whole
        ctx.left, states, last = whole.compute(rows, hidden, content)
        return states.flatten(0, 1), states[whole.order[-1]].clone(), last.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arrived: Tensor, of_hidden: Tensor, of_content: Tensor) -> tuple[Any, ...]:
        by_step = arrived.unflatten(0, (len(ctx.left), -1)).unbind(0)
        return None, None, *ctx.whole.walk_back(ctx.walk, ctx.left, by_step, (of_hidden, of_content))


def _divides_by_output(rule: Rule, layer: Layer, reading: Reading) -> bool:
    try:
        channels = layer.channels(rule, reading)
    except Error:  # which is raised again at the step that it belongs to
        return False
    return [(c.divides_by_output, c.share, c.units) for c in channels] == [(True, 1, "all")]


def _stabilised(z: Tensor, stabiliser: float) -> Tensor:
    return z + stabiliser * torch.where(z >= 0, 1.0, -1.0).to(z.dtype) if stabiliser else z
