"""The linear maps of layers: which unit reads which input, and how both ways are computed.

A map carries no weights. It applies whatever weights it is given, the layer's own or modified ones, and
knows nothing of rules. *Gathering* sums all inputs that a unit reads; units that read the same inputs
share one such sum.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn import grad


class Map(Protocol):
    """How inputs reach units.

    Attributes
    ----------
    axes : tuple of int
        Which axes it mixes, counted from the end.
    """

    @property
    def axes(self) -> tuple[int, ...]:
        """Which axes it mixes."""
        ...

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return sum_j x_j w_jk for every unit k."""
        ...

    def pull(self, quotient: Tensor, weight: Tensor, x: Tensor) -> Tensor:
        """Return sum_k w_jk q_k for every input j, in the shape of x."""
        ...

    def pull_each(self, quotient: Tensor, weights: Sequence[Tensor], x: Tensor) -> Sequence[Tensor]:
        """Pull the same quotients through several weights."""
        ...

    def gather(self, x: Tensor) -> Tensor:
        """Return the sum of the inputs that each unit reads, one for units that read the same."""
        ...

    def total(self, held: Tensor) -> Tensor:
        """Add up what units hold that read the same inputs, in the shape of :meth:`gather`."""
        ...

    def scatter(self, share: Tensor, x: Tensor) -> Tensor:
        """Return for every input j the sum of the shares of the units that read it."""
        ...


class OneByOne:
    """A map that gains nothing from pulling through several weights at once."""

    def pull_each(self: Map, quotient: Tensor, weights: Sequence[Tensor], x: Tensor) -> Sequence[Tensor]:
        """Pull the same quotients through several weights."""
        return [self.pull(quotient, weight, x) for weight in weights]


class Dense(OneByOne):
    """Every unit of the last axis reads every input of the last axis; weight (units, inputs)."""

    axes = (-1,)

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return x W^T."""
        return F.linear(x, weight)

    def pull(self, quotient: Tensor, weight: Tensor, x: Tensor) -> Tensor:
        """Return q W."""
        return quotient @ weight

    def gather(self, x: Tensor) -> Tensor:
        """Return (..., 1): all units read the same."""
        return x.sum(-1, keepdim=True)

    def total(self, held: Tensor) -> Tensor:
        """Return (..., 1)."""
        return held.sum(-1, keepdim=True)

    def scatter(self, share: Tensor, x: Tensor) -> Tensor:
        """Return the share itself, which serves all inputs alike."""
        return share


@dataclass(frozen=True)
class Convolution:
    """A convolution of any number of axes; weight (units, channels / groups, *kernel).

    Attributes
    ----------
    kernel, stride, padding, dilation : tuple of int
        One number for each spatial axis.
    groups : int
    surplus : tuple of int
        Further padding at the end of each axis, where "same" needs an odd number of cells.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    surplus: tuple[int, ...] = ()

    @property
    def axes(self) -> tuple[int, ...]:
        """Channels and places."""
        return tuple(range(-self._axes, 0))

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve."""
        result = self._convolve(self._padded(_flat(x, self._axes)), weight, self.groups)
        return result.reshape(*x.shape[: -self._axes], *result.shape[1:])

    def pull(self, quotient: Tensor, weight: Tensor, x: Tensor) -> Tensor:
        """Convolve backward."""
        return self._backward(quotient, weight, x, self.groups).reshape(x.shape)

    def pull_each(self, quotient: Tensor, weights: Sequence[Tensor], x: Tensor) -> Sequence[Tensor]:
        """Convolve backward once, to as many times the channels: a single one takes as long as several."""
        if self.groups > 1 or len(weights) == 1:
            return [self.pull(quotient, weight, x) for weight in weights]
        back = self._backward(quotient, torch.cat(list(weights), 1), x, 1)
        return [each.reshape(x.shape) for each in back.chunk(len(weights), 1)]

    def gather(self, x: Tensor) -> Tensor:
        """Return (..., groups, *places): the units of a group read the same."""
        return self.apply_ones(x.unflatten(-self._axes, (self.groups, -1)).sum(-self._axes))

    def total(self, held: Tensor) -> Tensor:
        """Return (..., groups, *places)."""
        grouped: Tensor = held.unflatten(-self._axes, (self.groups, -1))
        return grouped.sum(-self._axes)

    def scatter(self, share: Tensor, x: Tensor) -> Tensor:
        """Send the shares of each group back to its channels."""
        grouped = x.unflatten(-self._axes, (self.groups, -1))
        one = grouped.select(-self._axes, 0)
        back = self._backward(share, self._ones(x), one, self.groups).reshape(one.shape)
        return back.unsqueeze(-self._axes).expand(grouped.shape).flatten(-self._axes - 1, -self._axes)

    def apply_ones(self, x: Tensor) -> Tensor:
        """Sum over windows, each group by itself."""
        result = self._convolve(self._padded(_flat(x, self._axes)), self._ones(x), self.groups)
        return result.reshape(*x.shape[: -self._axes], *result.shape[1:])

    @property
    def _axes(self) -> int:
        return len(self.kernel) + 1  # the channels, and one for each spatial axis

    def _ones(self, x: Tensor) -> Tensor:
        return x.new_ones(self.groups, 1, *self.kernel)

    def _padded(self, x: Tensor) -> Tensor:
        return (
            F.pad(x, [n for surplus in reversed(self.surplus) for n in (0, surplus)])
            if any(self.surplus)
            else x
        )

    def _convolve(self, x: Tensor, weight: Tensor, groups: int) -> Tensor:
        return self._forward(x, weight, None, self.stride, self.padding, self.dilation, groups)

    def _backward(self, quotient: Tensor, weight: Tensor, x: Tensor, groups: int) -> Tensor:
        """Return (rows, channels of the weight, *places of x)."""
        flat, q = _flat(x, self._axes), _flat(quotient, self._axes)
        around = [d * (k - 1) - p for k, d, p in zip(self.kernel, self.dilation, self.padding, strict=True)]
        if groups == 1 and set(self.stride) == {1} and min(around) >= 0:
            # With the kernel turned round it is a convolution, which a CPU computes in half the time.
            turned = weight.transpose(0, 1).flip(list(range(2, weight.dim())))
            if len(self.kernel) == 2:
                q, turned = (y.contiguous(memory_format=torch.channels_last) for y in (q, turned))
            back = self._forward(q, turned, None, 1, around, self.dilation)
        else:
            surplus = self.surplus or (0,) * len(self.kernel)
            places = [n + more for n, more in zip(flat.shape[2:], surplus, strict=True)]
            backward = (grad.conv1d_input, grad.conv2d_input, grad.conv3d_input)[len(self.kernel) - 1]
            shape = [len(flat), weight.shape[1] * groups, *places]
            back = backward(shape, weight, q.contiguous(), self.stride, self.padding, self.dilation, groups)
        for axis, size in enumerate(flat.shape[2:], start=2):
            back = back.narrow(axis, 0, size)
        return back

    @property
    def _forward(self) -> Callable[..., Tensor]:
        return (F.conv1d, F.conv2d, F.conv3d)[len(self.kernel) - 1]


@dataclass(frozen=True)
class Window(OneByOne):
    """Each unit reads a window of its own channel: pooling, means and sums over axes.

    It belongs to one use of a layer.

    Attributes
    ----------
    sum : callable
        x to the sum over each window, or a multiple of it.
    axes : tuple of int
    """

    sum: Callable[[Tensor], Tensor]
    axes: tuple[int, ...]
    _graph: list[Tensor] = field(default_factory=list, repr=False, compare=False)

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the weighted sums; a window's inputs share one weight."""
        return self.sum(x) * weight

    def pull(self, quotient: Tensor, weight: Tensor, x: Tensor) -> Tensor:
        """Send each window's quotient to all that it reads."""
        return self.scatter(quotient * weight, x)

    def gather(self, x: Tensor) -> Tensor:
        """Return the sums over windows."""
        return self.sum(x)

    def total(self, held: Tensor) -> Tensor:
        """Return what each window holds: no two read the same."""
        return held

    def scatter(self, share: Tensor, x: Tensor) -> Tensor:
        """Send shares back."""
        if not self._graph:  # it is linear, so one graph serves all that is sent back
            with torch.enable_grad():
                place = x.detach().requires_grad_()
                self._graph[:] = place, self.sum(place)
        place, total = self._graph
        (back,) = torch.autograd.grad(total, place, share, retain_graph=True)
        return back


class Elementwise(OneByOne):
    """Each unit reads one element of each part: a sum of signals, a scaling; weight broadcasts."""

    axes = ()

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return x w."""
        return x * weight

    def pull(self, quotient: Tensor, weight: Tensor, x: Tensor) -> Tensor:
        """Return q w, summed over the axes along which x was broadcast."""
        return (quotient * weight).sum_to_size(x.shape)

    def gather(self, x: Tensor) -> Tensor:
        """Return x."""
        return x

    def total(self, held: Tensor) -> Tensor:
        """Return what each unit holds."""
        return held

    def scatter(self, share: Tensor, x: Tensor) -> Tensor:
        """Return the shares, summed over the axes along which x was broadcast."""
        return share.sum_to_size(x.shape)


def convolution(
    kernel: Sequence[int],
    stride: int | Sequence[int],
    padding: int | str | Sequence[int],
    dilation: int | Sequence[int],
    groups: int,
) -> Convolution:
    """Return the map of a convolution from the arguments that torch's functions take."""
    axes = len(kernel)
    strides, dilations = _each(stride, axes), _each(dilation, axes)
    surplus: tuple[int, ...] = ()
    if padding == "same":
        missing = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
        paddings = tuple(n // 2 for n in missing)
        surplus = tuple(n % 2 for n in missing)
    else:
        paddings = _each(0 if padding == "valid" else cast(Any, padding), axes)  # torch knows no other word
    return Convolution(tuple(kernel), strides, paddings, dilations, groups, surplus)


def _each(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * axes if len(values) == 1 else values


def _flat(x: Tensor, axes: int) -> Tensor:
    """Join all leading axes into one."""
    return x.reshape(prod(x.shape[:-axes]), *x.shape[-axes:])
