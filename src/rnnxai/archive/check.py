"""Read an attribution file to its end before anything rests on it."""

from pathlib import Path

import numpy as np

from rnnxai.archive.format import MAPS
from rnnxai.archive.hdf5 import reading
from rnnxai.archive.read import AttributionArchive
from rnnxai.errors import Error


def check_complete(path: str | Path) -> None:
    """Check that a file is finished, of the right shape, readable in every chunk, and finite.

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
        for field in layout.fields:
            values = archive[field.name][...]
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                row = int(np.argwhere(~np.isfinite(values))[0, 0])
                raise Error(f"{path}: {field.name} of sample {row} is not finite")
        stored = layout.map_stored.astype(bool)
        for rows, maps in archive.chunks():
            finite = np.isfinite(maps).all(axis=(1, 2, 3))
            if (stored[rows] & ~finite).any():
                row = rows.start + int(np.argmax(stored[rows] & ~finite))
                raise Error(f"{path}: the map of sample {row} is not finite")
