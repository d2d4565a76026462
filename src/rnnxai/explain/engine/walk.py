"""What is known while a recording is walked back: the strategy, and the books."""

from dataclasses import dataclass, field

from torch import Tensor

from rnnxai.explain.engine.samples import per_sample
from rnnxai.explain.ledger import Ledger
from rnnxai.explain.strategy import Strategy


@dataclass
class Walk:
    """The current pass through a recording, as its operations see it.

    Operations hold this and not the recording. The recording holds the graph, and a graph that held the
    recording in turn would never be freed: Python's collector cannot see through autograd's own nodes.
    """

    strategy: Strategy = field(default_factory=Strategy)
    ledger: Ledger | None = None

    def book(self, layer: str, step: int | None, column: str, values: Tensor, numbers: Tensor | None) -> None:
        """Book values, of which `numbers` says whose they are; a step of None means that axis 0 is time."""
        if self.ledger is None or numbers is None:
            return
        if step is None:
            for t, (one, theirs) in enumerate(zip(values, numbers, strict=True)):
                self.book(layer, t, column, one, theirs)
            return
        booked = per_sample(values, numbers, len(self.ledger.start))
        self.ledger.book(layer, step, column, booked.cpu().numpy())
