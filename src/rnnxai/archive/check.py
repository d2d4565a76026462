"""Read an attribution file to its end before anything rests on it."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnxai.archive.format import CONTENT, MAPS
from rnnxai.archive.hdf5 import reading
from rnnxai.archive.read import AttributionArchive
from rnnxai.errors import Error


def check_complete(path: str | Path) -> None:
    """Check that a file is finished, of the right shape, readable in every chunk, finite and unaltered.

    Parameters
    ----------
    path : str or Path
        An attribution file.

    Raises
    ------
    Error
        That names the file, the array and what is wrong with it.
    """
    with AttributionArchive(path) as archive, reading(path):
        layout = archive.layout
        for field in (MAPS, *layout.fields):
            array = archive[field.name]
            if array.shape != layout.shape(field) or array.dtype != field.dtype:
                raise Error(
                    f"{path}: {field.name} is {array.dtype} {array.shape}; "
                    f"it must be {np.dtype(field.dtype)} {layout.shape(field)}"
                )
        digest = hashlib.sha256()
        stored = layout.map_stored.astype(bool)
        for rows, maps in archive.chunks():
            samples = np.arange(rows.start, rows.stop)[stored[rows]]
            kept = maps[stored[rows]]
            _refuse_infinite(path, MAPS.name, kept, samples)
            digest.update(kept)
        for field in layout.fields:
            values = archive[field.name][...]
            _refuse_infinite(path, field.name, values, np.arange(len(values)))
            digest.update(values)
        if archive.attributes.get(CONTENT) != digest.hexdigest():
            raise Error(f"{path}: its arrays do not have the {CONTENT} written with them; write it anew")


def _refuse_infinite(
    path: str | Path, name: str, values: npt.NDArray[Any], samples: npt.NDArray[np.int64]
) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise Error(f"{path}: {name} of sample {samples[bad[0, 0]]} is not finite")
