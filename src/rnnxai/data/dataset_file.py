"""The data set file: one HDF5 file with the images, stored once, and the samples made of them.

===================  ==============  =======  ==============================================
dataset              dimensions      type     content
===================  ==============  =======  ==============================================
``image``            source, y, x    uint8    grey values; scaled to the model's [-1, 1] by
                                              the attributes that netCDF readers apply
``source_label``     source          uint16   class of an image
``source_index``     sample, block   uint32   which image stands in which block
``majority``         sample, block   uint8    marks; not there for column sequences
``label``            sample          uint16   target of a sample
``fold``             sample          int8     the fold whose test set holds the sample
``partition``        sample          int8     its part in the quality split
===================  ==============  =======  ==============================================

The dimensions are HDF5 dimension scales, so that xarray and netCDF tools see them by name. The file
tells nothing about when and where it was written: equal definitions give equal bytes.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from rnnxai.data.definition import DatasetDefinition
from rnnxai.data.samples import Samples, misfit
from rnnxai.data.source import Source
from rnnxai.data.splits import PARTITIONS
from rnnxai.errors import Error
from rnnxai.files import replacing
from rnnxai.seal import member, seal
from rnnxai.software import software

FORMAT = "1.0"
KIND = "dataset"

MAX_BYTES = 2**32
"""Bound of what is read of one array: a stranger's file may say that it is as large as it likes."""

_FILTERS = {"shuffle": True, "compression": "gzip", "compression_opts": 4, "fletcher32": True}
_IMAGES_PER_CHUNK, _ROWS_PER_CHUNK = 64, 4096
_MARKS = ("minority", "majority")


def write(path: str | Path, definition: DatasetDefinition, source: Source, samples: Samples) -> None:
    """Write a data set file, whole or not at all."""
    with replacing(path) as temporary, h5py.File(temporary, "w", track_order=True) as file:
        for name, value in _root_attributes(definition, source).items():
            file.attrs[name] = value
        lengths = {
            "sample": len(samples.labels),
            "source": len(source.images),
            "block": definition.blocks,
            "y": source.images.shape[1],
            "x": source.images.shape[2],
        }
        for name, length in lengths.items():
            _add(file, name, np.arange(length, dtype=np.int32), ()).make_scale(name)
        image = _add(file, "image", source.images, ("source", "y", "x"), "grey values of the source images")
        image.attrs["scale_factor"] = np.float32(2 / 255)
        image.attrs["add_offset"] = np.float32(-1)
        image.attrs["interpretation"] = "image"
        source_label = _add(file, "source_label", source.labels.astype(np.uint16), ("source",), "image class")
        source_label.attrs["train_count"] = np.uint32(source.train_count)
        _add(
            file,
            "source_index",
            samples.source_index.astype(np.uint32),
            ("sample", "block"),
            "number of the source image in each block",
        )
        if samples.majority is not None:
            majority = _add(
                file, "majority", samples.majority, ("sample", "block"), "block is of the majority class"
            )
            _flag(majority, _MARKS)
        label = _add(file, "label", samples.labels.astype(np.uint16), ("sample",), "target class")
        for dataset in (source_label, label):
            _flag(dataset, source.classes)
        label.attrs["class_names"] = list(source.classes)
        _add(file, "fold", samples.fold, ("sample",), "fold that tests the sample")
        partition = _add(file, "partition", samples.partition, ("sample",), "part of the quality split")
        _flag(partition, PARTITIONS)
        seal(file)


def read(path: str | Path) -> tuple[DatasetDefinition, Source, Samples]:
    """Read a data set file back.

    Raises
    ------
    Error
        If the file is missing, damaged, or something other than a data set of this format; if an array
        lies in another file, or has more than `MAX_BYTES`.
    """
    path = Path(path)
    if not path.is_file():
        raise Error(f"there is no data set file {path}; build it first")
    if not h5py.is_hdf5(path):
        raise Error(f"{path} ({path.stat().st_size} bytes) is not an HDF5 file, so it is no data set")
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            _check_kind(path, file)
            definition = DatasetDefinition.from_json(file.attrs["definition_json"])
            source = Source(
                images=_values(file, "image"),
                labels=_values(file, "source_label").astype(np.uint8),
                train_count=int(file["source_label"].attrs["train_count"]),
                classes=tuple(file["label"].attrs["class_names"]),
            )
            samples = Samples(
                source_index=_values(file, "source_index").astype(np.int64),
                majority=_values(file, "majority") if definition.marked else None,
                labels=_values(file, "label").astype(np.uint8),
                fold=_values(file, "fold"),
                partition=_values(file, "partition"),
            )
    except Error as error:
        raise Error(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise Error(f"{path} is a damaged or truncated data set ({error}); build it anew") from error
    wrong = misfit(samples, definition, source)
    if wrong:
        raise Error(f"{path}: {wrong}")
    return definition, source, samples


def _values(file: h5py.File, name: str) -> NDArray[Any]:
    """Read an array of whole numbers that lies in this file and is not larger than can be expected."""
    if name not in file:
        raise KeyError(name)
    found = member(file, name)
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.dtype.kind not in "iu":
        raise Error(f"{name} is no array of whole numbers in this file; a data set holds all it consists of")
    if found.nbytes > MAX_BYTES:
        raise Error(f"{name} is {found.nbytes} bytes large; {MAX_BYTES} are the limit")
    values: NDArray[Any] = found[()]
    return values


def _root_attributes(definition: DatasetDefinition, source: Source) -> dict[str, Any]:
    text = definition.to_json()
    inputs = {
        f"{definition.source}/images": hashlib.sha256(source.images.tobytes()).hexdigest(),
        f"{definition.source}/labels": hashlib.sha256(source.labels.tobytes()).hexdigest(),
    }
    return {
        "Conventions": "CF-1.11",
        "NX_class": "NXdata",  # with the next two, h5web shows the images by itself
        "signal": "image",
        "axes": ["source", "y", "x"],
        "rnnxai_format": FORMAT,
        "rnnxai_kind": KIND,
        "title": definition.title,
        "definition_json": text,
        "config_json": text,
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "software_json": json.dumps(software("h5py", "numpy", "scikit-learn"), sort_keys=True),
        "inputs_json": json.dumps(inputs, sort_keys=True),
    }


def _add(
    file: h5py.File, name: str, values: NDArray[Any], dimensions: tuple[str, ...], long_name: str = ""
) -> Any:
    """Add an array with checksums, and name its dimensions."""
    rows = _IMAGES_PER_CHUNK if values.ndim == 3 else _ROWS_PER_CHUNK
    chunks = (min(rows, len(values)), *values.shape[1:])
    dataset = file.create_dataset(name, data=values, chunks=chunks, **_FILTERS)
    for axis, dimension in enumerate(dimensions):
        dataset.dims[axis].attach_scale(file[dimension])
    if long_name:
        dataset.attrs["long_name"] = long_name
    return dataset


def _flag(dataset: Any, meanings: tuple[str, ...]) -> None:
    """Say what the values 0, 1, ... mean, in the CF convention: words parted by blanks."""
    dataset.attrs["flag_values"] = np.arange(len(meanings), dtype=dataset.dtype)
    dataset.attrs["flag_meanings"] = " ".join(meaning.replace(" ", "_") for meaning in meanings)


def _check_kind(path: Path, file: h5py.File) -> None:
    kind = file.attrs.get("rnnxai_kind")
    if kind is None:
        raise Error(f"{path} is an HDF5 file, but not one of rnnxai: it has no attribute rnnxai_kind")
    if kind != KIND:
        raise Error(f"{path} is of the kind {kind!r}; a data set ({KIND!r}) is needed")
    found = str(file.attrs.get("rnnxai_format"))
    if found.partition(".")[0] != FORMAT.partition(".")[0]:
        raise Error(f"{path} has the format {found}; this version of rnnxai reads {FORMAT}")
    if file.attrs.get("complete") != 1:
        raise Error(f"{path} was never finished: it has no attribute complete=1; build it anew")
