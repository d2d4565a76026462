"""Layers of a stack of K networks.

Every parameter has a leading fold axis K, and one matrix product serves all folds. K = 1 is the plain
case. The layers are ordinary modules; the methods that carry weights go through torch's function
protocol, so that a running :class:`~rnnxai.explain.engine.recording.Recording` can follow them. Without one
that costs a single check.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.overrides import handle_torch_function, has_torch_function_variadic

from rnnxai.models.unrolling import once

BiasForm = Literal["negative", "plain", "none"]
INITIAL_NEGATIVE_BIAS = 0.01


class Projected(NamedTuple):
    """One step's share of a weighted sum, and what the other parts of that step meet.

    Attributes
    ----------
    sums : Tensor (K, N, outputs, *size)
        Of the first part, offset included.
    weight : Tensor (K, outputs, rest, *kernel)
        The columns of the other parts. They are copied once for all steps: products would copy a mere
        view at every step, and the way back through it would fill a gradient of the whole weight.
    """

    sums: Tensor
    weight: Tensor


class PartedLinear(nn.Module):
    r"""A linear map of one or several inputs plus an offset, for K folds at once.

    .. math:: z = \sum_p W^{(p)} x^{(p)} + b

    The inputs are *parts*: they keep their own columns of one weight, as if they had been
    concatenated, but they may live in different domains (pixels beside hidden activations), and a
    part that does not depend on the recurrent state can be projected for all steps in one product.

    What a weighted sum is, :meth:`weigh` says; everything else is the same for all layers of parts.

    Parameters
    ----------
    folds : int
        K, the number of networks in the stack.
    inputs : sequence of int
        Width of each part (for a convolution its channels), in the order of the weight's columns.
    outputs : int
        Number of units (for a convolution of channels).
    bias : {"negative", "plain", "none"}
        ``negative`` is the thesis' :math:`b = -\operatorname{softplus}(\beta)`, which starts at -0.01
        and stays below zero, so that no unit can create relevance; ``plain`` starts at 0.
    kernel : tuple of int
        Axes of the weight beyond outputs and inputs. An input has as many axes beyond its width.

    Attributes
    ----------
    weight : Parameter (K, outputs, sum(inputs), *kernel)
    bias : Parameter (K, outputs) or None
        The raw parameter; :meth:`offset` is what is added.
    bias_form : str
        The parameter `bias`.
    columns : list of slice
        Where each part's columns lie on axis 2 of the weight.
    """

    def __init__(
        self,
        folds: int,
        inputs: Sequence[int],
        outputs: int,
        bias: BiasForm = "negative",
        kernel: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.folds = folds
        self.bias_form = bias
        edges = [0]
        for width in inputs:
            edges.append(edges[-1] + width)
        self.columns = [slice(*pair) for pair in pairwise(edges)]
        self.weight = nn.Parameter(torch.empty(folds, outputs, edges[-1], *kernel))
        self.bias = nn.Parameter(torch.empty(folds, outputs)) if bias != "none" else None

    @property
    def axes(self) -> int:
        """How many axes of an input are a unit's own: 1, or 3 for images (channels, height, width)."""
        return self.weight.dim() - 2

    @torch.no_grad()
    def initialise(self, generators: Sequence[torch.Generator], scale: float = 1.0) -> None:
        r"""Draw the initial weights of each fold from the fold's own generator.

        Weights come from a normal distribution with :math:`\sigma` = `scale` / sqrt(fan in), cut off at
        :math:`\pm 2\sigma`, in which the fan in counts what one unit reads; biases start at their form's
        constant.
        """
        sigma = scale / sqrt(self.weight[0, 0].numel())
        for weight, generator in zip(self.weight, generators, strict=True):
            nn.init.trunc_normal_(weight, 0.0, sigma, -2 * sigma, 2 * sigma, generator=generator)
        if self.bias is not None:
            start = torch.tensor(INITIAL_NEGATIVE_BIAS).expm1().log()
            self.bias.fill_(float(start) if self.bias_form == "negative" else 0.0)

    def offset(self) -> Tensor | None:
        """Return the (K, outputs) vector that is added to the weighted sums."""
        if self.bias is None:
            return None
        return -softplus(self.bias) if self.bias_form == "negative" else self.bias

    def forward(self, *parts: Tensor, fold: int | None = None) -> Tensor:
        """Map all parts, each (K, ..., width, *size), to (K, ..., outputs, *size).

        Parts left out at the end stand for zeros, as at the first step. With `fold` they belong to that
        network of the stack alone, and K is 1.
        """
        if has_torch_function_variadic(*parts):
            return handle_torch_function(PartedLinear.forward, parts, self, *parts)
        weight: Tensor = self.weight
        offset = self._offset()
        if len(parts) < len(self.columns):
            weight = weight[:, :, : self.columns[len(parts) - 1].stop]
        if fold is not None:
            weight, offset = weight[fold, None], None if offset is None else offset[fold, None]
        return self._map(self._join(parts), weight, offset)

    def project(self, x: Tensor) -> Sequence[Any]:
        """Map the first part alone, for all steps at once.

        Parameters
        ----------
        x : Tensor (K, T, N, width, *size)

        Returns
        -------
        sequence of length T
            One item per step, to be handed to :meth:`complete` as it is.
        """
        if has_torch_function_variadic(x):
            return handle_torch_function(PartedLinear.project, (x,), self, x)
        edge = self.columns[0].stop
        # Split, not cut out twice: that would fill two gradients of the whole weight and add them.
        weight, rest = self.weight.split([edge, self.weight.shape[2] - edge], 2)
        sums = self._map(x, weight, self._offset())
        rest = rest.contiguous()
        return [Projected(step, rest) for step in sums.unbind(1)]

    def complete(self, projected: Any, *rest: Tensor) -> Tensor:
        """Add the remaining parts of one step to its projection.

        Parameters
        ----------
        projected : object
            An item of what :meth:`project` returned.
        *rest : Tensor (K, N, width, *size)
            The other parts. None at all stands for zeros, as at the first step.

        Returns
        -------
        Tensor (K, N, outputs, *size)
        """
        relevant = (self.weight, *rest)  # there may be no other tensor, and a recording must still see it
        if has_torch_function_variadic(*relevant):
            return handle_torch_function(PartedLinear.complete, relevant, self, projected, *rest)
        first: Projected = projected
        return self._map(self._join(rest), first.weight, first.sums) if rest else first.sums

    def weigh(self, rows: Tensor, weight: Tensor, start: Tensor | None = None) -> Tensor:
        """Return the weighted sums of some inputs, on top of what they start from.

        Parameters
        ----------
        rows : Tensor (K, rows, width, *size)
        weight : Tensor (K, outputs, width, *kernel)
            This layer's, the columns of some of its parts, or another of that shape.
        start : Tensor, optional
            An offset (K, outputs), or of the result's shape.

        Returns
        -------
        Tensor (K, rows, outputs, *size)
        """
        raise NotImplementedError

    def _offset(self) -> Tensor | None:
        return once((id(self), "offset"), self.offset)

    def _join(self, parts: Sequence[Tensor]) -> Tensor:
        return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=-self.axes)

    def _map(self, x: Tensor, weight: Tensor, start: Tensor | None) -> Tensor:
        if x.dim() == self.axes + 2:
            return self.weigh(x, weight, start)
        middle, own = x.shape[1 : -self.axes], x.shape[-self.axes :]
        result = self.weigh(x.reshape(len(weight), -1, *own), weight, start)
        return result.reshape(len(weight), *middle, *result.shape[2:])

    def extra_repr(self) -> str:
        """Show the sizes and the form of the bias."""
        widths = [part.stop - part.start for part in self.columns]
        return f"folds={self.folds}, inputs={widths}, outputs={self.weight.shape[1]}, bias={self.bias_form}"


class Affine(PartedLinear):
    r"""A fully connected layer of one or several parts: :math:`z_k = \sum_j w_{jk} x_j + b_k`.

    See :class:`PartedLinear`, whose parameters it has but for the kernel.
    """

    def __init__(self, folds: int, inputs: Sequence[int], outputs: int, bias: BiasForm = "negative") -> None:
        super().__init__(folds, inputs, outputs, bias)

    def weigh(self, rows: Tensor, weight: Tensor, start: Tensor | None = None) -> Tensor:
        """Multiply rows (K, rows, width) by weights (K, outputs, width), all folds in one product."""
        if start is None:
            return torch.bmm(rows, weight.mT)
        return torch.baddbmm(start.unsqueeze(1) if start.dim() == 2 else start, rows, weight.mT)


def gate(z: Tensor) -> Tensor:
    """Logistic gate of a recurrent cell: a factor in (0, 1) that controls a signal.

    It is a function of its own, and not a bare ``torch.sigmoid``, because explanation methods treat a
    gate unlike a signal.
    """
    if has_torch_function_variadic(z):
        return handle_torch_function(gate, (z,), z)
    return torch.sigmoid(z)


def time_step(index: int, patches: Tensor) -> None:
    """Tell a running recording which time step of `patches` the next operations belong to."""
    if has_torch_function_variadic(patches):
        handle_torch_function(time_step, (patches,), index, patches)
