"""Archives of several folds and explainers side by side in one file, which holds no value of its own."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rnnxai.archive.examine import is_outside
from rnnxai.archive.format import ATTRIBUTION, JOIN, MAPS, SCORES, Field
from rnnxai.archive.hdf5 import Part, creating, opening, write_scales, write_virtual
from rnnxai.archive.layout import Layout
from rnnxai.archive.provenance import canonical_json, provenance
from rnnxai.archive.read import AttributionArchive
from rnnxai.archive.verify import verify_all
from rnnxai.errors import Error
from rnnxai.files import sha256

VIRTUAL = ("earliest", "v110")
"""Versions of HDF5's objects: the oldest that know virtual arrays, so that older tools read them, too."""
_OF_A_FOLD = ("prediction", "label", "index", "explained_score")
"""Arrays that are the same for all explainers of a network."""
_SAME = ("dataset", "architecture", "T")


@dataclass(frozen=True, eq=False)
class _Source:
    """One archive, and what is known of it before anything is joined."""

    name: str
    digest: str
    layout: Layout
    attributes: Mapping[str, Any]
    index: npt.NDArray[np.uint32]
    columns: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Score arrays that belong to it: name to file, path in it and type."""

    @property
    def place(self) -> tuple[str, str]:
        return str(self.attributes["explainer"]), str(self.attributes["fold"])


def join(paths: Sequence[str | Path], path: str | Path) -> None:
    """Put archives side by side, over explainers and folds.

    The file holds virtual arrays: they read from the archives, which stay where they are and are recorded
    with their hashes. What there is no archive for reads as NaN, as do the last rows of a fold that has fewer
    samples than others. Archives that are changed, moved or deleted later are found by
    :func:`rnnxai.archive.verify.verify`; HDF5 reads what is missing as NaN, without a word.

    Parameters
    ----------
    paths : sequence of path
        Attribution files of one data set, architecture and T, and any score files made of them, whose scores
        are joined, too. They lie in the folder of `path` or below it, so that all can be moved together.
    path : str or Path
        Where the join goes.

    Raises
    ------
    Error
        If a file is damaged or lies elsewhere, or files do not belong together.
    """
    folder = Path(path).absolute().parent
    for each, damage in verify_all(paths):
        if damage:
            raise Error(f"{each}: {'; '.join(map(str, damage))}; write it anew, then join")
    kinds = {each: _kind(each) for each in map(Path, paths)}
    sources = [_source(each, folder) for each, kind in kinds.items() if kind == ATTRIBUTION]
    if not sources:
        raise Error(
            f"{path}: no attribution file is among the {len(kinds)} files to join; at least one is needed"
        )
    inputs = {source.name: source.digest for source in sources}
    for each, kind in kinds.items():
        if kind == SCORES:
            inputs[_relative(each, folder)] = sha256(each)
            _add_scores(each, folder, sources)
        elif kind != ATTRIBUTION:
            raise Error(f"{each}: a file of kind {kind!r}; attribution and score files can be joined")
    _refuse_strangers(sources)
    _write(Path(path), sources, inputs)


def _kind(path: Path) -> str:
    with h5py.File(path, "r", locking="best-effort") as file:
        return str(file.attrs["rnnxai_kind"])


def _relative(path: Path, folder: Path) -> str:
    name = Path(os.path.relpath(path.absolute(), folder)).as_posix()
    if is_outside(name):
        raise Error(
            f"{path} is not in {folder} or below it; a join reads only what is, so write it to "
            f"{os.path.commonpath([path.absolute().parent, folder])} or higher"
        )
    return name


def _source(path: Path, folder: Path) -> _Source:
    with AttributionArchive(path) as archive:
        name, digest = _relative(path, folder), sha256(path)
        return _Source(name, digest, archive.layout, archive.attributes, archive["index"][:])


def _add_scores(path: Path, folder: Path, sources: Sequence[_Source]) -> None:
    """Give each archive the scores that were made of it, which the hashes tell."""
    name = _relative(path, folder)
    by_digest = {source.digest: source for source in sources}
    with opening(path, SCORES) as (file, attributes):
        recorded = json.loads(attributes["inputs_json"])
        for explainer, group in file.items():
            source = by_digest.get(recorded.get(explainer))
            if source is None:
                raise Error(f"{path}: its scores of {explainer!r} were made of an archive that is not joined")
            for column, array in group.items():
                if column not in ("sample", "index"):
                    source.columns[column] = (name, f"{explainer}/{column}", array.dtype.str)


def _refuse_strangers(sources: Sequence[_Source]) -> None:
    first = sources[0]
    places: dict[tuple[str, str], _Source] = {}
    folds: dict[str, _Source] = {}
    for source in sources:
        for name in _SAME:
            if source.attributes[name] != first.attributes[name]:
                raise Error(
                    f"{source.name} is of {name} {source.attributes[name]} and {first.name} of "
                    f"{first.attributes[name]}; a join is of one"
                )
        if _sizes(source) != _sizes(first):
            raise Error(f"{source.name} has sizes {_sizes(source)} and {first.name} {_sizes(first)}")
        twin = places.setdefault(source.place, source)
        if twin is not source:
            raise Error(f"{source.name} and {twin.name} are both of {' and fold '.join(source.place)}")
        fold = folds.setdefault(source.place[1], source)
        if source.attributes["model_sha256"] != fold.attributes["model_sha256"]:
            raise Error(f"{source.name} and {fold.name} explain different networks of fold {source.place[1]}")
        if not np.array_equal(source.index, fold.index):
            raise Error(f"{source.name} and {fold.name} hold different samples of fold {source.place[1]}")


def _sizes(source: _Source) -> dict[str, int]:
    return {name: size for name, size in source.layout.sizes.items() if name != "sample"}


def _write(path: Path, sources: Sequence[_Source], inputs: Mapping[str, str]) -> None:
    explainers = list(dict.fromkeys(source.place[0] for source in sources))
    folds = sorted(
        {source.place[1] for source in sources}, key=lambda fold: (not fold.isdigit(), fold.zfill(9))
    )
    same = {name: sources[0].attributes[name] for name in _SAME}
    attributes = {
        "NX_class": "NXdata",
        "signal": MAPS.name,
        "axes": ["explainer", "fold", *MAPS.dims],
        "title": "{dataset}, {architecture}, T={T}, ".format(**same)
        + f"{len(explainers)} explainers, {len(folds)} folds",
        **provenance({}, {}, seed=0, threads=1, device="cpu"),
        "inputs_json": canonical_json(inputs),
        **same,
    }
    with creating(path, JOIN, attributes, libver=VIRTUAL) as file:
        _write_names(file, "explainer", explainers, "explanation method")
        _write_names(file, "fold", folds, "fold whose test set was explained")
        write_scales(file, _sizes(sources[0]) | {"sample": max(len(source.index) for source in sources)})
        placed = [(explainers.index(s.place[0]), folds.index(s.place[1]), s) for s in sources]
        for each in _fields(sources):
            _write_virtual(file, each, placed)


def _fields(sources: Sequence[_Source]) -> Iterator[Field]:
    yield MAPS
    yield from {each.name: each for source in sources for each in source.layout.fields}.values()
    for name, (*_, dtype) in sorted({k: v for source in sources for k, v in source.columns.items()}.items()):
        yield Field(name, ("sample",), dtype.lstrip("<|"), "as in the score files")


def _write_names(file: h5py.File, name: str, values: Sequence[str], long_name: str) -> None:
    scale = file.create_dataset(name, data=list(values), dtype=h5py.string_dtype())
    scale.attrs["long_name"] = long_name
    scale.make_scale(name)


def _write_virtual(file: h5py.File, each: Field, placed: Sequence[tuple[int, int, _Source]]) -> None:
    of_a_fold = each.name in _OF_A_FOLD
    dims = (*(() if of_a_fold else ("explainer",)), "fold", *each.dims)
    parts = []
    for explainer, fold, source in placed:
        found = _where(each, source)
        if found is not None:
            shape = source.layout.shape(each)
            place = (fold,) if of_a_fold else (explainer, fold)
            start, box = (*place, *(0 for _ in shape)), (*(1 for _ in place), *shape)
            parts.append(Part(start, box, *found, source_shape=shape))
    missing = _missing(each)
    shape = tuple(len(file[name]) for name in dims)
    array = write_virtual(file, each.name, shape, each.dtype, parts, missing)
    for axis, name in zip(array.dims, dims, strict=True):
        axis.attach_scale(file[name])
    array.attrs["long_name"] = each.long_name
    if each.flags:
        array.attrs["flag_values"] = np.arange(len(each.flags), dtype=each.dtype)
        array.attrs["flag_meanings"] = " ".join(each.flags)
    if np.dtype(each.dtype).kind != "f" and not each.flags:
        array.attrs["_FillValue"] = np.asarray(missing, dtype=each.dtype)


def _where(each: Field, source: _Source) -> tuple[str, str] | None:
    """Return the file and array that a part is read from; none where an archive does not have it."""
    if each.name in source.columns:
        return source.columns[each.name][:2]
    if each == MAPS or each in source.layout.fields:
        return source.name, each.name
    return None


def _missing(each: Field) -> float | int:
    dtype = np.dtype(each.dtype)
    if dtype.kind == "f":
        return float("nan")
    return 0 if each.flags else int(np.iinfo(dtype).max)  # no map is kept where there is no archive
