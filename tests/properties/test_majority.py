import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rnnxai.data.majority import draw_majority, join_blocks, majority_sequences
from rnnxai.errors import Error

labels = hnp.arrays(np.uint8, st.integers(2, 40), elements=st.integers(0, 9)).filter(
    lambda values: len(np.unique(values)) > 1
)
cases = given(
    labels=labels,
    seed=st.integers(0, 2**32 - 1),
    blocks=st.integers(3, 9),
    repeats=st.integers(1, 3),
)


@cases
def test_marks_agree_with_labels(labels: np.ndarray, seed: int, blocks: int, repeats: int) -> None:
    source_index, majority = draw_majority(labels, seed, blocks, repeats)
    targets = np.tile(labels, repeats)
    assert source_index.shape == majority.shape == (len(labels) * repeats, blocks)
    assert np.array_equal(labels[source_index] == targets[:, None], majority == 1)
    assert (majority.sum(axis=1) == blocks // 2 + 1).all()


@cases
def test_each_image_is_the_anchor_of_its_own_sequences(
    labels: np.ndarray, seed: int, blocks: int, repeats: int
) -> None:
    source_index, _ = draw_majority(labels, seed, blocks, repeats)
    anchors = np.tile(np.arange(len(labels)), repeats)
    assert (source_index == anchors[:, None]).any(axis=1).all()


@cases
def test_no_other_class_reaches_the_majority(
    labels: np.ndarray, seed: int, blocks: int, repeats: int
) -> None:
    source_index, _ = draw_majority(labels, seed, blocks, repeats)
    for classes, target in zip(labels[source_index], np.tile(labels, repeats), strict=True):
        counts = np.bincount(classes, minlength=10)
        assert counts.argmax() == target and counts[target] > blocks - counts[target]


@cases
def test_the_first_rounds_do_not_depend_on_later_ones(
    labels: np.ndarray, seed: int, blocks: int, repeats: int
) -> None:
    once, _ = draw_majority(labels, seed, blocks, 1)
    more, _ = draw_majority(labels, seed, blocks, repeats)
    assert np.array_equal(more[: len(labels)], once)


def test_rounds_differ() -> None:
    first, second = np.split(draw_majority(np.arange(40) % 4, seed=0, repeats=2)[0], 2)
    assert (first != second).any(axis=1).mean() > 0.9


def thesis_construction(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The thesis' construction word by word, with the global generator and three named images."""
    index, marks = np.zeros((len(labels), 3), int), np.zeros((len(labels), 3), int)
    np.random.seed(seed)
    for c in range(10):
        same, other = np.where(labels == c)[0], np.where(labels != c)[0]
        distractors = np.random.choice(other, len(same))
        partners = np.random.choice(same, len(same)) if len(same) else []
        for anchor, partner, distractor in zip(same, partners, distractors, strict=True):
            p = np.random.permutation(3)
            index[anchor] = np.array([anchor, partner, distractor])[p]
            marks[anchor] = [int(item in (0, 1)) for item in p]
    return index, marks


@given(labels=labels, seed=st.integers(0, 2**32 - 1))
def test_three_blocks_are_those_of_the_thesis(labels: np.ndarray, seed: int) -> None:
    expected_index, expected_marks = thesis_construction(labels, seed)
    source_index, majority = draw_majority(labels, seed)
    assert np.array_equal(source_index, expected_index)
    assert np.array_equal(majority, expected_marks)


@settings(max_examples=20)
@given(
    images=hnp.arrays(np.uint8, st.tuples(st.integers(2, 5), st.integers(1, 4), st.integers(1, 4))),
    seed=st.integers(0, 2**32 - 1),
    blocks=st.integers(3, 5),
)
def test_pictures_show_the_indexed_images(images: np.ndarray, seed: int, blocks: int) -> None:
    count, height, width = images.shape
    sequences = majority_sequences(images, np.arange(count) % 2, seed, blocks, repeats=2)
    assert sequences.images.shape == (len(sequences), 1, height, blocks * width)
    for row, index in enumerate(sequences.source_index):
        expected = np.concatenate([images[i] for i in index], axis=1)
        assert np.array_equal(sequences.images[row, 0], expected)
    assert join_blocks(images, np.empty((0, blocks), int)).shape == (0, 1, height, blocks * width)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocks": 2}, "blocks is 2; a majority needs at least 3"),
        ({"repeats": 0}, "repeats is 0; each image"),
        ({"blocks": 3.0}, "blocks is 3.0; it must be a whole number"),
        ({"seed": "0"}, "seed is '0'; it must be a whole number"),
        ({"seed": -1}, "seed is -1; it must lie between"),
        ({"labels": [4, 4, 4, 4]}, r"the labels hold 1 class\(es\)"),
        ({"labels": [0.5, 1, 1, 0]}, "labels are float64"),
        ({"labels": [0, 1]}, r"images are uint8 \(4, 2, 2\) with 2 labels"),
        ({"images": np.zeros((4, 2, 2))}, r"images are float64 \(4, 2, 2\)"),
        ({"images": np.zeros((4, 4), np.uint8)}, r"images are uint8 \(4, 4\)"),
    ],
)
def test_bad_requests(change: dict, message: str) -> None:
    good = {"images": np.zeros((4, 2, 2), np.uint8), "labels": [0, 1, 0, 1], "seed": 0}
    with pytest.raises(Error, match=message):
        majority_sequences(**(good | change))
