"""What a score may rest on: the reductions of one archive beside the marks of its samples."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


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
    """

    majority: npt.NDArray[np.uint8]
    block: Array
    block_positive: Array
    step: Array
    step_positive: Array
    total: Array
    explained_score: Array
