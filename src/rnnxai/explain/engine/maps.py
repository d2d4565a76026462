"""The linear maps of layers: which unit reads which input, and how both ways are computed.

A map carries no weights. It applies whatever weights it is given, the layer's own or modified ones, and
knows nothing of rules. *Gathering* sums all inputs that a unit reads; units that read the same inputs
share one such sum.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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

    def gather(self, x: Tensor) -> Tensor:
        """Return the sum of the inputs that each unit reads, one for units that read the same."""
        ...

    def total(self, held: Tensor) -> Tensor:
        """Add up what units hold that read the same inputs, in the shape of :meth:`gather`."""
        ...

    def scatter(self, share: Tensor, x: Tensor) -> Tensor:
        """Return for every input j the sum of the shares of the units that read it."""
        ...


class Dense:
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
        return self._backward(quotient, weight, x, self.groups)

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
        back = self._backward(share, self._ones(x), one, self.groups)
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
        convolve = (F.conv1d, F.conv2d, F.conv3d)[len(self.kernel) - 1]
        return convolve(x, weight, None, self.stride, self.padding, self.dilation, groups)

    def _backward(self, quotient: Tensor, weight: Tensor, x: Tensor, groups: int) -> Tensor:
        flat = _flat(x, self._axes)
        places = [
            n + more for n, more in zip(flat.shape[2:], self.surplus or (0,) * len(self.kernel), strict=True)
        ]
        backward = (grad.conv1d_input, grad.conv2d_input, grad.conv3d_input)
        back: Tensor = backward[len(self.kernel) - 1](
            [*flat.shape[:2], *places],
            weight,
            _flat(quotient, self._axes).contiguous(),
            self.stride,
            self.padding,
            self.dilation,
            groups,
        )
        for axis, size in enumerate(flat.shape[2:], start=2):
            back = back.narrow(axis, 0, size)
        return back.reshape(x.shape)


@dataclass(frozen=True)
class Window:
    """Each unit reads a window of its own channel: pooling, means and sums over axes.

    Attributes
    ----------
    sum : callable
        x to the sum over each window, or a multiple of it.
    axes : tuple of int
    """

    sum: Callable[[Tensor], Tensor]
    axes: tuple[int, ...]

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
        with torch.enable_grad():
            place = torch.zeros_like(x, requires_grad=True)
            (back,) = torch.autograd.grad(self.sum(place), place, share)
        return back


class Elementwise:
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
