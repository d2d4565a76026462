"""Archives as figures compare them: by architecture and explainer."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from rnnxai.archive.read import AttributionArchive
from rnnxai.errors import Error
from rnnxai.figures.style import in_order

Cell = tuple[str, str]
"""An architecture and an explainer."""
Found = TypeVar("Found")


def read_cells(
    archives: Mapping[Cell, str | Path], read: Callable[[AttributionArchive], Found]
) -> tuple[str, dict[Cell, Found]]:
    """Read something from each of several archives of one data set, T and fold.

    Parameters
    ----------
    archives : Mapping[(str, str), path]
        Attribution files by architecture and explainer.
    read : function
        What is read of an open archive.

    Returns
    -------
    str
        Data set, T and fold that they share, as a title.
    dict
        What was read of each cell, in the order of figures.

    Raises
    ------
    Error
        If there is no archive, one is of another architecture or explainer, or they do not share data
        set, T and fold.
    """
    if not archives:
        raise Error("there are no archives; the figure needs at least one")
    titles: dict[str, Path] = {}
    found = {}
    for cell in _ordered(archives):
        with AttributionArchive(archives[cell]) as archive:
            of = (archive.architecture, archive.explainer)
            if of != cell:
                raise Error(f"{archive.path} is of {' and '.join(of)}; it was given for {' and '.join(cell)}")
            titles.setdefault(f"{archive.dataset}, T = {archive.steps}, fold {archive.fold}", archive.path)
            found[cell] = read(archive)
    (title, first), *others = titles.items()
    for other, path in others:
        raise Error(f"{path} is of {other}; {first} is of {title}. A figure shows one of them")
    return title, found


def _ordered(archives: Mapping[Cell, str | Path]) -> list[Cell]:
    return [
        (architecture, explainer)
        for architecture in in_order(architecture for architecture, _ in archives)
        for explainer in in_order(explainer for _, explainer in archives)
        if (architecture, explainer) in archives
    ]
