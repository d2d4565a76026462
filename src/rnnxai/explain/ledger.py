"""The books of an explanation: where every bit of the explained score went."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("incoming", "outgoing", "bias", "stabiliser", "dropped", "initial_state")
LOST = ("bias", "stabiliser", "dropped", "initial_state")


@dataclass
class Ledger:
    """Relevance in and out of every layer at every time step, for each of N samples.

    Entries are measured, not derived: ``incoming`` sums what reaches a layer's units, ``outgoing``
    sums the messages it really sent to its inputs. Each row closes,
    ``incoming = outgoing + bias + stabiliser + dropped + initial_state``, and so do the books as a whole.

    Attributes
    ----------
    start : ndarray (N,)
        The relevance that propagation started with.
    inputs : ndarray (N,)
        The relevance that arrived at the model's input.
    """

    start: NDArray[np.float64]
    inputs: NDArray[np.float64] = field(init=False)
    _rows: dict[tuple[str, int], dict[str, NDArray[np.float64]]] = field(default_factory=dict, repr=False)

    def book(self, layer: str, step: int, column: str, values: NDArray[np.float64]) -> None:
        """Add values (N,) of one step to a column of a layer."""
        row = self._rows.setdefault((layer, step), {name: np.zeros_like(self.start) for name in COLUMNS})
        row[column] += values

    @cached_property
    def kept(self) -> dict[str, NDArray[np.float64]]:
        """What stayed on the way (N,), by column: with biases, stabilisers, dropped, in initial states."""
        return {
            name: sum((row[name] for row in self._rows.values()), np.zeros_like(self.start)) for name in LOST
        }

    @cached_property
    def lost(self) -> NDArray[np.float64]:
        """All of what stayed on the way (N,)."""
        return sum(self.kept.values(), np.zeros_like(self.start))

    @cached_property
    def dropped(self) -> NDArray[np.float64]:
        """What units without any usable input held (N,)."""
        return self.kept["dropped"]

    @property
    def residual(self) -> NDArray[np.float64]:
        """What is missing from the books (N,): start - inputs - lost. Rounding, and nothing else."""
        return self.start - self.inputs - self.lost

    def table(self, sample: int | None = None) -> "pd.DataFrame":
        """Return the books, one row per layer and step in the order of propagation.

        Parameters
        ----------
        sample : int, optional
            One sample's books. By default the sums over all samples.

        Returns
        -------
        DataFrame
            Columns layer, step, incoming, outgoing, bias, stabiliser, dropped, initial_state.
        """
        import pandas as pd  # a job that writes archives needs none, and a sixth of its start is this

        rows = [
            {
                "layer": layer,
                "step": step,
                **{name: float(row[name].sum() if sample is None else row[name][sample]) for name in COLUMNS},
            }
            for (layer, step), row in self._rows.items()
        ]
        return pd.DataFrame(rows, columns=["layer", "step", *COLUMNS])
