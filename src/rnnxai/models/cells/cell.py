"""What a recurrent cell has to offer."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn


class Cell(nn.Module):
    """The recurrent core of a classifier, for K folds at once.

    A cell is three steps of mathematics. It holds no loop, no shapes of images and no code for
    explanations: :class:`~rnnxai.models.classifier.Classifier` unrolls it, and the explanation engine
    follows whatever it computes from :class:`~rnnxai.models.layers.Affine`, ``torch.relu``,
    :func:`~rnnxai.models.layers.gate`, sums and products with a gate.

    A cell's constructor takes ``folds, features, classes, dropout, bias`` by keyword, in which
    `features` is the width of one step's patch and `bias` the form of the ReLU layers' bias.
    """

    @abstractmethod
    def prepare(self, patches: Tensor) -> Sequence[Any]:
        """Compute all that does not depend on the recurrent state, for all T steps at once.

        Parameters
        ----------
        patches : Tensor (K, T, N, features)

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
