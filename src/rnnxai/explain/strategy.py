"""What one backward pass through a recorded model does."""

from dataclasses import dataclass
from typing import Literal

from rnnxai.explain.channels import Rule


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

    @property
    def conserves(self) -> bool:
        """Whether the heatmap sums to the start, less what the ledger books as lost."""
        return self.rule is not None
