"""The maps that an archive keeps, beside the pictures of its data set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rnnxai.archive.hdf5 import reading
from rnnxai.archive.read import AttributionArchive
from rnnxai.errors import Error
from rnnxai.scoring.reductions import MapBatch


class KeptMaps:
    """The maps of an open archive, read in order, some at a time.

    Parameters
    ----------
    archive : AttributionArchive
        It must stay open as long as maps are read.
    dataset_path : path
        The data set file that the archive was made from.
    """

    def __init__(self, archive: AttributionArchive, dataset_path: str | Path) -> None:
        self._archive, self._path = archive, Path(dataset_path)

    def __iter__(self) -> Iterator[MapBatch]:
        """Yield every kept map once.

        Raises
        ------
        Error
            If the data set file holds no pictures, or pictures of another size.
        """
        archive, pictures = self._archive, Pictures(self._path)
        stored, index = archive["map_stored"][:].astype(bool), archive["index"][:]
        for part, maps in archive.chunks():
            kept = stored[part]
            if kept.any():
                rows = np.arange(part.start, part.stop)[kept]
                seen = pictures.of(index[rows])
                if seen.shape[1:] != maps.shape[2:]:
                    raise Error(
                        f"{archive.path}: maps have {maps.shape[2:]} pixels; "
                        f"the pictures of {self._path} have {seen.shape[1:]}"
                    )
                yield MapBatch(rows, maps[kept], seen)


class Pictures:
    """The pictures of a data set file, put together when asked for.

    Parameters
    ----------
    path : path

    Raises
    ------
    Error
        If the file holds no pictures.
    """

    def __init__(self, path: str | Path) -> None:
        with reading(Path(path)), h5py.File(path, "r", locking="best-effort") as file:
            missing = [name for name in ("image", "source_index") if name not in file]
            if missing:
                raise Error(f"{path}: no array {missing[0]!r}; expected a data set file with its pictures")
            self._images, self._parts = file["image"][:], file["source_index"][:]

    def of(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return the pictures (n, height, width) of some rows of the data set, blocks side by side."""
        blocks = self._images[self._parts[rows]]  # (n, blocks, height, width of one)
        count, number, height, width = blocks.shape
        return np.asarray(blocks.transpose(0, 2, 1, 3).reshape(count, height, number * width))
