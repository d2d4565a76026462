"""What one backward pass through a recorded model does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rnnxai.errors import Error
from rnnxai.explain.channels import Rule, most_channels
from rnnxai.explain.methods import METHODS


@dataclass(frozen=True)
class Strategy:
    """How the operations of a recording hand things down.

    Parameters
    ----------
    rule : Rule or None
        Relevance rule of the affine layers. None passes the gradient.
    gates : {"follow", "constant"}
        Whether the pass goes on into the gates of a recurrent cell, or takes them as constants.
    guided : bool
        Whether ReLUs stop negative values (guided backpropagation).
    start : {"score", "positive score"}
        Start from the explained logit, or from its positive part.
    squared : bool
        Whether the heatmap is the square of what arrives at the pixels.
    """

    rule: Rule | None = None
    gates: Literal["follow", "constant"] = "constant"
    guided: bool = False
    start: Literal["score", "positive score"] = "score"
    squared: bool = False

    def __post_init__(self) -> None:
        if self.gates not in ("follow", "constant"):
            raise Error(f"gates is {self.gates!r}; it must be 'follow' or 'constant'")

    @property
    def conserves(self) -> bool:
        """Whether the heatmap sums to the start, less what the ledger books as lost."""
        return self.rule is not None

    @property
    def channels(self) -> int:
        """How many numbers a unit hands down at most: one for each channel, or one gradient."""
        return 1 if self.rule is None else most_channels(self.rule)


def make_strategy(method: str, options: Mapping[str, Any] | None = None) -> Strategy:
    """Return the strategy of a named method with its options.

    Parameters
    ----------
    method : str
        A name in :data:`~rnnxai.explain.methods.METHODS`.
    options : Mapping, optional
        Keyword arguments of the method's function.

    Raises
    ------
    Error
        If the method or one of its options is unknown.
    """
    _, numbers = METHODS.resolve(method)
    try:
        strategy: Strategy = METHODS.load(method)(**numbers, **(options or {}))
    except TypeError as error:
        given = dict(options or {})
        raise Error(f"explanation method {method!r} does not take the options {given}: {error}") from error
    return strategy
