"""From a definition and a source to the samples of a data set, with their folds."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnnxai.data.definition import DatasetDefinition
from rnnxai.data.majority import draw_majority
from rnnxai.data.source import Source
from rnnxai.data.splits import PARTITIONS, quality_split, stratified_folds

# Each part of the quality split has a random stream of its own; the numbers are those of the thesis.
_SEEDS = {"train": 0, "test": 3, "val": 1}
_SEED_STRIDE = 4  # from fold to fold where folds draw apart: no two streams share a seed


class Samples(NamedTuple):
    """Samples of a data set, those for training first, then test, then validation.

    ``source_index`` is int64 (n, blocks), ``majority`` uint8 (n, blocks) or None, ``labels`` uint8 (n,),
    ``fold`` and ``partition`` int8 (n,).
    """

    source_index: NDArray[np.int64]
    majority: NDArray[np.uint8] | None
    labels: NDArray[np.uint8]
    fold: NDArray[np.int8]
    partition: NDArray[np.int8]


def make_samples(definition: DatasetDefinition, source: Source) -> Samples:
    """Make the samples that a definition asks for.

    Images are first parted by the quality split, and sequences are drawn within each part. In the thesis
    the finished sequences are then dealt out to folds. With ``leak_free`` the images are dealt out to
    folds before, and sequences are drawn within each part of each fold, so that no image stands in two
    folds. With one repeat both ways test the same anchors in the same fold and differ in nothing but
    the company an anchor gets.

    Raises
    ------
    Error
        If a class has too few images for that many folds.
    """
    order, partition = quality_split(source.train_count, len(source.images))
    labels = source.labels[order]
    if definition.task == "columns":
        fold = stratified_folds(labels, definition.folds)
        return Samples(order[:, None], None, labels, fold, partition)

    fold = stratified_folds(labels, definition.folds) if definition.leak_free else np.zeros_like(partition)
    parts = []
    for code, name in enumerate(PARTITIONS):
        inside = partition == code
        seed = definition.seed + _SEEDS[name]
        index, marks = _draw_within(fold[inside], labels[inside], seed, definition)
        per_anchor = (labels[inside], fold[inside], partition[inside])
        parts.append((order[inside][index], marks, *(np.tile(x, definition.repeats) for x in per_anchor)))
    source_index, majority, labels, fold, partition = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    if not definition.leak_free:
        fold = stratified_folds(labels, definition.folds)
    return Samples(source_index, majority, labels, fold, partition)


def _draw_within(
    group: NDArray[np.int8], labels: NDArray[np.uint8], seed: int, definition: DatasetDefinition
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Draw sequences whose images all come from the anchor's group; the anchors keep their order."""
    repeats, blocks = definition.repeats, definition.blocks
    index = np.empty((repeats, len(labels), blocks), np.int64)
    marks = np.empty((repeats, len(labels), blocks), np.uint8)
    for number in np.unique(group):
        members = np.flatnonzero(group == number)
        own_seed = seed + _SEED_STRIDE * int(number)
        drawn, drawn_marks = draw_majority(labels[members], own_seed, blocks, repeats)
        index[:, members] = members[drawn].reshape(repeats, -1, blocks)
        marks[:, members] = drawn_marks.reshape(repeats, -1, blocks)
    return index.reshape(-1, blocks), marks.reshape(-1, blocks)
