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

        One convolution in K groups is no faster than a loop over folds, in some layers it takes twice as
        long. Channels last in memory, which is how results come too, save a CPU up to a third of the time.
        """
        left, right, top, bottom = self.margins
        around: tuple[int, int] | int = 0
        if left == right and top == bottom:
            around = (top, left)
        else:  # the convolution itself pads both sides alike
            rows = pad(rows, (left, right, top, bottom))
        offset = start if start is not None and start.dim() == 2 else None
        maps = [
            conv2d(
                rows[k].contiguous(memory_format=torch.channels_last),
                _channels_last(weight[k]),
                None if offset is None else offset[k],
                padding=around,
            )
            for k in range(len(rows))
        ]
        stack: Tensor = (maps[0] if len(maps) == 1 else torch.cat(maps)).unflatten(0, (len(maps), -1))
        return stack if start is None or start is offset else stack + start

    def extra_repr(self) -> str:
        """Show the kernel and the padding too."""
        return f"{super().extra_repr()}, kernel={self.kernel}, padding={self.padding}"


def as_images(patches: Tensor, patch: tuple[int, ...]) -> Tensor:
    """Return patches (..., features) as images (..., 1, height, width)."""
    images: Tensor = patches.unflatten(-1, (1, *patch))
    return images


def _channels_last(weight: Tensor) -> Tensor:
    # Not contiguous(memory_format=...): that does nothing for a single channel, and the convolution takes
    # the layout of its result from the strides.
    outputs, channels, height, width = weight.shape
    rows: Tensor = weight.permute(0, 2, 3, 1).flatten()
    return rows.view(outputs, height, width, channels).permute(0, 3, 1, 2)
