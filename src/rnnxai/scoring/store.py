"""The score file: every sample's scores, one group per explainer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rnnxai.archive.format import MAX_SAMPLES, PROVENANCE, SCORES, Field
from rnnxai.archive.hdf5 import creating, expect_attributes, opening, reading, write_array, write_scales
from rnnxai.errors import Error
from rnnxai.scoring.blocks import STATUS
from rnnxai.seal import member

Columns = Mapping[str, npt.NDArray[Any]]

_SAMPLE = ("sample",)
_KNOWN = {
    "index": Field("index", _SAMPLE, "u4", "row of the data set file"),
    "correct": Field(
        "correct", _SAMPLE, "u1", "whether the model predicts the label", flags=("wrong", "correct")
    ),
}


def write_scores(path: str | Path, scores: Mapping[str, Columns], provenance: Mapping[str, Any]) -> None:
    """Write the scores of some explainers, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Where the file goes.
    scores : Mapping[str, Mapping[str, array (N,)]]
        Columns per explainer, as :attr:`rnnxai.scoring.archives.ArchiveScores.samples`.
    provenance : Mapping
        From :func:`rnnxai.archive.provenance.provenance`; further attributes are welcome.

    Raises
    ------
    Error
        If an attribute is missing or the columns of an explainer differ in length.
    """
    expect_attributes(provenance, PROVENANCE, path)
    for explainer, columns in scores.items():
        shapes = {name: np.shape(values) for name, values in columns.items()}
        if len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) != 1:
            raise Error(f"{path}: columns of {explainer} have shapes {shapes}; they must be equal and flat")
    with creating(path, SCORES, provenance) as file:
        for explainer in sorted(scores):
            group = file.create_group(explainer, track_order=True)
            columns = scores[explainer]
            write_scales(group, {"sample": len(columns["index"])})
            for name, values in columns.items():
                write_array(group, _field(name), values)


def read_scores(path: str | Path) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """Read the columns of every explainer.

    Raises
    ------
    Error
        If the file is not a finished score file, is too large, or takes anything from another file.
    """
    with opening(path, SCORES) as (file, _), reading(path):
        groups = {explainer: member(file, explainer) for explainer in file}
        return {
            explainer: {name: _column(group, name, path) for name in group if name != "sample"}
            for explainer, group in groups.items()
        }


def _column(group: h5py.Group, name: str, path: str | Path) -> npt.NDArray[Any]:
    """Read a column whose values are in the file itself."""
    where = f"{path}: {group.name}/{name}"
    try:
        array = member(group, name)
    except Error as error:
        raise Error(f"{where}: {error}") from error
    if not isinstance(array, h5py.Dataset) or array.is_virtual or array.ndim != 1:
        raise Error(f"{where} is no column of its own; an array with one value per sample would be right")
    if len(array) > MAX_SAMPLES or max(array.chunks or (0,)) > MAX_SAMPLES:
        raise Error(f"{where} is of {len(array)} samples; at most {MAX_SAMPLES} are read")
    values: npt.NDArray[Any] = array[:]
    return values


def _field(name: str) -> Field:
    if name in _KNOWN:
        return _KNOWN[name]
    if name.endswith("_status"):
        return Field(name, _SAMPLE, "u1", "why the score is undefined", flags=STATUS)
    return Field(name, _SAMPLE, "f8", "score, NaN where undefined")
