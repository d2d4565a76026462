"""How alike two architectures explain: the correlation of their maps of the same samples."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnxai.archive.read import AttributionArchive
from rnnxai.errors import Error


def rows_of_pairs(
    pairs: Iterable[tuple[Mapping[str, Any], str | Path, str | Path]], commit: str
) -> Iterator[dict[str, Any]]:
    """Say how alike the maps of some networks are.

    Parameters
    ----------
    pairs : iterable of (Mapping, path, path)
        What names a row, and the two archives.
    commit : str
        Version of the code.

    Yields
    ------
    dict
        A row for each pair, with the columns of :mod:`rnnxai.reproduction.records`.
    """
    for names, first, second in pairs:
        correlation, count = map_correlation(first, second)
        yield {**names, "n": count, "correlation": correlation, "commit": commit}


def map_correlation(first: str | Path, second: str | Path) -> tuple[float, int]:
    """Return the mean over samples of Pearson's correlation between two maps, pixel by pixel.

    Parameters
    ----------
    first, second : path
        Archives of the same data set, fold and explainer.

    Returns
    -------
    float
        NaN if no sample has a correlation.
    int
        How many samples have one: those whose maps are kept in both archives and are not constant.

    Raises
    ------
    Error
        If the archives explain different samples.
    """
    with AttributionArchive(first) as one, AttributionArchive(second) as other:
        if not np.array_equal(one["index"][:], other["index"][:]):
            raise Error(f"{first} and {second} explain different samples")
        found = [
            _correlations(maps.reshape(len(maps), -1), others.reshape(len(others), -1))
            for (_, maps), (_, others) in zip(one.chunks(), other.chunks(), strict=True)
        ]
    values = np.concatenate(found)
    values = values[np.isfinite(values)]  # maps that are not kept are NaN
    return (float(values.mean()) if values.size else float("nan")), int(values.size)


def _correlations(
    first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    a, b = (maps - maps.mean(axis=1, keepdims=True, dtype=np.float64) for maps in (first, second))
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    found: npt.NDArray[np.float64] = np.full(len(a), np.nan)
    np.divide((a * b).sum(axis=1), scale, out=found, where=scale > 0)
    return found
