"""From a definition and a source to the samples of a data set, with their folds."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnnxai.data.definition import DatasetDefinition
from rnnxai.data.majority import draw_majority
from rnnxai.data.source import Source
from rnnxai.data.splits import PARTITIONS, quality_split, stratified_folds
from rnnxai.data.tasks import TASKS
from rnnxai.errors import Error

# Each part of the quality split has a random stream of its own; the numbers are those of the thesis.
_SEEDS = {"train": 0, "test": 3, "val": 1}
_SEED_STRIDE = 4  # from fold to fold where folds draw apart: no two streams share a seed


class Samples(NamedTuple):
    """Samples of a data set, those for training first, then test, then validation.

    Parameters
    ----------
    source_index : int64 array (n, blocks)
        Which image of the source stands in which block.
    majority : uint8 array (n, blocks) or None
        The marks: 1 where the block decides on the target, else 0. None for column sequences.
    labels : uint8 array (n,)
        Target classes.
    fold : int8 array (n,)
        The fold whose test set holds the sample.
    partition : int8 array (n,)
        Part of the quality split, a position in :data:`rnnxai.data.splits.PARTITIONS`.
    """

    source_index: NDArray[np.int64]
    majority: NDArray[np.uint8] | None
    labels: NDArray[np.uint8]
    fold: NDArray[np.int8]
    partition: NDArray[np.int8]


def make_samples(definition: DatasetDefinition, source: Source) -> Samples:
    """Make the samples that a definition asks for.

    Raises
    ------
    Error
        If the source does not do for the task, or a task from outside returns something else.
    """
    samples = TASKS.load(definition.task)(definition, source)
    if not isinstance(samples, Samples):
        raise Error(f"task {definition.task!r} returned a {type(samples).__name__}; it must return Samples")
    wrong = misfit(samples, definition, source)
    if wrong:
        raise Error(f"task {definition.task!r}: {wrong}")
    return Samples(
        np.asarray(samples.source_index, np.int64),
        None if samples.majority is None else np.asarray(samples.majority, np.uint8),
        np.asarray(samples.labels, np.uint8),
        np.asarray(samples.fold, np.int8),
        np.asarray(samples.partition, np.int8),
    )


def misfit(samples: Samples, definition: DatasetDefinition, source: Source) -> str:
    """Say what is wrong with samples, in one line, or nothing: no number may lead outside the arrays."""
    count = np.shape(samples.labels)[:1]
    blocks = (*count, definition.blocks)
    limits: list[tuple[str, Any, tuple[int, ...], int]] = [
        ("label", samples.labels, count, len(source.classes)),
        ("source_index", samples.source_index, blocks, len(source.images)),
        ("majority", samples.majority, blocks, 2),
        ("fold", samples.fold, count, definition.folds),
        ("partition", samples.partition, count, len(PARTITIONS)),
    ]
    for name, array, shape, limit in limits:
        if name == "majority" and not definition.marked and array is None:
            continue
        values = np.asarray(array)
        if values.dtype.kind not in "iu":
            return f"{name} is {values.dtype}; it should be whole numbers"
        if values.shape != shape:
            return f"{name} has the shape {values.shape}; it should be {shape}"
        if values.size and (values.min() < 0 or values.max() >= limit):
            return f"{name} holds {values.min()} to {values.max()}; it should hold 0 to {limit - 1}"
    if samples.majority is not None and not np.asarray(samples.majority).any(axis=1).all():
        return "majority marks no block of some samples; it should mark one of each at least"
    return ""


def column_samples(definition: DatasetDefinition, source: Source) -> Samples:
    """Make one sample of each image.

    Raises
    ------
    Error
        If a class has too few images for that many folds.
    """
    order, partition = quality_split(source.train_count, len(source.images))
    labels = source.labels[order]
    return Samples(order[:, None], None, labels, stratified_folds(labels, definition.folds), partition)


def majority_samples(definition: DatasetDefinition, source: Source) -> Samples:
    """Make sequences in which one class holds the majority.

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
