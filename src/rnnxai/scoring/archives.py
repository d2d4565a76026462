"""Score an attribution file against the marks of its data set."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rnnxai.archive.check import check_complete
from rnnxai.archive.hdf5 import reading
from rnnxai.archive.read import AttributionArchive
from rnnxai.errors import Error
from rnnxai.files import sha256
from rnnxai.scoring.blocks import OK, STATUS, Scored
from rnnxai.scoring.pictures import KeptMaps
from rnnxai.scoring.reductions import Reductions
from rnnxai.scoring.scores import SCORES


@dataclass(frozen=True)
class Score:
    """A score to compute.

    Parameters
    ----------
    name : str
        What it is called in files and tables.
    score : str
        A name in :data:`rnnxai.scoring.scores.SCORES`, or a reference ``package.module:function``.
    options : Mapping
        Keyword arguments of the function, after the reductions.
    """

    name: str
    score: str
    options: Mapping[str, Any] = field(default_factory=dict)


DEFAULT = tuple(Score(name, name) for name in SCORES)
"""The scores of the table, each under its own name."""


@dataclass(frozen=True, eq=False)
class ArchiveScores:
    """The scores of one archive.

    Parameters
    ----------
    row : Mapping
        One row of the tidy table (:data:`rnnxai.scoring.table.KEYS` and numbers).
    samples : Mapping[str, array (N,)]
        ``index`` and ``correct``, and for data with marks each score beside its status, such as
        ``cosine`` and ``cosine_status``.
    """

    row: Mapping[str, Any]
    samples: Mapping[str, npt.NDArray[Any]]


def score_archive(
    dataset_path: str | Path, archive_path: str | Path, scores: Sequence[Score] = DEFAULT
) -> ArchiveScores:
    """Check an archive to its end and score every sample.

    Parameters
    ----------
    dataset_path : str or Path
        The data set file. ``label`` is needed; without ``majority`` the scores are left empty.
    archive_path : str or Path
        An attribution file made from it.
    scores : sequence of Score
        What to compute.

    Returns
    -------
    ArchiveScores

    Raises
    ------
    Error
        If the archive fails its check or belongs to another data set file, or if a score cannot be loaded
        or returns something else than values and status.
    """
    check_complete(archive_path)
    with AttributionArchive(archive_path) as archive:
        index = archive["index"][:]
        label, majority = _marks(Path(dataset_path), archive, index)
        samples = {"index": index, "correct": _correct(archive["prediction"][:], label)}
        if majority is not None:
            samples |= columns_of(scores, _reductions(archive, majority, Path(dataset_path)))
        return ArchiveScores(_row(archive, scores, samples), samples)


def column(score: str) -> str:
    """Return the column name of a score: underscores, as in code."""
    return score.replace("-", "_")


def _marks(
    path: Path, archive: AttributionArchive, index: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8] | None]:
    if not path.is_file():
        raise Error(f"{path}: no such file; expected the data set file of {archive.path}")
    recorded = json.loads(archive.attributes["inputs_json"]).get("dataset")
    if recorded is not None and recorded != sha256(path):
        raise Error(f"{path}: not the data set file that {archive.path} was made from; their hashes differ")
    with reading(path), h5py.File(path, "r", locking="best-effort") as file:
        if "label" not in file:
            raise Error(f"{path}: no array 'label'; expected a data set file")
        labels = file["label"][:]
        if index.max() >= len(labels):
            raise Error(f"{archive.path}: index reaches {index.max()}; {path} has {len(labels)} rows")
        majority = file["majority"][:][index] if "majority" in file else None
    label = labels[index]
    explained = archive["label"][:]
    if archive.attributes["attribution_strategy"] == "true_label" and (label != explained).any():
        row = int(np.argmax(label != explained))
        raise Error(
            f"{archive.path}: sample {row} explains class {explained[row]}; "
            f"its label in {path} is {label[row]}"
        )
    return label, majority


def _correct(prediction: npt.NDArray[np.float32], label: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.asarray(prediction.argmax(axis=1) == label, dtype=np.uint8)


def _reductions(
    archive: AttributionArchive, majority: npt.NDArray[np.uint8], dataset_path: Path
) -> Reductions:
    if archive.layout.blocks != majority.shape[1]:
        raise Error(
            f"{archive.path}: blocks are {archive.layout.blocks}; "
            f"the data set marks {majority.shape[1]} blocks"
        )
    return Reductions(
        majority=majority,
        block=archive["relevance_block"][:],
        block_positive=archive["relevance_block_positive"][:],
        step=archive["relevance_step"][:],
        step_positive=archive["relevance_step_positive"][:],
        total=archive["relevance_sum"][:],
        explained_score=archive["explained_score"][:],
        maps=KeptMaps(archive, dataset_path),
    )


def columns_of(scores: Sequence[Score], reductions: Reductions) -> dict[str, npt.NDArray[Any]]:
    """Compute scores: of each its values and, as ``{name}_status``, why there are none.

    Raises
    ------
    Error
        If a score cannot be loaded or returns something else than values and status.
    """
    columns: dict[str, npt.NDArray[Any]] = {}
    for score in scores:
        name = column(score.name)
        columns[name], columns[f"{name}_status"] = _computed(score, reductions)
    return columns


def _computed(score: Score, reductions: Reductions) -> Scored:
    count = len(reductions.total)
    returned = SCORES.load(score.score)(reductions, **score.options)
    try:
        values, status = (np.asarray(part) for part in returned)
    except (TypeError, ValueError):
        raise Error(f"score {score.score!r} returned no pair; values and their status are wanted") from None
    if values.shape != (count,) or status.shape != (count,):
        raise Error(
            f"score {score.score!r} returned values {values.shape} and status {status.shape}; "
            f"both must have one entry for each of the {count} samples"
        )
    if (
        values.dtype.kind not in "fiu"
        or status.dtype.kind not in "iu"
        or not np.isin(status, range(len(STATUS))).all()
    ):
        raise Error(
            f"score {score.score!r} returned values of {values.dtype} and status of {status.dtype}; numbers "
            f"and positions in {STATUS} are wanted"
        )
    if (np.isnan(values) != (status != OK)).any():
        row = int(np.argmax(np.isnan(values) != (status != OK)))
        raise Error(
            f"score {score.score!r} is {values[row]} with status {STATUS[status[row]]!r} for sample {row}; "
            "it must be NaN where the status is not 'ok', and only there"
        )
    return values.astype(np.float64), status.astype(np.uint8)


def _row(
    archive: AttributionArchive, scores: Sequence[Score], samples: Mapping[str, npt.NDArray[Any]]
) -> dict[str, Any]:
    correct = samples["correct"].astype(bool)
    row: dict[str, Any] = {
        "dataset": archive.dataset,
        "architecture": archive.architecture,
        "T": archive.steps,
        "fold": archive.fold,
        "explainer": archive.explainer,
        "n": len(correct),
        "n_undefined": None,
        "n_maps": int(archive["map_stored"][:].sum()),
        "accuracy": float(correct.mean()),
    }
    for name in (column(score.name) for score in scores):
        values = samples.get(name)
        row[name] = None if values is None else _mean(values)
        if name == "cosine":
            # The thesis counts an undefined cosine as 0 and wrong predictions like right ones.
            row["n_undefined"] = None if values is None else int(np.isnan(values).sum())
            row["cosine_zero"] = None if values is None else float(np.nan_to_num(values).mean())
            row["cosine_correct"] = None if values is None else _mean(values[correct])
    error = archive.attributes.get("conservation_max_error")
    row["conservation_max_error"] = None if error is None else float(error)
    return row


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else None
