"""Batches for a stack of folds, from pixels held in memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.models.pixels import to_input

ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Pixels:
    """All sequences of a data set, cut into steps, as bytes on the training device.

    Attributes
    ----------
    patches : uint8 Tensor (samples, T, features)
        Each patch row by row.
    labels : int64 Tensor (samples,)
    """

    patches: Tensor
    labels: Tensor

    @classmethod
    def of(cls, dataset: Dataset, steps: int, device: str) -> "Pixels":
        """Load a data set for T = `steps`."""
        height, width = dataset.image_size
        patches = torch.empty(len(dataset), steps, height * (width // steps), dtype=torch.uint8)
        for start in range(0, len(dataset), ROWS_AT_ONCE):
            rows = np.arange(start, min(start + ROWS_AT_ONCE, len(dataset)))
            images = torch.from_numpy(dataset.sequences(rows)).view(len(rows), height, steps, width // steps)
            patches[start : start + len(rows)] = images.transpose(1, 2).flatten(2)
        return cls(patches.to(device), torch.from_numpy(dataset.labels).to(device))

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return patches (K, T, N, features) in [-1, 1] and labels (K, N) of rows (K, N)."""
        return to_input(self.patches[rows].permute(0, 2, 1, 3)), self.labels[rows]


def shuffled(train_rows: Sequence[Tensor], batch_size: int, orders: Sequence[torch.Generator]) -> Tensor:
    """Return the row numbers of each step of one epoch.

    Every fold goes through its own training set in its own new order. Folds of a stack take the same
    number of steps: as many full batches as the smallest of their training sets holds (sizes differ by
    one at most), so up to `batch_size` sequences sit out an epoch, different ones each time.

    Returns
    -------
    int64 Tensor (batches, K, batch_size)

    Raises
    ------
    Error
        If a training set is smaller than a batch.
    """
    smallest = min(len(rows) for rows in train_rows)
    count = smallest // batch_size
    if count == 0:
        raise Error(f"batch_size = {batch_size} is larger than the training set of {smallest} sequences")
    rows = [
        rows[torch.randperm(len(rows), generator=order)[: count * batch_size]].view(count, batch_size)
        for rows, order in zip(train_rows, orders, strict=True)
    ]
    return torch.stack(rows, 1)
