"""Random streams: every fold has its own initialisation, order and dropout.

A stream depends on the seed, the fold, its purpose and, for the order, the epoch, and on nothing else. So a
fold sees the same initial weights, the same order and the same masks whichever folds it is trained beside,
and an epoch's order can be drawn again where a run goes on in the middle of it.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from rnnxai.data.dataset import Fold

Purpose = Literal["initialisation", "order", "dropout"]
PURPOSES: tuple[Purpose, ...] = ("initialisation", "order", "dropout")
QUALITY = 10_000  # stands for the quality split among the fold numbers
SHARED = 10_001  # and this for a stack as a whole


def generators(
    seed: int, folds: Sequence[Fold], purpose: Purpose, *, epoch: int | None = None, device: str = "cpu"
) -> list[torch.Generator]:
    """Return one generator per fold for a purpose, and an epoch where the purpose has one."""
    within = [] if epoch is None else [epoch]
    return [
        torch.Generator(device).manual_seed(
            _seed(seed, QUALITY if fold == "quality" else fold, PURPOSES.index(purpose), *within)
        )
        for fold in folds
    ]


def shared_generator(seed: int, device: str = "cpu") -> torch.Generator:
    """Return the generator of the masks that all folds of a stack share."""
    return torch.Generator(device).manual_seed(_seed(seed, SHARED, PURPOSES.index("dropout")))


def _seed(*path: int) -> int:
    words = np.random.SeedSequence(path).generate_state(2, np.uint32)
    return int(words[0]) << 31 | int(words[1]) >> 1
