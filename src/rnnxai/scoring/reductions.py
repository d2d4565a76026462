"""What a score may rest on: the reductions of one archive beside the marks of its samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class MapBatch(NamedTuple):
    """Heatmaps of some samples beside what the network saw.

    Parameters
    ----------
    rows : int array (n,)
        Which of the N samples they are.
    maps : float array (n, channels, height, width)
        Relevance.
    pictures : uint8 array (n, height, width)
        Grey values of the input.
    """

    rows: npt.NDArray[np.int64]
    maps: npt.NDArray[np.floating]
    pictures: npt.NDArray[np.uint8]


class Maps(Protocol):
    """The heatmaps that an archive keeps, read some at a time; each loop reads them anew."""

    def __iter__(self) -> Iterator[MapBatch]:
        """Yield every kept map once."""
        ...


@dataclass(frozen=True, eq=False)
class Reductions:
    """Per-sample sums of the heatmaps of one archive (N samples, T steps).

    Parameters
    ----------
    majority : array (N, blocks) of uint8
        1 for a block of the majority class.
    block, block_positive : array (N, blocks)
        Sum of each block, of the whole map and of its positive part.
    step, step_positive : array (N, T)
        The same for each time step.
    total, explained_score : array (N,)
        Sum of the map, and logit of the explained class.
    maps : Maps
        The full maps, of those samples whose map is kept. A score that only needs sums leaves them on
        the disk.
    """

    majority: npt.NDArray[np.uint8]
    block: Array
    block_positive: Array
    step: Array
    step_positive: Array
    total: Array
    explained_score: Array
    maps: Maps = ()
