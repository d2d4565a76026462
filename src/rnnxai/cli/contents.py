"""What ``rnnxai inspect`` says of a file, read in little memory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rnnxai.archive.format import MAPS, ROUNDED_BITS
from rnnxai.archive.read import AttributionArchive
from rnnxai.cli.places import dataset_of
from rnnxai.errors import Error
from rnnxai.files import sha256
from rnnxai.scoring.blocks import cosine
from rnnxai.seal import objects

_ROWS = 512
"""Samples whose numbers are read at a time."""


def of_file(path: str) -> dict[str, Any]:
    """Return the tree of a file: its arrays with dimensions, shapes, types and bytes on the disk."""
    with h5py.File(path, "r", locking="best-effort", rdcc_nbytes=0) as file:
        arrays = [
            {
                "name": name,
                "dimensions": [dim[0].name.strip("/") if len(dim) else "" for dim in item.dims],
                "shape": list(item.shape),
                "type": "text" if h5py.check_string_dtype(item.dtype) else str(item.dtype),
                "bytes": int(item.id.get_storage_size()),
                "long_name": str(item.attrs.get("long_name", "")),
            }
            for name, item in objects(file)
            if isinstance(item, h5py.Dataset) and not item.is_scale
        ]
        return {
            "file": path,
            "title": str(file.attrs.get("title", "")),
            "kind": str(file.attrs["rnnxai_kind"]),
            "format": str(file.attrs["rnnxai_format"]),
            "attributes": {name: _plain(value) for name, value in file.attrs.items()},
            "arrays": arrays,
        }


def of_archive(path: str, dataset: str | None) -> dict[str, Any]:
    """Return numbers of all samples: how many, how right, how well the books close, the mean cosine."""
    with AttributionArchive(path) as archive:
        marks = _marks(archive, dataset)
        right, kept, scored, undefined, total = 0, 0, 0, 0, 0.0
        for first in range(0, len(archive), _ROWS):
            rows = slice(first, min(first + _ROWS, len(archive)))
            right += int((archive["prediction"][rows].argmax(axis=1) == archive["label"][rows]).sum())
            kept += int(archive["map_stored"][rows].sum())
            if marks is not None:
                values, _ = cosine(archive["relevance_block_positive"][rows], marks(archive["index"][rows]))
                scored += int(np.isfinite(values).sum())
                undefined += int(np.isnan(values).sum())
                total += float(np.nansum(values))
        error = archive.attributes.get("conservation_max_error")
        bits = archive[MAPS.name].attrs.get(ROUNDED_BITS)
        return {
            "samples": len(archive),
            "maps_kept": kept,
            "explained_class_predicted": right / len(archive),
            "cosine": total / scored if scored else None,
            "cosine_undefined": None if marks is None else undefined,
            "conservation_max_error": None if error is None else float(error),
            "rounded_to_bits": None if bits is None else int(bits),
        }


def of_sample(path: str, row: int, dataset: str | None) -> dict[str, Any]:
    """Return what an archive knows of one sample."""
    with AttributionArchive(path) as archive:
        if not 0 <= row < len(archive):
            raise Error(f"{path}: no sample {row}; rows are 0..{len(archive) - 1}")
        marks = _marks(archive, dataset)
        prediction = archive["prediction"][row]
        found: dict[str, Any] = {
            "row": row,
            "map_kept": bool(archive["map_stored"][row]),
            "row_of_the_data_set": int(archive["index"][row]),
            "explained_class": int(archive["label"][row]),
            "predicted_class": int(prediction.argmax()),
            "explained_score": float(archive["explained_score"][row]),
            "relevance_sum": float(archive["relevance_sum"][row]),
            "relevance_of_steps": archive["relevance_step"][row].tolist(),
        }
        if "relevance_block_positive" in archive:
            blocks = archive["relevance_block_positive"][row]
            found["positive_relevance_of_blocks"] = blocks.tolist()
            if marks is not None:
                mark = marks(archive["index"][row : row + 1])
                value = float(cosine(blocks[None], mark)[0][0])
                found["majority_blocks"] = mark[0].tolist()
                found["cosine"] = None if np.isnan(value) else value
        return found


def pixels(path: str, row: int) -> npt.NDArray[np.float64]:
    """Return the heatmap (height, width) of a sample, its channels summed."""
    with AttributionArchive(path) as archive:
        return np.asarray(archive.map(row).sum(axis=0, dtype=np.float64))


def _marks(
    archive: AttributionArchive, named: str | None
) -> Callable[[npt.NDArray[np.uint32]], npt.NDArray[np.uint8]] | None:
    """Return the marks of rows of the data set, if there is a data set file that has them."""
    path = dataset_of(archive.path, archive.dataset, named)
    if path is None or "relevance_block_positive" not in archive:
        return None
    if not Path(path).is_file():
        raise Error(f"{path}: no such file; expected the data set file of {archive.path}")
    if json.loads(archive.attributes["inputs_json"]).get("dataset") != sha256(path):
        if named is None:
            return None  # a study whose data set has changed since
        raise Error(f"{path}: not the data set file that {archive.path} was made from; their hashes differ")
    with h5py.File(path, "r", locking="best-effort") as file:
        if "majority" not in file:
            return None
        majority = file["majority"][:]
    return lambda index: np.asarray(majority[index])


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
