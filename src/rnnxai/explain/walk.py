"""What is known while a recording is walked back: the strategy, and the books."""

from dataclasses import dataclass, field

from torch import Tensor

from rnnxai.explain.ledger import Ledger
from rnnxai.explain.parts import Layer
from rnnxai.explain.strategy import Strategy


@dataclass
class Walk:
    """The current pass through a recording, as its operations see it.

    Operations hold this and not the recording. The recording holds the graph, and a graph that held the
    recording in turn would never be freed: Python's collector cannot see through autograd's own nodes.
    """

    strategy: Strategy = field(default_factory=Strategy)
    ledger: Ledger | None = None

    def book(self, layer: Layer, step: int | None, column: str, values: Tensor) -> None:
        """Book values (1, N) of one step, or (1, T, N) of all steps if `step` is None."""
        if self.ledger is None:
            return
        if values.dim() == 3:
            self.ledger.book_steps(layer.name, column, values[0])
        else:
            self.ledger.book(layer.name, step or 0, column, values[0])
