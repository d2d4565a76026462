"""What must hold of the block scores whatever the numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rnnxai.scoring import localisation as of_maps
from rnnxai.scoring.blocks import block_cosine, cosine, majority_share
from rnnxai.scoring.pixels import mass_accuracy, rank_accuracy
from rnnxai.scoring.reductions import MapBatch, Reductions
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


@st.composite
def masked(draw):
    """Maps (N, H, W) of either sign with true pixels, at least one of each sample and not all of them."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(2, 5)))
    maps = draw(arrays(np.float64, shape, elements=st.one_of(st.just(0.0), st.floats(-1e3, 1e3, width=16))))
    truth = draw(arrays(np.bool_, shape))
    truth[:, 0, 0], truth[:, 0, 1] = True, False
    return maps, truth


LOOKS = (mass_accuracy, rank_accuracy)


@given(masked())
def test_looks_lie_between_0_and_1_and_need_positive_relevance(case):
    maps, truth = case
    for score in LOOKS:
        values, status = score(maps, truth)
        assert (np.isnan(values) == (status > 0)).all()
        assert ((status == 0) == (maps > 0).any(axis=(1, 2))).all()
        assert ((values[status == 0] >= 0) & (values[status == 0] <= 1)).all()


@given(masked(), st.floats(0.1, 10))
def test_a_uniform_map_scores_the_share_of_true_pixels(case, height):
    maps, truth = case
    for score in LOOKS:
        found = score(np.full_like(maps, height), truth)[0]
        np.testing.assert_allclose(found, truth.mean(axis=(1, 2)), rtol=1e-12)


@given(masked())
def test_relevance_on_true_pixels_alone_scores_1_and_beside_them_0(case):
    maps, truth = case
    positive = np.abs(maps) + 1
    for score in LOOKS:
        np.testing.assert_allclose(score(positive * truth, truth)[0], 1, rtol=1e-12)
    assert (mass_accuracy(positive * ~truth, truth)[0] == 0).all()


@given(masked(), st.floats(-20, 20), st.randoms(use_true_random=False))
def test_looks_depend_on_neither_scale_nor_negative_relevance_nor_order(case, power, random):
    maps, truth = case
    order = random.sample(range(maps[0].size), maps[0].size)

    def shuffled(array):
        return array.reshape(len(array), -1)[:, order].reshape(array.shape)

    for score in LOOKS:
        expected = score(maps, truth)[0]
        np.testing.assert_allclose(score(np.maximum(maps, 0) * 10**power, truth)[0], expected, rtol=1e-9)
        np.testing.assert_allclose(score(shuffled(maps), shuffled(truth))[0], expected, rtol=1e-9)


@given(masked())
def test_ranks_depend_on_the_order_of_pixels_alone(case):
    maps, truth = case
    positive = np.maximum(maps, 0)
    steep = np.where(positive > 0, positive**3 + positive, 0)
    np.testing.assert_array_equal(rank_accuracy(steep, truth)[0], rank_accuracy(positive, truth)[0])


@given(masked())
def test_the_mean_over_all_ways_of_breaking_ties(case):
    maps, truth = case
    maps = np.round(np.maximum(maps, 0) / 300)  # few values, many ties
    exact = rank_accuracy(maps, truth)[0]
    random = np.random.default_rng(0)
    drawn = [rank_accuracy(maps + 1e-6 * random.random(maps.shape), truth)[0] for _ in range(200)]
    defined = ~np.isnan(exact)
    np.testing.assert_allclose(np.mean(drawn, axis=0)[defined], exact[defined], atol=0.2)


@given(marked(), st.integers(1, 3), st.integers(1, 3))
def test_the_share_on_blocks_times_the_share_on_ink_is_the_mass(case, height, columns):
    vectors, marks = case
    random = np.random.default_rng(height)
    shape = (len(marks), height, columns * marks.shape[1])
    maps = random.random(shape) * np.repeat(vectors, columns, axis=1)[:, None]
    pictures = random.integers(0, 256, shape).astype(np.uint8)
    blocks = maps.reshape(len(marks), height, marks.shape[1], columns).sum(axis=(1, 3))
    batch = [MapBatch(np.arange(len(marks)), maps[:, None], pictures)]
    total = maps.sum(axis=(1, 2))
    reductions = Reductions(marks, blocks, blocks, blocks, blocks, total, total, maps=batch)
    mass, share, ink = (
        score(reductions)[0] for score in (of_maps.mass_accuracy, of_maps.majority_share, of_maps.ink_share)
    )
    known = ~np.isnan(mass) & ~np.isnan(ink)
    np.testing.assert_allclose(mass[known], (share * ink)[known], rtol=1e-9)
