from itertools import combinations

import numpy as np
import pytest

from rnnxai.errors import Error
from rnnxai.scoring.blocks import cosine
from rnnxai.scoring.statistics import (
    bootstrap_interval,
    corrected_interval,
    corrected_p,
    effect_size,
    holm,
    holm_levels,
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


def folds(count, of=7, correlation=None, seed=0, trials=2000):
    """Draw scores of folds that correlate as those of a cross-validation do: by the share that is tested."""
    random = np.random.default_rng(seed)
    rho = 1 / of if correlation is None else correlation
    shared, own = random.normal(size=(trials, 1)), random.normal(size=(trials, count))
    return np.sqrt(rho) * shared + np.sqrt(1 - rho) * own


@pytest.mark.parametrize(("count", "of"), [(7, 7), (3, 7), (3, 3), (5, 10)])
def test_the_corrected_interval_covers_what_it_claims_and_the_plain_one_less(count, of):
    drawn = folds(count, of)
    share = 1 / (of - 1)
    corrected = np.mean([low < 0 < high for low, high in (corrected_interval(s, share) for s in drawn)])
    plain = np.mean([low < 0 < high for low, high in map(mean_interval, drawn)])
    assert corrected == pytest.approx(0.95, abs=0.015)
    assert plain < corrected - 0.01


def test_the_corrected_interval_by_hand():
    plain, corrected = mean_interval(SEVEN), corrected_interval(SEVEN, 1 / 6)
    wider = np.sqrt((1 / 7 + 1 / 6) / (1 / 7))  # 1.47
    assert np.mean(corrected) == pytest.approx(np.mean(plain))
    assert corrected.high - corrected.low == pytest.approx(wider * (plain.high - plain.low))
    assert np.isnan(corrected_interval([0.7], 1 / 6)).all()
    for share in (0, -1, np.inf):
        with pytest.raises(Error, match="test_share is"):
            corrected_interval(SEVEN, share)


def test_p_and_interval_agree():
    for drawn in folds(5, trials=200) + 1:
        for level in (0.5, 0.95):
            low, high = corrected_interval(drawn, 1 / 6, level)
            assert (corrected_p(drawn, 1 / 6) < 1 - level) == (not low <= 0 <= high)
    assert np.isnan(corrected_p([0.1], 1 / 6))
    assert corrected_p([0.1, 0.1], 1 / 6) == 0
    assert corrected_p([0, 0], 1 / 6) == 1


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6, 0.01]) == pytest.approx([1, 1, 0.03])
    found = holm([np.nan, 0.02, 0.01])
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx([0.02, 0.02])
    assert holm([]).size == 0
    assert np.isnan(holm([np.nan])).all()


def test_holm_levels_by_hand():
    # .01 < .05 / 3, but .03 > .05 / 2, and there it stops: the last has the same level.
    assert holm_levels([0.01, 0.04, 0.03]) == pytest.approx([1 - 0.05 / 3, 0.975, 0.975])
    assert holm_levels([0.01, 0.02, np.nan])[:2] == pytest.approx([0.975, 0.95])


def test_intervals_at_holm_levels_say_what_holm_says():
    random = np.random.default_rng(0)
    for _ in range(100):
        family = random.normal(size=(6, 4)) + random.choice([0, 2], size=(6, 1))
        p = [corrected_p(values, 1 / 6) for values in family]
        for values, level, adjusted in zip(family, holm_levels(p), holm(p), strict=True):
            low, high = corrected_interval(values, 1 / 6, level)
            assert (adjusted <= 0.05) == (not low <= 0 <= high)


def test_a_family_without_differences_has_a_finding_as_rarely_as_claimed():
    found, alone = 0, 0
    trials = 600
    for family in folds(7, trials=trials * 6).reshape(trials, 6, 7):
        p = [corrected_p(values, 1 / 6) for values in family]
        found += holm(p).min() <= 0.05
        alone += min(p) <= 0.05
    assert found / trials < 0.075
    assert alone / trials > 0.15  # what would happen without it


def test_effect_size():
    values = [0.1, 0.2, 0.3]
    # Without correction 2; the unbiased factor for 2 degrees of freedom is 1 / sqrt(pi) = .5642.
    assert effect_size(values) == pytest.approx(2 / np.sqrt(np.pi))
    assert effect_size(-np.array(values)) == -effect_size(values)
    assert np.isnan(effect_size([0.1, 0.2]))
    assert effect_size([0.5, 0.5, 0.5]) == np.inf
    assert effect_size([0.0, 0.0, 0.0]) == 0
    drawn = np.random.default_rng(0).normal(1, 1, size=(4000, 5))
    assert np.mean([effect_size(values) for values in drawn]) == pytest.approx(1, abs=0.05)
