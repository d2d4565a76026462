import subprocess
import sys
from itertools import product

import numpy as np
import pytest

from rnnxai.errors import Error
from rnnxai.scoring.blocks import NOT_FINITE, OK, ZERO_RELEVANCE, block_cosine, cosine, majority_share

# m = (1, 1, 0), from the thesis' own worked examples.
WORKED = [
    ((0.9, 0.1, 0), 0.780869),
    ((0.5, 0.3, 0.2), 0.917663),
    ((0.5, 0.5, 0), 1),
    ((0.1, 0.1, 0.8), 0.174078),
    ((0, 0, 1), 0),
    ((0, 0.1, 0.9), 0.078087),
]


@pytest.mark.parametrize("scale", [1, 5e-324, 1e-300, 1e-160, 1e160, 1e300])
@pytest.mark.parametrize(("vector", "expected"), WORKED)
def test_worked_cosines_at_any_scale(vector, expected, scale):
    if scale == 5e-324:  # the smallest number there is: keep whole multiples of it
        vector = np.round(np.multiply(vector, 10))
    values, status = cosine([np.multiply(vector, scale)], [[1, 1, 0]])
    assert values[0] == pytest.approx(expected, abs=5e-7)
    assert status[0] == OK


def test_the_figure_that_argues_for_the_cosine():
    vectors, majority = [[0, 0.1, 0.9]], [[1, 0, 1]]
    assert majority_share(vectors, majority)[0][0] == pytest.approx(0.9)
    assert cosine(vectors, majority)[0][0] == pytest.approx(0.70, abs=0.005)


def test_rounding_does_not_carry_a_cosine_past_1():
    nearly = [1 - k * 2.0**-53 for k in range(4)]
    vectors = list(product(nearly, repeat=3))
    assert cosine(vectors, np.ones((len(vectors), 3)))[0].max() == 1


@pytest.mark.parametrize("score", [cosine, majority_share])
def test_undefined_scores_are_nan_and_say_why(score):
    vectors = [[1, 1, 0], [0, 0, 0], [np.nan, 1, 0], [np.inf, 1, 0], [1, 1, 0]]
    values, status = score(vectors, [[1, 1, 0]] * 5)
    assert list(status) == [OK, ZERO_RELEVANCE, NOT_FINITE, NOT_FINITE, OK]
    assert list(np.isnan(values)) == [False, True, True, True, False]
    assert values[[0, 4]] == pytest.approx([1, 1])


@pytest.mark.parametrize("score", [cosine, majority_share])
@pytest.mark.parametrize(
    ("vectors", "majority", "message"),
    [
        ([[1, 1, 0]], [[1, 1]], r"blocks have shape \(1, 3\) and majority \(1, 2\)"),
        ([[1, 1, 0]] * 2, [[1, 1, 0]], "must be equal"),
        ([[1, 1, 0]], [1, 1, 0], r"majority has shape \(3,\)"),
        ([[1, 1, 0]] * 2, [[1, 1, 0], [0, 0, 0]], "sample 1 has no majority block"),
        ([[1, 1, 0]], [[1, 0.5, 0]], "other values than 0 and 1"),
        ([[1, 1, 0]], [[1, np.nan, 0]], "other values than 0 and 1"),
    ],
)
def test_what_does_not_fit_is_refused(score, vectors, majority, message):
    with pytest.raises(Error, match=message):
        score(vectors, majority)


def test_signed_blocks_have_a_cosine_but_no_share():
    assert cosine([[-1, -1, 0]], [[1, 1, 0]])[0][0] == pytest.approx(-1)
    with pytest.raises(Error, match="block relevance of sample 1 is negative"):
        majority_share([[1, 0, 0], [1, -1, 0]], [[1, 1, 0]] * 2)


def heatmap(blocks, height=2, columns=4):
    """Spread block sums evenly over the pixels of each block."""
    row = np.repeat(np.asarray(blocks, dtype=float) / (height * columns), columns)
    return np.tile(row, (1, 1, height, 1))


@pytest.mark.parametrize(("vector", "expected"), WORKED)
def test_worked_cosines_of_maps(vector, expected):
    assert block_cosine(heatmap(vector), [[1, 1, 0]])[0] == pytest.approx(expected, abs=5e-7)


def test_negative_pixels_are_clipped_before_summing():
    relevance = heatmap([1, 0, 0])
    relevance[0, 0, :, 0] = -100  # would turn the first block negative
    relevance[0, 0, :, 8:] = -1
    assert block_cosine(relevance, [[1, 0, 0]])[0] == pytest.approx(1)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_map_without_positive_relevance_has_no_cosine(value):
    found = block_cosine(np.stack([np.full((1, 2, 12), value), heatmap([1, 1, 0])[0]]), [[1, 1, 0]] * 2)
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_maps_of_extreme_scale(scale):
    maps = np.full((1, 1, 100, 300), 1.0)
    maps[..., 200:] = 0
    assert block_cosine(maps * scale * 1e7, [[1, 1, 0]])[0] == pytest.approx(1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_maps_that_are_not_finite_are_refused(bad):
    maps = np.ones((3, 1, 2, 12))
    maps[1, 0, 0, 0] = bad
    with pytest.raises(Error, match="relevance of sample 1 is not finite"):
        block_cosine(maps, [[1, 1, 0]] * 3)


@pytest.mark.parametrize("shape", [(2, 2, 12), (2, 1, 2, 10), (1, 1, 2, 12)])
def test_maps_of_another_shape_are_refused(shape):
    with pytest.raises(Error, match=r"relevance has shape|do not divide|must be equal"):
        block_cosine(np.ones(shape), [[1, 1, 0]] * 2)


def test_tensors_are_taken_by_their_looks():
    class Tensor:
        def detach(self):
            return self

        def cpu(self):
            return heatmap([1, 1, 0]).astype(np.float32)

    assert block_cosine(Tensor(), [[1, 1, 0]])[0] == pytest.approx(1)


@pytest.mark.parametrize("package", ["rnnxai.scoring", "rnnxai.archive"])
def test_this_floor_does_not_import_torch(package):
    code = f"import sys, {package} as p; [getattr(p, n) for n in dir(p)]; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
