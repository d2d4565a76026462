"""Which samples train a model and which ones test it.

Two kinds of model are trained on each data set: *quality* models on one fixed split, and one model per
fold of a cross-validation. All of these splits are fixed by the number 71, as in the thesis.
"""

import numpy as np
from numpy.typing import NDArray

from rnnxai.errors import Error

PARTITIONS = ("train", "test", "val")
"""Parts of the quality split, in the order in which their samples are stored."""

_SEED = 71


def quality_split(train_count: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Split a source into training, test and validation images.

    The validation images are a random fifth of the source's training part; its test part stays whole.

    Parameters
    ----------
    train_count, count : int
        Size of the source's training part, and of the whole source.

    Returns
    -------
    order : int64 array (count,)
        Image numbers: first those of ``train``, then those of ``test``, then those of ``val``.
    partition : int8 array (count,)
        For each entry of `order` its position in :data:`PARTITIONS`.
    """
    from sklearn.model_selection import train_test_split

    train, val = train_test_split(np.arange(train_count), test_size=0.2, random_state=_SEED)
    parts = (train, np.arange(train_count, count), val)
    partition = np.repeat(np.arange(len(parts), dtype=np.int8), [len(part) for part in parts])
    return np.concatenate(parts), partition


def stratified_folds(labels: NDArray[np.integer], folds: int) -> NDArray[np.int8]:
    """Deal samples out to folds so that each fold holds each class in nearly equal numbers.

    Parameters
    ----------
    labels : int array (n,)
        Classes of the samples.
    folds : int
        Number of folds, at least 2.

    Returns
    -------
    int8 array (n,)
        The one fold in which a sample is tested.

    Raises
    ------
    Error
        If a class has fewer samples than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    classes, sizes = np.unique(labels, return_counts=True)
    if sizes.min() < folds:
        raise Error(
            f"class {classes[sizes.argmin()]} has {sizes.min()} samples, too few for {folds} folds; "
            f"use at most {max(sizes.min(), 2)} folds"
        )
    fold = np.empty(len(labels), np.int8)
    splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=_SEED)
    for number, (_, held_out) in enumerate(splitter.split(np.empty(len(labels)), labels)):
        fold[held_out] = number
    return fold
