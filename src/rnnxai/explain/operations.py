"""The operations of a recording that walk backward in their own way.

Between two affine layers relevance divided by activation travels backward exactly like a gradient, so
ordinary autograd carries it through time, through ReLUs, sums and products with a gate. Only the
operations in this module differ. Each asks for the current strategy when it is walked, so one recorded
forward pass serves any number of explanation methods.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from rnnxai.explain.parts import Layer, Part, PartStep, divide, pack, unpack
from rnnxai.explain.walk import Walk


class AffineOperation(Function):
    """An affine map of several parts, the first of which may have been projected before."""

    @staticmethod
    def forward(
        ctx: Any,
        walk: Walk,
        layer: Layer,
        parts: tuple[Part | PartStep, ...],
        z: Tensor,
        step: int | None,
        *inputs: Tensor,
    ) -> Tensor:
        """Return z; `inputs` are what autograd connects, one tensor per part."""
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(z)
        ctx.walk, ctx.layer, ctx.parts, ctx.step = walk, layer, parts, step
        ctx.widths = [x.shape[-1] for x in inputs]
        return z.view_as(z)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cotangent: Tensor | None) -> tuple[Any, ...]:
        """Hand down the gradient, or relevance by the current rule."""
        nothing = (None,) * 5
        if cotangent is None:
            return nothing + (None,) * len(ctx.parts)
        walk, layer, parts = ctx.walk, ctx.layer, ctx.parts
        rule = walk.strategy.rule
        if rule is None:
            none = cotangent.new_zeros(cotangent.shape[:-1])
            return nothing + tuple(
                pack([cotangent], none, width) if isinstance(part, PartStep) else part.gradient(cotangent)
                for part, width in zip(parts, ctx.widths, strict=True)
            )
        (z,) = ctx.saved_tensors
        relevance = z * cotangent
        channels = layer.channels(rule)
        quotients, spread, dropped = divide(channels, parts, relevance)
        pulled = [
            pack(quotients, spread, width)
            if isinstance(part, PartStep)
            else part.pull(channels, quotients, spread)
            for part, width in zip(parts, ctx.widths, strict=True)
        ]
        walk.book(layer, ctx.step, "incoming", relevance.sum(-1))
        walk.book(layer, ctx.step, "dropped", dropped)
        for part, message in zip(parts, pulled, strict=True):
            if isinstance(part, Part):
                column = "initial_state" if part.constant else "outgoing"
                walk.book(layer, ctx.step, column, part.relevance(message).sum(-1))
        return nothing + tuple(pulled)


class Projection(Function):
    """One part of a layer at all time steps.

    Its output is a stand-in with no values of its own (the affine operation has them). What matters is
    what comes back along it: the quotients of all steps, which are pulled through the weights at once.
    """

    @staticmethod
    def forward(ctx: Any, walk: Walk, part: Part, width: int, x: Tensor) -> Tensor:
        """Return the (K, T, N, width) stand-in."""
        ctx.set_materialize_grads(False)
        ctx.walk, ctx.part = walk, part
        return x.new_zeros(()).expand(*x.shape[:-1], width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, packed: Tensor | None) -> tuple[Any, ...]:
        """Pull the packed quotients of all steps down."""
        if packed is None:
            return (None,) * 4
        part, rule = ctx.part, ctx.walk.strategy.rule
        if rule is None:
            (cotangent,), _ = unpack(packed, part.layer.units, 1)
            return None, None, None, part.gradient(cotangent)
        channels = part.layer.channels(rule)
        quotients, spread = unpack(packed, part.layer.units, len(channels))
        pulled = part.pull(channels, quotients, spread)
        ctx.walk.book(part.layer, None, "outgoing", part.relevance(pulled).sum(-1))
        return None, None, None, pulled


class ReLU(Function):
    """A ReLU that guided backpropagation can ask to stop negative values."""

    @staticmethod
    def forward(ctx: Any, walk: Walk, z: Tensor) -> Tensor:
        """Return max(z, 0)."""
        a = torch.relu(z)
        ctx.walk = walk
        ctx.save_for_backward(a)
        return a

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
        """Pass what arrives at active units."""
        (a,) = ctx.saved_tensors
        if ctx.walk.strategy.guided:
            cotangent = cotangent.clamp(min=0)
        return None, cotangent * (a > 0)


class Gate(Function):
    """The output of a gate, which most methods take as a constant."""

    @staticmethod
    def forward(ctx: Any, walk: Walk, value: Tensor) -> Tensor:
        """Return the value."""
        ctx.walk = walk
        return value.view_as(value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
        """Pass the gradient, or nothing at all, which spares autograd the way beyond."""
        return None, cotangent if ctx.walk.strategy.gates == "follow" else None
