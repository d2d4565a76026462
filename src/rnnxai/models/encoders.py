"""Convolutional encoders: two convolutions, each with a pooling, between the pixels and a cell."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rnnxai.models.convolution import Convolution, as_images
from rnnxai.models.layers import BiasForm
from rnnxai.models.pooling import check_pooling, pool, relu_pool, size_after_pooling


class ConvEncoder(nn.Module):
    r"""Two convolutions (5 x 5 and 3 x 3) that see one step at a time.

    .. math::
        a_t &= \operatorname{relu}(W_1 * x_t + b_1) \\
        b_t &= \operatorname{relu}(W_2 * \operatorname{pool}(a_t) + b_2) \\
        p_t &= \operatorname{pool}(b_t)

    Parameters
    ----------
    folds : int
    patch : tuple of int
        Height and width of one step's pixels.
    channels : tuple of int
        Channels of the first and the second convolution.
    pooling : str
        A variant of :func:`~rnnxai.models.pooling.pool`.
    bias : {"negative", "plain", "none"}

    Attributes
    ----------
    shape : tuple of int
        Channels, height and width of :math:`p_t`.
    """

    def __init__(
        self, folds: int, patch: tuple[int, ...], channels: tuple[int, int], pooling: str, bias: BiasForm
    ) -> None:
        super().__init__()
        first, second = channels
        self.folds = folds
        self.patch = patch
        self.pooling = check_pooling(pooling)
        self.conv1 = Convolution(folds, (1,), first, (5, 5), "same", bias)
        self.conv2 = Convolution(folds, (first,), second, (3, 3), "same", bias)
        self.shape = (second, *size_after_pooling(*size_after_pooling(*patch)))

    def forward(self, patches: Tensor) -> Tensor:
        """Encode patches (K, T, N, features) into (K, T, N, units), all steps at once.

        Folds come one after the other: the maps of one stay in a CPU's cache, those of all do not.
        """
        images = as_images(patches, self.patch)
        if self.folds == 1:
            return self._encode(images)
        return torch.cat([self._encode(images[k : k + 1], k) for k in range(self.folds)])

    def _encode(self, images: Tensor, fold: int | None = None) -> Tensor:
        pooled = relu_pool(self.conv1(images, fold=fold), self.pooling)
        return relu_pool(self.conv2(pooled, fold=fold), self.pooling).flatten(-3)


class Lateral(NamedTuple):
    """Activations of both convolutions before pooling, each (K, N, channels, height, width)."""

    first: Tensor
    second: Tensor


class LateralEncoder(nn.Module):
    r"""The same convolutions, each of which also reads its own activations of the step before.

    .. math::
        a_t &= \operatorname{relu}(W_1 * [x_t ; a_{t-1}] + b_1), \quad a_0 = 0 \\
        b_t &= \operatorname{relu}(W_2 * [\operatorname{pool}(a_t) ; b_{t-1}] + b_2), \quad b_0 = 0 \\
        p_t &= \operatorname{pool}(b_t)

    Parameters and attributes are those of :class:`ConvEncoder`.
    """

    def __init__(
        self, folds: int, patch: tuple[int, ...], channels: tuple[int, int], pooling: str, bias: BiasForm
    ) -> None:
        super().__init__()
        first, second = channels
        self.patch = patch
        self.pooling = check_pooling(pooling)
        self.conv1 = Convolution(folds, (1, first), first, (5, 5), "same", bias)
        self.conv2 = Convolution(folds, (first, second), second, (3, 3), "same", bias)
        self.shape = (second, *size_after_pooling(*size_after_pooling(*patch)))

    def project(self, patches: Tensor) -> Sequence[Any]:
        """Convolve the pixels (K, T, N, features) of all steps; the T items are for :meth:`step`."""
        return self.conv1.project(as_images(patches, self.patch))

    def step(self, projected: Any, past: Lateral | None) -> tuple[Tensor, Lateral]:
        """Return p_t (K, N, units), and what the next step reads."""
        a_past, b_past = ((), ()) if past is None else ((past.first,), (past.second,))
        a = torch.relu(self.conv1.complete(projected, *a_past))
        b = torch.relu(self.conv2(pool(a, self.pooling), *b_past))
        return pool(b, self.pooling).flatten(-3), Lateral(a, b)
