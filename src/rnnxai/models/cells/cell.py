"""What a recurrent cell has to offer."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

BiasInit = Literal["thesis", "none", "plain"]


class Cell(nn.Module):
    """The recurrent core of a classifier, for K folds at once.

    A cell is three steps of mathematics. It holds no loop, no shapes of images and no code for
    explanations: :class:`~rnnxai.models.classifier.Classifier` unrolls it, and the explanation engine
    follows whatever it computes from :class:`~rnnxai.models.layers.Affine`,
    :class:`~rnnxai.models.convolution.Convolution`, :func:`~rnnxai.models.pooling.pool`, ``torch.relu``,
    :func:`~rnnxai.models.layers.gate`, sums and products with a gate.

    A cell's constructor takes ``folds, patch, classes, dropout, bias`` by keyword, in which `patch` is the
    shape of one step's input (height and width of the pixels) and `bias` the form of the ReLU layers'
    bias; one that pools takes ``pooling`` as well. Further arguments are layer sizes with defaults.

    Attributes
    ----------
    single_step : bool
        Whether it has no state and reads the whole image in one step.
    own_dropout, own_bias_init, own_pooling
        What :func:`~rnnxai.models.build.build_model` takes where nothing is said. A cell whose
        `own_pooling` is None does not pool.
    """

    single_step: ClassVar[bool] = False
    own_dropout: ClassVar[float] = 0.2
    own_bias_init: ClassVar[BiasInit] = "thesis"
    own_pooling: ClassVar[str | None] = None

    @abstractmethod
    def prepare(self, patches: Tensor) -> Sequence[Any]:
        """Compute all that does not depend on the recurrent state, for all T steps at once.

        Parameters
        ----------
        patches : Tensor (K, T, N, features)
            Each patch row by row.

        Returns
        -------
        sequence of length T
            What :meth:`step` takes at each step.
        """

    @abstractmethod
    def step(self, prepared: Any, state: Any) -> Any:
        """Go one step: from the state before it (None at the first step) to the state after it."""

    @abstractmethod
    def readout(self, state: Any) -> Tensor:
        """Map the last state to logits (K, N, classes)."""
