"""The rows of a finished network for the book of runs."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rnnxai.archive.read import AttributionArchive
from rnnxai.data.dataset import Dataset
from rnnxai.figures.networks import read_network
from rnnxai.figures.relevance_per_step import ink_per_step
from rnnxai.scoring.table import read_table

_EXPLAINER = "explainer"


def rows_of_run(
    network: str | Path,
    scores: Sequence[str | Path],
    dataset: str | Path,
    archives: Mapping[str, str | Path],
    identities: Mapping[str, str],
    commit: str,
    of_class: int,
) -> Iterator[dict[str, Any]]:
    """Put together what is kept of a network that has been trained, explained and scored.

    Parameters
    ----------
    network : path
        Its file.
    scores : sequence of paths
        Its rows of scores, a file for each group of explainers.
    dataset : path
        The data set file.
    archives : Mapping[str, path]
        Its archives by explainer.
    identities : Mapping[str, str]
        Its identity with each explainer.
    commit : str
        Version of the code.
    of_class : int
        The class of single images whose relevance along the steps is kept (Figure 3.7 of the thesis).

    Yields
    ------
    dict
        A row for each explainer, with the columns of :mod:`rnnxai.reproduction.records`.
    """
    about = read_network(network).about
    images = Dataset.open(dataset)
    for row in pd.concat([read_table(path) for path in scores]).to_dict("records"):
        explainer = str(row[_EXPLAINER])
        shares = _steps(archives[explainer], images, of_class) if images.majority is None else ("", "")
        yield {
            "config": identities[explainer],
            **{str(name): value for name, value in row.items()},
            "epochs": about["settings"]["epochs"],
            "folds_together": len(about["trained_together"]),
            "relevance_steps": shares[0],
            "ink_steps": shares[1],
            "commit": commit,
        }


def _steps(path: str | Path, images: Dataset, of_class: int) -> tuple[str, str]:
    with AttributionArchive(path) as archive:
        rows = archive["index"][:].astype(np.int64)
        relevance = archive["relevance_step_positive"][:]
    own = images.labels[rows] == of_class
    steps = relevance.shape[1]
    return _text(relevance[own]), _text(ink_per_step(images, rows[own], steps))


def shares_of_sum(sums: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return what share of the sum over all samples lies at each step, (n, steps) -> (steps,).

    So the thesis' curve of the ink comes out to the third digit; the mean of each sample's own shares is off
    by .03. NaN if there is nothing to share.
    """
    total = sums.sum(axis=0, dtype=np.float64)
    return total / total.sum() if total.any() else np.full(len(total), np.nan)


def _text(sums: npt.NDArray[np.floating]) -> str:
    return " ".join(f"{share:.4f}" for share in shares_of_sum(sums))
