"""What must hold of the block scores whatever the numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rnnxai.scoring.blocks import block_cosine, cosine, majority_share
from rnnxai.scoring.statistics import bootstrap_interval, mean_interval

BLOCKS = st.integers(1, 6)
# No rounding to zero when scaled: the magnitudes are 0 or within a few powers of ten of each other.
PART = st.one_of(st.just(0.0), st.floats(1e-3, 1e3))


@st.composite
def marked(draw, elements=PART):
    """Block vectors with marks: (N, blocks) and (N, blocks)."""
    shape = (draw(st.integers(1, 5)), draw(BLOCKS))
    vectors = draw(arrays(np.float64, shape, elements=elements))
    marks = draw(arrays(np.uint8, shape, elements=st.integers(0, 1)))
    marks[:, draw(st.integers(0, shape[1] - 1))] = 1
    return vectors, marks


@given(marked())
def test_scores_of_positive_relevance_lie_between_0_and_1(case):
    for score in (cosine, majority_share):
        values, status = score(*case)
        assert (np.isnan(values) == (status > 0)).all()
        assert (status == ~case[0].any(axis=1)).all()
        defined = values[status == 0]
        assert ((defined >= 0) & (defined <= 1)).all()


@given(marked(st.floats(allow_nan=False, allow_infinity=False)))
def test_any_finite_vector_has_a_cosine_between_minus_1_and_1(case):
    values, status = cosine(*case)
    assert (np.abs(values[status == 0]) <= 1).all()
    assert (status == ~case[0].any(axis=1)).all()


@given(marked(), st.floats(-300, 300))
def test_scores_do_not_depend_on_scale(case, power):
    vectors, marks = case
    for score in (cosine, majority_share):
        np.testing.assert_allclose(
            score(vectors * 10**power, marks)[0], score(*case)[0], rtol=1e-9, atol=1e-12
        )


@given(marked(), st.randoms(use_true_random=False))
def test_scores_do_not_depend_on_the_order_of_blocks(case, random):
    vectors, marks = case
    order = random.sample(range(marks.shape[1]), marks.shape[1])
    for score in (cosine, majority_share):
        found = score(vectors[:, order], marks[:, order])[0]
        np.testing.assert_allclose(found, score(*case)[0], rtol=1e-12, atol=1e-15)


@given(marked(), st.randoms(use_true_random=False))
def test_samples_do_not_touch_each_other(case, random):
    vectors, marks = case
    order = random.sample(range(len(marks)), len(marks))
    for score in (cosine, majority_share):
        np.testing.assert_array_equal(score(vectors[order], marks[order])[0], score(*case)[0][order])


@given(marked())
def test_only_relevance_spread_evenly_on_the_majority_reaches_1(case):
    _, marks = case
    np.testing.assert_allclose(cosine(marks.astype(float), marks)[0], 1, rtol=1e-12)
    assert (cosine(marks + 0.5, marks)[0][~marks.all(axis=1)] < 1).all()


@given(marked(), st.integers(1, 3), st.integers(1, 3))
def test_maps_score_as_their_positive_block_sums(case, height, columns):
    vectors, marks = case
    pixels = np.repeat(vectors, columns, axis=1)[:, None, None, :].repeat(height, axis=2)
    negative = np.concatenate([pixels, -pixels], axis=1)  # a second channel that must not count
    np.testing.assert_allclose(block_cosine(negative, marks), cosine(vectors, marks)[0], rtol=1e-9)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9), st.floats(-5, 5))
def test_intervals_hold_the_mean_and_move_with_the_values(values, shift):
    sample = np.array(values)
    for interval in (mean_interval, lambda v: bootstrap_interval(v, resamples=200)):
        low, high = interval(sample)
        assert low - 1e-12 <= high
        np.testing.assert_allclose(interval(sample + shift), (low + shift, high + shift), atol=1e-9)
    assert mean_interval(sample).low - 1e-12 <= sample.mean() <= mean_interval(sample).high + 1e-12
