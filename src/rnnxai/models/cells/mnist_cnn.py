"""mnist-cnn: a small feed-forward network with leaky ReLUs, which reads a whole image in one step."""

from collections.abc import Sequence
from math import prod
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import leaky_relu

from rnnxai.models.cells.cell import BiasInit, Cell
from rnnxai.models.convolution import Convolution, as_images
from rnnxai.models.dropout import Dropout
from rnnxai.models.layers import Affine, BiasForm
from rnnxai.models.pooling import check_pooling, pool, size_after_pooling


class MnistCNN(Cell):
    r"""Two padded 5 x 5 convolutions (16 and 32 channels) and three dense layers (128, 64, classes).

    .. math::
        a &= \operatorname{pool}(\operatorname{leaky}(W_1 * x + b_1)) \\
        b &= \operatorname{pool}(\operatorname{leaky}(W_2 * a + b_2)) \\
        c &= \operatorname{leaky}(W_3 \operatorname{drop}(b) + b_3) \\
        d &= \operatorname{leaky}(W_4 \operatorname{drop}(c) + b_4) \\
        z &= W_o \operatorname{drop}(d) + b_o

    By itself it has plain biases, average pooling and no dropout. Montavon et al. (2018) advise biases
    that are not positive, sum pooling and dropout for what is to be explained: ``bias_init="thesis",
    pooling="sum", dropout=0.5``.
    """

    single_step: ClassVar[bool] = True
    own_dropout: ClassVar[float] = 0.0
    own_bias_init: ClassVar[BiasInit] = "plain"
    own_pooling: ClassVar[str | None] = "average"

    def __init__(
        self,
        *,
        folds: int,
        patch: tuple[int, ...],
        classes: int,
        dropout: float,
        bias: BiasForm,
        pooling: str,
        channels1: int = 16,
        channels2: int = 32,
        hidden1: int = 128,
        hidden2: int = 64,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.pooling = check_pooling(pooling)
        self.conv1 = Convolution(folds, (1,), channels1, (5, 5), "same", bias)
        self.conv2 = Convolution(folds, (channels1,), channels2, (5, 5), "same", bias)
        units = channels2 * prod(size_after_pooling(*size_after_pooling(*patch)))
        self.hidden1 = Affine(folds, (units,), hidden1, bias)
        self.hidden2 = Affine(folds, (hidden1,), hidden2, bias)
        self.output = Affine(folds, (hidden2,), classes, bias)
        self.dropout = Dropout(dropout)

    def prepare(self, patches: Tensor) -> Sequence[Tensor]:
        """Return the image, which is the only step."""
        return as_images(patches, self.patch).unbind(1)

    def step(self, prepared: Tensor, state: None) -> Tensor:
        """Return d (K, N, hidden2)."""
        x = prepared
        for convolution in (self.conv1, self.conv2):
            x = pool(leaky_relu(convolution(x)), self.pooling)
        x = x.flatten(-3)
        for layer in (self.hidden1, self.hidden2):
            x = leaky_relu(layer(self.dropout(x)))
        return x

    def readout(self, state: Tensor) -> Tensor:
        """Map d to the logits."""
        return self.output(self.dropout(state))  # type: ignore[no-any-return]
