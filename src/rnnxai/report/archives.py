"""What the page takes from the archives of a study: their headers, and samples behind the scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnnxai.archive.read import AttributionArchive
from rnnxai.errors import Error
from rnnxai.report.gallery import Kept, Samples, Shown, as_json, read_samples, within
from rnnxai.report.matrix import Key, Matrix
from rnnxai.report.places import Places


@dataclass(frozen=True)
class Archives:
    """What was read of the archives there are.

    Attributes
    ----------
    headers : dict
        Root attributes of each.
    shown : dict
        Samples of each; the first folds of all networks stand before the second of any.
    broken : dict
        Why an archive cannot be read.
    datasets : dict
        The data sets by name.
    """

    headers: dict[Key, Mapping[str, Any]]
    shown: dict[Key, list[Shown]]
    broken: dict[Key, str]
    datasets: dict[str, Samples]

    def within(self, room: int) -> Kept:
        """Keep as many samples as fit into some bytes; see :func:`rnnxai.report.gallery.within`."""
        return within(self.shown, room, self.datasets)

    def as_json(self, kept: Kept, **more: Any) -> str:
        """Return what the script of the page shows, and more, as JSON that may stand in HTML."""
        cells = {str(key): [sample.entry for sample in samples] for key, samples in kept.cells.items()}
        found = {"cells": cells, "datasets": self._datasets(kept), **more}
        return as_json(found)

    def _datasets(self, kept: Kept) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in sorted(self.datasets):
            dataset = self.datasets[name].dataset
            found[name] = {
                "classes": dataset.classes,
                "marked": dataset.majority is not None,
                "size": dataset.image_size,
                "samples": {},
            }
        for (name, row), entry in sorted(kept.samples.items()):
            found[name]["samples"][str(row)] = entry
        return found


def read_archives(matrix: Matrix, places: Places, samples: int) -> Archives:
    """Read the archives of a study that are there.

    Parameters
    ----------
    matrix : Matrix
    places : Places
    samples : int
        How many of each kind.

    Returns
    -------
    Archives
        A file that cannot be read is named in `broken` and not read any further.
    """
    found = Archives({}, {}, {}, {})
    turns: dict[Any, int] = {}
    keys = []
    for network in matrix:
        of = network.case
        turn = turns[of.dataset, of.architecture, of.steps] = (
            turns.get((of.dataset, of.architecture, of.steps), 0) + 1
        )
        keys += [(turn, Key(of, explainer)) for explainer in network.cells]
    for _, key in sorted(keys, key=lambda each: each[0]):
        path = places.archive(*key)
        if path.exists():
            try:
                _read(key, places, samples, found)
            except Error as error:
                found.broken[key] = str(error)
                found.headers.pop(key, None)
    return found


def _read(key: Key, places: Places, samples: int, found: Archives) -> None:
    path, name = places.archive(*key), key.case.dataset
    with AttributionArchive(path) as archive:
        of = (archive.dataset, archive.architecture, archive.steps, archive.fold, archive.explainer)
        wanted = (*key.case[:3], str(key.case.fold), key.explainer)
        if of != wanted:
            raise Error(f"{path} is of {' '.join(map(str, of))}; {' '.join(map(str, wanted))} was expected")
        found.headers[key] = archive.attributes
    if name not in found.datasets:
        found.datasets[name] = Samples(places.dataset(name))
    found.shown[key] = list(read_samples(path, found.datasets[name], samples))
