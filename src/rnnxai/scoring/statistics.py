"""Intervals for means over few folds, and the levels that trivial explanations reach."""

from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnnxai.errors import Error


class Interval(NamedTuple):
    """Lower and upper end; NaN where a single value gives none."""

    low: float
    high: float


def mean_interval(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    r"""Student's t interval of a mean, :math:`\bar x \pm t_{k-1} s / \sqrt k`.

    Covers what it claims for few values if they are independent and near normal. Folds share training
    data, so here it is a little narrow.

    Parameters
    ----------
    values : array (k,)
        One finite value per fold.
    level : float
        Coverage, between 0 and 1.

    Returns
    -------
    Interval

    Raises
    ------
    Error
        If there is no value, one is not finite, or the level is not between 0 and 1.
    """
    from scipy.stats import t

    sample = _sample(values, level)
    if sample.size == 1:
        return Interval(np.nan, np.nan)
    half = t.ppf((1 + level) / 2, sample.size - 1) * sample.std(ddof=1) / np.sqrt(sample.size)
    return Interval(float(sample.mean() - half), float(sample.mean() + half))


def bootstrap_interval(
    values: npt.ArrayLike, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of a mean: the error bars of the thesis' figures.

    Too narrow for few values: for 7 normal ones it covers about 87 % where it says 95 %.

    Parameters
    ----------
    values : array (k,)
        One finite value per fold.
    level : float
        Coverage, between 0 and 1.
    resamples : int
        How often k values are drawn with replacement.
    seed : int
        Seed of the draws.

    Returns
    -------
    Interval

    Raises
    ------
    Error
        If there is no value, one is not finite, or the level is not between 0 and 1.
    """
    sample = _sample(values, level)
    if sample.size == 1:
        return Interval(np.nan, np.nan)
    draws = np.random.default_rng(seed).integers(0, sample.size, (resamples, sample.size))
    low, high = np.quantile(sample[draws].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def reference_levels(blocks: int = 3, majority: int | None = None) -> dict[str, float]:
    """Mean cosines of explanations that look at nothing, over all equally likely places of the majority.

    Parameters
    ----------
    blocks : int
        Blocks of a sequence.
    majority : int, optional
        How many are of the majority class; the fewest that are more than half by default.

    Returns
    -------
    dict
        "uniform": relevance spread evenly. "one correct block": all of it on one majority block.
        "last block": all of it at the end, as a net that forgets would have it.

    Raises
    ------
    Error
        If `majority` is not in 1..`blocks`.
    """
    count = blocks // 2 + 1 if majority is None else majority
    if not 1 <= count <= blocks:
        raise Error(f"majority is {count}; it must be in 1..{blocks}")
    return {
        "uniform": sqrt(count / blocks),
        "one correct block": 1 / sqrt(count),
        "last block": count / blocks / sqrt(count),  # it is of the majority in count / blocks of the cases
    }


def _sample(values: npt.ArrayLike, level: float) -> npt.NDArray[np.float64]:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not sample.size or not np.isfinite(sample).all():
        raise Error(f"values are {sample!r}; an interval needs a flat list of finite numbers")
    if not 0 < level < 1:
        raise Error(f"level is {level}; it must lie between 0 and 1")
    return sample
