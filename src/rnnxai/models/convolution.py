"""Convolutions of a stack of K networks."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from rnnxai.errors import Error
from rnnxai.models.layers import BiasForm, PartedLinear

Padding = Literal["same", "valid"]


class Convolution(PartedLinear):
    r"""A convolution of images of one or several parts, with stride 1.

    .. math:: z_{k,u,v} = \sum_p \sum_{j,a,b} w^{(p)}_{jkab} x^{(p)}_{j,u+a,v+b} + b_k

    The parts lie on the channel axis and are as high and wide as each other. See
    :class:`~rnnxai.models.layers.PartedLinear` for what is not said here.

    Parameters
    ----------
    folds : int
    inputs : sequence of int
        Channels of each part.
    outputs : int
        Number of channels of the result.
    kernel : tuple of int
        Height and width of the kernel.
    padding : {"same", "valid"}
        ``same`` adds zeros so that the result is as large as the input; where their number is odd, the
        one more is at the right and at the bottom, as in TensorFlow. ``valid`` adds none.
    bias : {"negative", "plain", "none"}
        One offset per channel.

    Attributes
    ----------
    weight : Parameter (K, outputs, sum(inputs), *kernel)
    kernel : tuple of int
    padding : str
    """

    def __init__(
        self,
        folds: int,
        inputs: Sequence[int],
        outputs: int,
        kernel: tuple[int, int],
        padding: Padding = "same",
        bias: BiasForm = "negative",
    ) -> None:
        super().__init__(folds, inputs, outputs, bias, kernel)
        self.kernel = kernel
        self.padding = padding

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """Zeros added at the left, right, top and bottom."""
        if self.padding == "valid":
            return (0, 0, 0, 0)
        height, width = self.kernel
        return ((width - 1) // 2, width // 2, (height - 1) // 2, height // 2)

    def size_after(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of what comes out for an image of some height and width.

        Raises
        ------
        Error
            If the kernel is larger than the input.
        """
        left, right, top, bottom = self.margins
        rows = height + top + bottom - self.kernel[0] + 1
        columns = width + left + right - self.kernel[1] + 1
        if rows < 1 or columns < 1:
            raise Error(
                f"an image of {height} x {width} is too small for a kernel of {self.kernel[0]} x "
                f"{self.kernel[1]} without padding; larger images would be right"
            )
        return rows, columns

    def weigh(self, rows: Tensor, weight: Tensor, start: Tensor | None = None) -> Tensor:
        """Convolve rows (K, rows, channels, height, width), one fold after the other.

        A loop over folds is about as fast as one convolution in K groups, faster in the layers that take
        the most time, and each fold's result is bit for bit that of a single network.
        """
        left, right, top, bottom = self.margins
        around: tuple[int, int] | int = 0
        if left == right and top == bottom:
            around = (top, left)
        else:  # the convolution itself pads both sides alike
            rows = pad(rows, (left, right, top, bottom))
        maps = torch.stack([conv2d(x, w, padding=around) for x, w in zip(rows, weight, strict=True)])
        return maps if start is None else maps + start

    def extra_repr(self) -> str:
        """Show the kernel and the padding too."""
        return f"{super().extra_repr()}, kernel={self.kernel}, padding={self.padding}"


def as_images(patches: Tensor, patch: tuple[int, ...]) -> Tensor:
    """Return patches (..., features) as images (..., 1, height, width)."""
    images: Tensor = patches.unflatten(-1, (1, *patch))
    return images
