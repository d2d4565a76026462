"""Refuse an attribution file that is damaged, before anything rests on it."""

from pathlib import Path

from rnnxai.archive.read import AttributionArchive
from rnnxai.archive.verify import refuse_damaged


def check_complete(path: str | Path) -> None:
    """Check that an attribution file is finished, sound in every chunk and unaltered.

    It is read to its end in a process of its own (:func:`rnnxai.archive.verify.verify`), because HDF5 can
    hang on a damaged file.

    Parameters
    ----------
    path : str or Path
        An attribution file.

    Raises
    ------
    Error
        That names the file and all that is wrong with it.
    """
    refuse_damaged(path)
    with AttributionArchive(path):
        pass
