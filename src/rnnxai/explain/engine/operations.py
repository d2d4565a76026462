"""The operations of a recording, and how each is walked back.

What travels backward along autograd's graph is relevance itself, or the gradient: each operation asks the
current strategy which of the two it carries, so one recorded forward pass serves any number of methods.
Autograd does the rest: it walks through time, adds up what comes from several readers and along axes on which
an operand was broadcast, and takes relevance through views and joins, which move it as they would move a
gradient.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from rnnxai.errors import Error
from rnnxai.explain.engine.divide import divide
from rnnxai.explain.engine.layer import Layer, Reading
from rnnxai.explain.engine.parts import Part, PartStep, Projected, add_up
from rnnxai.explain.engine.walk import Walk
from rnnxai.explain.gates import divide_product


@dataclass(eq=False)
class Place:
    """Where in the books an operation stands.

    Attributes
    ----------
    name : str
        Layer.
    step : int
        Time step.
    numbers : Tensor or None
        Sample numbers of its output, if the books are kept.
    all_steps : bool
        Whether axis 0 of its output is time, from step 0.
    """

    name: str
    step: int
    numbers: Tensor | None = None
    all_steps: bool = False


@dataclass(eq=False)
class Call:
    """One use of a layer.

    Attributes
    ----------
    layer : Layer
    parts : sequence of Part or PartStep
    place : Place
    inputs : sequence of Tensor
        What autograd connects, one tensor per part.
    only_losses : bool
        Whether the books show this layer only where something is lost, as with sums of signals.
    """

    layer: Layer
    parts: Sequence[Part | PartStep]
    place: Place
    inputs: Sequence[Tensor] = field(repr=False)
    only_losses: bool

    @property
    def reading(self) -> Reading:
        """What it reads."""
        domains = frozenset(part.domain for part in self.parts)
        return Reading(domains, any(part.is_input for part in self.parts))


class Apply(Function):
    """A layer: an affine map of several parts, the first of which may have been projected before."""

    @staticmethod
    def forward(ctx: Any, walk: Walk, call: Call, z: Tensor, *inputs: Tensor) -> Tensor:
        """Return z."""
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(z)
        ctx.walk, ctx.layer, ctx.parts = walk, call.layer, call.parts
        ctx.place, ctx.only_losses, ctx.reading = call.place, call.only_losses, call.reading
        return z.view_as(z)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arrived: Tensor | None) -> tuple[Any, ...]:
        """Hand down the gradient, or relevance by the current rule."""
        walk, layer, parts, place = ctx.walk, ctx.layer, ctx.parts, ctx.place
        nothing = (None,) * 3
        if arrived is None:
            return nothing + (None,) * len(parts)
        rule = walk.strategy.rule
        if rule is None:
            return nothing + tuple(part.gradient(arrived) for part in parts)
        (z,) = ctx.saved_tensors
        channels = layer.channels(rule, ctx.reading)
        quotients, spread, kept = divide(layer, channels, parts, z, arrived)
        sent = tuple(part.pull(channels, quotients, spread) for part in parts)
        if walk.ledger is not None and not (
            ctx.only_losses and not any(amount.any() for amount in kept.values())
        ):
            step = None if place.all_steps else place.step
            walk.book(place.name, step, "incoming", arrived, place.numbers)
            for column, amount in kept.items():
                walk.book(place.name, step, column, amount, place.numbers)
            for part, message in zip(parts, sent, strict=True):
                if isinstance(part, Part):
                    column = "initial_state" if part.constant else "outgoing"
                    walk.book(place.name, step, column, message, part.numbers)
        return nothing + sent


class Projection(Function):
    """One part of a layer at all time steps.

    Its output carries no values; the layer's own calls have them. What matters is what waits for it when
    it is walked back: the quotients of all steps, which are pulled through the weights at once.
    """

    @staticmethod
    def forward(ctx: Any, walk: Walk, projected: Projected, x: Tensor) -> Tensor:
        """Return a link for each step, which ties its call to this one."""
        ctx.set_materialize_grads(False)
        ctx.walk, ctx.projected = walk, projected
        return x.new_zeros(len(projected.rows))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arrived: Tensor | None) -> tuple[Any, ...]:
        """Pull what waits down."""
        walk, projected = ctx.walk, ctx.projected
        part = projected.part
        if arrived is None:
            return None, None, None
        if walk.strategy.rule is None:
            ((_, (cotangent,), _),) = projected.collect()
            return None, None, part.gradient(cotangent)
        sent = add_up([part.pull(*waiting) for waiting in projected.collect()])
        if walk.ledger is not None and part.numbers is not None:
            for step, rows in enumerate(projected.rows, start=projected.at):
                walk.book(part.layer.name, step, "outgoing", sent[rows], part.numbers[rows])
        return None, None, sent


class Pass(Function):
    """An activation, or a product with a constant: relevance passes as it is."""

    @staticmethod
    def forward(
        ctx: Any, walk: Walk, y: Tensor, gradient: Callable[[Tensor], Tensor], stops: bool, x: Tensor
    ) -> Tensor:
        """Return y, the function's value at x; `stops` tells guided backpropagation where to act."""
        ctx.set_materialize_grads(False)
        ctx.walk, ctx.gradient, ctx.stops = walk, gradient, stops
        return y.view_as(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arrived: Tensor | None) -> tuple[Any, ...]:
        """Pass relevance, or the gradient times the derivative."""
        if arrived is None:  # a gate that takes nothing, whose way beyond is spared
            return (None,) * 5
        strategy = ctx.walk.strategy
        if strategy.rule is None:
            if strategy.guided and ctx.stops:
                arrived = arrived.clamp(min=0)
            arrived = ctx.gradient(arrived)
        return None, None, None, None, arrived


class Product(Function):
    """A product of a gate and a signal, or of a gate and a constant that stands for a signal."""

    @staticmethod
    def forward(
        ctx: Any, walk: Walk, place: Place, two_gates: bool, y: Tensor, gate: Tensor, signal: Tensor
    ) -> Tensor:
        """Return y = gate * signal."""
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(gate, signal)
        ctx.walk, ctx.place, ctx.two_gates = walk, place, two_gates
        return y.view_as(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arrived: Tensor | None) -> tuple[Any, ...]:
        """Divide relevance by the gate rule, or follow the product rule of derivatives."""
        if arrived is None:
            return (None,) * 6
        walk, place = ctx.walk, ctx.place
        gate, signal = ctx.saved_tensors
        strategy = walk.strategy
        of_gate: Tensor | None
        if strategy.rule is None:
            of_signal = arrived * gate
            of_gate = arrived * signal if strategy.gates == "follow" else None
        else:
            if ctx.two_gates and strategy.gates == "all" and arrived.any():
                raise Error(
                    f"{place.name} multiplies two gates and hands the product on as a signal; the gate rule "
                    "'all' cannot say which is the signal, but 'half', 'prop' and 'abs' can divide it"
                )
            of_gate, of_signal = divide_product(strategy, gate, signal, arrived)
            if not ctx.needs_input_grad[5]:  # a constant, such as an initial state
                walk.book(place.name, place.step, "incoming", of_signal, place.numbers)
                walk.book(place.name, place.step, "initial_state", of_signal, place.numbers)
        return None, None, None, None, of_gate, of_signal


class Source(Function):
    """A constant that is joined to signals, such as an initial state. What reaches it is booked."""

    @staticmethod
    def forward(ctx: Any, walk: Walk, place: Place, constant: Tensor, anchor: Tensor) -> Tensor:
        """Return the constant; `anchor` makes autograd come by."""
        ctx.walk, ctx.place = walk, place
        return constant.view_as(constant)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arrived: Tensor) -> tuple[Any, ...]:
        """Book relevance; there is nowhere to go from here."""
        walk, place = ctx.walk, ctx.place
        walk.book(place.name, place.step, "incoming", arrived, place.numbers)
        walk.book(place.name, place.step, "initial_state", arrived, place.numbers)
        return None, None, None, None


class Padding(Function):
    """A move that puts cells of its own beside the signal's. What reaches those is dropped."""

    @staticmethod
    def forward(ctx: Any, walk: Walk, place: Place, move: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Return the padded signal."""
        ctx.walk, ctx.place, ctx.move = walk, place, move
        ctx.like = x.new_zeros(()).expand(x.shape)
        return move(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arrived: Tensor) -> tuple[Any, ...]:
        """Move back, and book what stands on padding."""
        walk, place = ctx.walk, ctx.place
        with torch.enable_grad():
            x = torch.zeros_like(ctx.like, requires_grad=True)
            (back,) = torch.autograd.grad(ctx.move(x), x, arrived)
        if walk.ledger is not None:
            stray = arrived * (ctx.move(torch.ones_like(ctx.like)) == 0)
            if stray.any():
                walk.book(place.name, place.step, "incoming", stray, place.numbers)
                walk.book(place.name, place.step, "dropped", stray, place.numbers)
        return None, None, None, back
