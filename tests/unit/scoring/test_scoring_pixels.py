import numpy as np
import pytest

from rnnxai.errors import Error
from rnnxai.scoring.blocks import NO_INK, NOT_FINITE, OK, ZERO_RELEVANCE
from rnnxai.scoring.pixels import in_blocks, ink, mass_accuracy, rank_accuracy

TRUTH = np.array([[1, 1, 0], [0, 0, 0]], dtype=bool)


@pytest.mark.parametrize(
    ("heatmap", "mass", "rank"),
    [
        ([[1, 1, 0], [0, 0, 0]], 1, 1),
        ([[9, 1, 0], [0, 0, 0]], 1, 1),  # how it is spread over the true pixels does not matter
        ([[0, 0, 1], [1, 1, 1]], 0, 0),
        ([[5, 0, 4], [1, 0, 0]], 0.5, 0.5),
        ([[5, 3, 4], [0, 0, 0]], 8 / 12, 0.5),  # the second place is taken by a wrong pixel
        ([[1, 1, 1], [1, 1, 1]], 2 / 6, 2 / 6),
        ([[5, 0, 0], [0, 0, 0]], 1, 0.5 + 0.5 / 5),  # five zeros share the second place
        ([[1, -3, 1], [-9, 0, 0]], 0.5, 0.5),  # negative relevance counts as 0
    ],
)
def test_by_hand(heatmap, mass, rank):
    for score, expected in ((mass_accuracy, mass), (rank_accuracy, rank)):
        values, status = score(np.array([heatmap], dtype=np.float32), TRUTH[None])
        assert values == pytest.approx(expected)
        assert status == OK


def test_why_there_is_none():
    maps = np.array([np.zeros((2, 3)), -np.ones((2, 3)), np.full((2, 3), np.nan), np.ones((2, 3))])
    truth = np.stack([TRUTH, TRUTH, TRUTH, np.zeros_like(TRUTH)])
    for score in (mass_accuracy, rank_accuracy):
        values, status = score(maps, truth)
        assert np.isnan(values).all()
        assert list(status) == [ZERO_RELEVANCE, ZERO_RELEVANCE, NOT_FINITE, NO_INK]


def test_large_and_small_magnitudes():
    maps = np.full((2, 2, 3), 1.5e308) * np.array([1, 1e-300])[:, None, None]  # sums of the first overflow
    for score in (mass_accuracy, rank_accuracy):
        np.testing.assert_allclose(score(maps, np.stack([TRUTH, TRUTH]))[0], 2 / 6)


def test_shapes_must_fit():
    for shapes in (((1, 2, 3), (1, 3, 2)), ((2, 3), (2, 3)), ((1, 0, 3), (1, 0, 3))):
        with pytest.raises(Error, match=r"both must be \(n, height, width\)"):
            mass_accuracy(*(np.ones(shape) for shape in shapes))


def test_ink_is_what_is_bright_enough():
    picture = np.array([[[0, 63, 64, 127, 128, 255]]], dtype=np.uint8)
    assert ink(picture)[0, 0].tolist() == [False, False, True, True, True, True]
    assert ink(picture, 0.5)[0, 0].tolist() == [False, False, False, False, True, True]
    for least in (0, -1, 1.1):
        with pytest.raises(Error, match="ink is"):
            ink(picture, least)


def test_marks_are_spread_over_columns():
    assert in_blocks(np.array([[1, 0, 1]], dtype=np.uint8), 6).tolist() == [[[1, 1, 0, 0, 1, 1]]]
