"""LeNet: the thesis' feed-forward network, which reads a whole image in one step."""

from collections.abc import Sequence
from math import prod
from typing import ClassVar

from torch import Tensor

from rnnxai.models.cells.cell import Cell
from rnnxai.models.convolution import Convolution, as_images
from rnnxai.models.layers import Affine, BiasForm
from rnnxai.models.pooling import check_pooling, relu_pool, size_after_pooling


class LeNet(Cell):
    r"""The network that the thesis calls LeNet-5 (10, 25 and 100 channels).

    .. math::
        a &= \operatorname{pool}(\operatorname{relu}(W_1 * x + b_1)) \\
        b &= \operatorname{pool}(\operatorname{relu}(W_2 * a + b_2)) \\
        c &= \operatorname{pool}(\operatorname{relu}(W_3 * b + b_3)) \\
        z &= W_o c + b_o

    The kernels are 5 x 5, 5 x 5 and 4 x 4; only the first convolution is padded. It is not LeCun's
    LeNet-5 but the network of a tutorial on heatmaps. Nothing is dropped, whatever `dropout` is.
    """

    single_step: ClassVar[bool] = True
    own_pooling: ClassVar[str | None] = "thesis"

    def __init__(
        self,
        *,
        folds: int,
        patch: tuple[int, ...],
        classes: int,
        dropout: float,
        bias: BiasForm,
        pooling: str,
        channels1: int = 10,
        channels2: int = 25,
        channels3: int = 100,
        kernel1: int = 5,
        kernel2: int = 5,
        kernel3: int = 4,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.pooling = check_pooling(pooling)
        self.conv1 = Convolution(folds, (1,), channels1, (kernel1, kernel1), "same", bias)
        self.conv2 = Convolution(folds, (channels1,), channels2, (kernel2, kernel2), "valid", bias)
        self.conv3 = Convolution(folds, (channels2,), channels3, (kernel3, kernel3), "valid", bias)
        size: tuple[int, ...] = patch
        for convolution in (self.conv1, self.conv2, self.conv3):
            size = size_after_pooling(*convolution.size_after(*size))
        self.output = Affine(folds, (channels3 * prod(size),), classes, bias)

    def prepare(self, patches: Tensor) -> Sequence[Tensor]:
        """Return the image, which is the only step."""
        return as_images(patches, self.patch).unbind(1)

    def step(self, prepared: Tensor, state: None) -> Tensor:
        """Return c, flattened (K, N, units)."""
        x = prepared
        for convolution in (self.conv1, self.conv2, self.conv3):
            x = relu_pool(convolution(x), self.pooling)
        return x.flatten(-3)

    def readout(self, state: Tensor) -> Tensor:
        """Map c to the logits."""
        return self.output(state)  # type: ignore[no-any-return]
