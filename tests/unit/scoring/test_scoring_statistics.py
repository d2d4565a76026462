from itertools import combinations

import numpy as np
import pytest

from rnnxai.errors import Error
from rnnxai.scoring.blocks import cosine
from rnnxai.scoring.statistics import (
    bootstrap_interval,
    mean_interval,
    reference_levels,
)

SEVEN = [0.72, 0.71, 0.73, 0.74, 0.70, 0.72, 0.75]


def test_t_interval_by_hand():
    # t(6, .975) = 2.446912 from a printed table; s = 0.017182, mean = 0.724286
    low, high = mean_interval(SEVEN)
    assert (low, high) == pytest.approx((0.708395, 0.740176), abs=2e-6)
    assert mean_interval(SEVEN, 0.5).high < high


def test_bootstrap_is_seeded_narrower_than_t_and_inside_the_values():
    interval = bootstrap_interval(SEVEN)
    assert interval == bootstrap_interval(SEVEN)
    assert interval != bootstrap_interval(SEVEN, seed=1)
    assert (
        mean_interval(SEVEN).low < interval.low < np.mean(SEVEN) < interval.high < mean_interval(SEVEN).high
    )
    assert bootstrap_interval(SEVEN, level=0.5).high < interval.high


def test_bootstrap_of_two_values_is_known_exactly():
    # Means of two draws from (0, 1): 0, .5, 1 with chances 1/4, 1/2, 1/4.
    assert bootstrap_interval([0, 1], level=0.95) == (0, 1)
    assert bootstrap_interval([0, 1], level=0.4) == (0.5, 0.5)


@pytest.mark.parametrize("interval", [mean_interval, bootstrap_interval])
def test_one_value_has_no_interval_and_bad_ones_are_refused(interval):
    assert np.isnan(interval([0.7])).all()
    for values in ([], [0.7, np.nan], [[0.7, 0.8]]):
        with pytest.raises(Error, match="flat list of finite numbers"):
            interval(values)
    for level in (0, 1, 95):
        with pytest.raises(Error, match="between 0 and 1"):
            interval(SEVEN, level)


def test_t_interval_covers_what_it_claims_and_bootstrap_less():
    samples = np.random.default_rng(0).normal(size=(400, 7))
    t = np.mean([low < 0 < high for low, high in map(mean_interval, samples)])
    boot = np.mean([low < 0 < high for low, high in (bootstrap_interval(s, resamples=500) for s in samples)])
    assert 0.92 < t < 0.98
    assert 0.82 < boot < 0.92


def test_reference_levels_of_three_blocks():
    expected = {"uniform": 0.8165, "one correct block": 0.7071, "last block": 0.4714}
    assert expected == pytest.approx(reference_levels(3), abs=5e-5)


@pytest.mark.parametrize(("blocks", "majority"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 4)])
def test_reference_levels_are_means_over_all_places_of_the_majority(blocks, majority):
    places = list(combinations(range(blocks), majority))
    marks = np.array([[j in place for j in range(blocks)] for place in places], dtype=float)
    last = np.broadcast_to(np.eye(blocks)[-1], marks.shape)
    maps = {
        "uniform": np.ones_like(marks),
        "one correct block": np.eye(blocks)[marks.argmax(1)],
        "last block": last,
    }
    assert reference_levels(blocks) == reference_levels(blocks, majority)
    assert reference_levels(blocks) == pytest.approx(
        {name: cosine(vectors, marks)[0].mean() for name, vectors in maps.items()}
    )


@pytest.mark.parametrize(("blocks", "majority"), [(3, 0), (3, 4)])
def test_reference_levels_need_a_majority(blocks, majority):
    with pytest.raises(Error, match=r"it must be in 1\.\.3"):
        reference_levels(blocks, majority)
