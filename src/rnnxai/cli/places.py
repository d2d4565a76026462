"""Where the files are that a command is asked about."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rnnxai.errors import Error

ARCHIVE = "attribution.h5"


def files_in(paths: Sequence[str], ending: str = ".h5") -> list[Path]:
    """Return files, and of each folder all below it with an ending, in order.

    Raises
    ------
    Error
        If there is nothing at a path, or no such file in a folder.
    """
    return list(dict.fromkeys(file for path in paths for file in _files(Path(path), ending)))


def _files(path: Path, ending: str) -> Iterator[Path]:
    if not path.is_dir():
        if not path.exists():
            raise Error(f"{path}: no such file or folder")
        yield path
        return
    found = sorted(file for file in path.rglob(f"*{ending}") if file.is_file() and file.name[0] != ".")
    if not found:
        raise Error(f"{path}: no file *{ending} in this folder")
    yield from found


def dataset_of(archive: str | Path, dataset: str, named: str | None = None) -> Path | None:
    """Return the data set file of an archive: the one that was named, or the one in its study.

    Parameters
    ----------
    archive : path
    dataset : str
        Name of the data set.
    named : str, optional
        What the user says.

    Returns
    -------
    Path or None
        None if none was named and no folder above has ``datasets/{dataset}.h5``.
    """
    if named is not None:
        return Path(named)
    if Path(dataset).name != dataset:  # a name from a file, which might lead anywhere
        return None
    above = Path(archive).absolute().parents
    places = (folder / "datasets" / f"{dataset}.h5" for folder in above)
    return next((place for place in places if place.is_file()), None)
