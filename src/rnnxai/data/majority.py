"""Majority sequences: images side by side, most of them of one class.

The class of the majority is the target, and the mark vector says which blocks belong to it. So it is
known beforehand where an explanation of the target should put its relevance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnnxai.errors import Error


@dataclass(frozen=True, eq=False)
class MajoritySequences:
    """Sequences of images in which one class holds the majority.

    Parameters
    ----------
    source_images : uint8 array (N, H, W)
        The images the sequences are made of.
    source_index : int64 array (n, blocks)
        Which image stands in which block.
    majority : uint8 array (n, blocks)
        The marks: 1 where the block belongs to the majority class, else 0.
    labels : array (n,)
        The majority class.
    """

    source_images: NDArray[np.uint8]
    source_index: NDArray[np.int64]
    majority: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> NDArray[np.uint8]:
        """The sequences as pictures, (n, 1, H, blocks * W), put together when asked for."""
        return join_blocks(self.source_images, self.source_index)


def majority_sequences(
    images: NDArray[np.uint8], labels: ArrayLike, seed: int, blocks: int = 3, repeats: int = 1
) -> MajoritySequences:
    """Make sequences in which the anchor's class holds the majority of the blocks.

    Each image is the anchor of `repeats` sequences. Beside it stand ``blocks // 2`` partners of its own
    class, which makes the smallest possible majority of ``blocks // 2 + 1``, and distractors of other
    classes in the remaining blocks. The distractors are fewer than the majority, so no other class can
    reach it. Partners and distractors are drawn with replacement and may repeat or, rarely, be the
    anchor itself. With ``blocks=3, repeats=1`` this is the construction of the thesis, draw by draw.

    Parameters
    ----------
    images : uint8 array (N, H, W)
        Images to draw from.
    labels : array_like of int (N,)
        Their classes; at least two classes.
    seed : int
        Seed of NumPy's legacy generator, whose stream is frozen for good.
    blocks : int
        Images per sequence, at least 3.
    repeats : int
        How many times each image is the anchor. Round r + 1 goes on in the random stream of round r and
        its sequences follow those of round r, in the order of the anchors.

    Returns
    -------
    MajoritySequences
        ``repeats * N`` sequences; number ``r * N + i`` has image i as its anchor.

    Raises
    ------
    Error
        If the arrays do not fit together, or there are fewer than two classes or three blocks.

    Examples
    --------
    >>> images = np.zeros((4, 28, 28), np.uint8)
    >>> sequences = majority_sequences(images, [0, 0, 1, 1], seed=3)
    >>> sequences.images.shape
    (4, 1, 28, 84)
    >>> sequences.majority.sum(axis=1).tolist()
    [2, 2, 2, 2]
    """
    labels = np.asarray(labels)
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 3 or len(images) != len(labels):
        raise Error(
            f"images are {images.dtype} {images.shape} with {len(labels)} labels; "
            "they must be uint8 (N, H, W) with N labels"
        )
    source_index, majority = draw_majority(labels, seed, blocks, repeats)
    return MajoritySequences(images, source_index, majority, np.tile(labels, repeats))


def draw_majority(
    labels: ArrayLike, seed: int, blocks: int = 3, repeats: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Draw which images stand in which blocks; see :func:`majority_sequences`.

    Per class, in ascending order, the stream is used for all distractors, then for all partners, then
    for one permutation of the blocks per anchor.

    Returns
    -------
    source_index : int64 array (repeats * N, blocks)
        Positions in `labels`.
    majority : uint8 array (repeats * N, blocks)
        1 where the block belongs to the majority class.
    """
    labels = np.asarray(labels)
    classes = _check(labels, seed, blocks, repeats)
    count = len(labels)
    partners, distractors = blocks // 2, blocks - blocks // 2 - 1
    source_index = np.empty((repeats, count, blocks), np.int64)
    majority = np.empty((repeats, count, blocks), np.uint8)
    stream = np.random.RandomState(seed)
    for turn in range(repeats):
        for label in classes:
            anchors, others = np.flatnonzero(labels == label), np.flatnonzero(labels != label)
            different = stream.choice(others, (len(anchors), distractors))
            same = stream.choice(anchors, (len(anchors), partners))
            items = np.concatenate([anchors[:, None], same, different], axis=1)
            order = np.stack([stream.permutation(blocks) for _ in anchors])
            source_index[turn, anchors] = np.take_along_axis(items, order, axis=1)
            majority[turn, anchors] = order <= partners
    return source_index.reshape(-1, blocks), majority.reshape(-1, blocks)


def join_blocks(images: NDArray[np.uint8], source_index: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Put images side by side.

    Parameters
    ----------
    images : uint8 array (N, H, W)
        Single images.
    source_index : int array (n, blocks)
        Which image stands in which block.

    Returns
    -------
    uint8 array (n, 1, H, blocks * W)
        One channel, the blocks from left to right.
    """
    count, blocks = source_index.shape
    _, height, width = images.shape
    joined = np.empty((count, height, blocks, width), np.uint8)
    for block in range(blocks):
        joined[:, :, block] = images[source_index[:, block]]
    return joined.reshape(count, 1, height, blocks * width)


def _check(labels: NDArray[np.generic], seed: int, blocks: int, repeats: int) -> NDArray[np.generic]:
    """Return the classes that occur, or say what is wrong."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise Error(f"labels are {labels.dtype} {labels.shape}; they must be whole numbers, one per image")
    for name, value in (("blocks", blocks), ("repeats", repeats), ("seed", seed)):
        if not isinstance(value, int | np.integer):
            raise Error(f"{name} is {value!r}; it must be a whole number")
    if blocks < 3:
        raise Error(f"blocks is {blocks}; a majority needs at least 3")
    if repeats < 1:
        raise Error(f"repeats is {repeats}; each image is the anchor at least once")
    if not 0 <= seed < 2**32:
        raise Error(f"seed is {seed}; it must lie between 0 and {2**32 - 1}")
    classes = np.unique(labels)
    if len(classes) < 2:
        raise Error(f"the labels hold {len(classes)} class(es); a distractor needs at least two")
    return classes
