import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest

from rnnxai.data import dataset_file
from rnnxai.data.dataset import Dataset, build_dataset
from rnnxai.data.definition import DatasetDefinition
from rnnxai.data.samples import majority_samples, make_samples
from rnnxai.data.source import load_source
from rnnxai.errors import Error


@pytest.fixture(scope="module")
def dataset(digits_maj: Path) -> Dataset:
    return Dataset.open(digits_maj)


@pytest.mark.parametrize("task", ["majority", "columns"])
def test_what_is_written_is_read_back(tmp_path: Path, task: str) -> None:
    definition = DatasetDefinition("digits", task, folds=3, leak_free=task == "majority")
    build_dataset(definition, tmp_path / "d.h5")
    dataset = Dataset.open(tmp_path / "d.h5")
    source = load_source("digits")
    samples = make_samples(definition, source)
    assert dataset.definition == definition
    assert dataset.classes == source.classes and dataset.source.train_count == source.train_count
    assert dataset.image_size == definition.image_size and len(dataset) == len(samples.labels)
    for found, expected in [
        (dataset.images, source.images),
        (dataset.source.labels, source.labels),
        (dataset.labels, samples.labels),
        (dataset.source_index, samples.source_index),
        (dataset.fold, samples.fold),
        (dataset.partition, samples.partition),
    ]:
        assert np.array_equal(found, expected)
    if task == "columns":
        assert dataset.majority is None
    else:
        assert np.array_equal(dataset.majority, samples.majority)


def test_a_file_is_read_where_its_task_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = ModuleType("guest_task")
    guest.make = majority_samples
    monkeypatch.setitem(sys.modules, "guest_task", guest)
    build_dataset(DatasetDefinition("digits", "guest_task:make", folds=3), tmp_path / "d.h5")
    monkeypatch.delitem(sys.modules, "guest_task")
    dataset = Dataset.open(tmp_path / "d.h5")
    assert dataset.definition.task == "guest_task:make"
    assert np.array_equal(
        dataset.majority, make_samples(DatasetDefinition("digits"), dataset.source).majority
    )


def test_class_names_with_blanks_survive(data_root: Path, tmp_path: Path) -> None:
    build_dataset(DatasetDefinition("fashion-mnist", "columns"), tmp_path / "f.h5", data_root)
    assert Dataset.open(tmp_path / "f.h5").classes[9] == "Ankle boot"
    with h5py.File(tmp_path / "f.h5") as file:
        assert file["label"].attrs["flag_meanings"].split()[9] == "Ankle_boot"


def test_equal_definitions_give_equal_bytes(digits_maj: Path, tmp_path: Path) -> None:
    again = tmp_path / "another-name.h5"
    build_dataset(DatasetDefinition("digits"), again)
    assert again.read_bytes() == digits_maj.read_bytes()


def test_layout(digits_maj: Path) -> None:
    with h5py.File(digits_maj) as file:
        found = {
            name: (str(file[name].dtype), tuple(axis[0].name.strip("/") for axis in file[name].dims))
            for name in file
            if not file[name].is_scale
        }
        assert found == {
            "image": ("uint8", ("source", "y", "x")),
            "source_label": ("uint16", ("source",)),
            "source_index": ("uint32", ("sample", "block")),
            "majority": ("uint8", ("sample", "block")),
            "label": ("uint16", ("sample",)),
            "fold": ("int8", ("sample",)),
            "partition": ("int8", ("sample",)),
        }
        assert all(file[name].fletcher32 and file[name].shuffle for name in file)
        assert file["image"].chunks == (64, 28, 28)
        image = file["image"][:] * file["image"].attrs["scale_factor"] + file["image"].attrs["add_offset"]
        assert (image.dtype, image.min(), image.max()) == (np.float32, -1, 1)
        assert file["partition"].attrs["flag_meanings"] == "train test val"
        assert file["majority"].attrs["flag_meanings"] == "minority majority"
        assert list(file.attrs)[-1] == "complete"
        assert json.loads(file.attrs["definition_json"])["source"] == "digits"
        assert sorted(json.loads(file.attrs["inputs_json"])) == ["digits/images", "digits/labels"]


@pytest.mark.parametrize("fold", [0, 3, 6, "quality"])
def test_rows_of_a_split_are_disjoint_and_complete(dataset: Dataset, fold: int | str) -> None:
    train, test, val = (dataset.rows(fold, subset) for subset in ("train", "test", "val"))
    if fold == "quality":
        assert (len(train), len(test), len(val)) == (1200, 297, 300)
        parts = [train, test, val]
    else:
        assert np.array_equal(test, val)
        assert np.array_equal(test, np.flatnonzero(dataset.fold == fold))
        parts = [train, test]
    joined = np.concatenate(parts)
    assert np.array_equal(np.sort(joined), np.arange(len(dataset)))
    assert all((np.diff(part) > 0).all() for part in parts)


def test_each_sample_is_tested_once(dataset: Dataset) -> None:
    tested = np.concatenate([dataset.rows(fold, "test") for fold in range(7)])
    assert np.array_equal(np.sort(tested), np.arange(len(dataset)))


@pytest.mark.parametrize(
    ("fold", "subset", "message"),
    [
        (7, "test", "there is no fold 7; this data set has 0, 1, 2, 3, 4, 5, 6 and 'quality'"),
        (-1, "test", "there is no fold -1"),
        ("best", "test", "there is no fold 'best'"),
        (True, "test", "there is no fold True"),
        (0, "validation", "subset is 'validation'; it must be one of train, test, val"),
    ],
)
def test_unknown_splits(dataset: Dataset, fold: int | str, subset: str, message: str) -> None:
    with pytest.raises(Error, match=message):
        dataset.rows(fold, subset)


def test_sequences(dataset: Dataset) -> None:
    rows = [5, 1700, 5]
    pictures = dataset.sequences(rows)
    assert pictures.shape == (3, 1, 28, 84) and pictures.dtype == np.uint8
    for picture, row in zip(pictures, rows, strict=True):
        for block in range(3):
            expected = dataset.images[dataset.source_index[row, block]]
            assert np.array_equal(picture[0, :, 28 * block : 28 * (block + 1)], expected)
    assert dataset.sequences([]).shape == (0, 1, 28, 84)


@pytest.mark.parametrize("rows", [[-1], [1797], [[0]], [0.5], [True, False]])
def test_rows_that_are_none(dataset: Dataset, rows: list) -> None:
    with pytest.raises(Error, match="are not a list of row numbers from 0 to 1796"):
        dataset.sequences(rows)


def edit(name: str, value: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            if name.startswith("@"):
                del file.attrs[name[1:]]
                if value is not None:
                    file.attrs[name[1:]] = value
            else:
                file[name][0] = value

    return change


def drop(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            del file[name]

    return change


def swell(name: str) -> Callable[[Path], None]:
    """Make an array large without a byte on the disk."""

    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            del file[name]
            file.create_dataset(name, 2**40, "i1", chunks=2**20)

    return change


def lead_away(how: str) -> Callable[[Path], None]:
    """Have the images read from another file."""

    def change(path: Path) -> None:
        elsewhere = path.with_name("elsewhere.h5")
        with h5py.File(elsewhere, "w") as file, h5py.File(path) as mine:
            mine.copy("image", file)
            shape, dtype = mine["image"].shape, mine["image"].dtype
        with h5py.File(path, "r+") as file:
            del file["image"]
            if how == "external link":
                file["image"] = h5py.ExternalLink(str(elsewhere), "image")
            elif how == "external storage":
                file.create_dataset("image", shape, dtype, external=[(str(elsewhere), 0, np.prod(shape))])
            else:
                layout = h5py.VirtualLayout(shape, dtype)
                layout[:] = h5py.VirtualSource(str(elsewhere), "image", shape=shape)
                file.create_virtual_dataset("image", layout)

    return change


def flip_a_stored_byte(path: Path) -> None:
    with h5py.File(path) as file:
        offset = file["image"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 50] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "there is no data set file .*d.h5"),
        (lambda path: path.write_bytes(b""), r"d.h5 \(0 bytes\) is not an HDF5 file"),
        (lambda path: path.write_text("a,b"), r"d.h5 \(3 bytes\) is not an HDF5 file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-5000]), "d.h5 is a damaged or truncated"),
        (flip_a_stored_byte, "d.h5 is a damaged or truncated"),
        (drop("fold"), "d.h5 is a damaged or truncated data set .*fold"),
        (edit("@rnnxai_kind", None), "d.h5 is an HDF5 file, but not one of rnnxai"),
        (edit("@rnnxai_kind", "attribution"), r"d.h5 is of the kind 'attribution'; a data set \('dataset'\)"),
        (edit("@rnnxai_format", "2.0"), "d.h5 has the format 2.0; this version of rnnxai reads 1.0"),
        (edit("@complete", None), "d.h5 was never finished"),
        (edit("@definition_json", "{}"), "d.h5: a data set definition is {}"),
        (edit("@definition_json", 3), "d.h5 is a damaged"),
        (edit("source_index", 1797), "d.h5: source_index holds 0 to 1797; it should hold 0 to 1796"),
        (edit("majority", 2), "d.h5: majority holds 0 to 2; it should hold 0 to 1"),
        (edit("fold", -1), "d.h5: fold holds -1 to 6; it should hold 0 to 6"),
        (edit("partition", 3), "d.h5: partition holds 0 to 3"),
        (edit("label", 10), "d.h5: label holds 0 to 10; it should hold 0 to 9"),
        (swell("fold"), "d.h5: fold is 1099511627776 bytes large; 4294967296 are the limit"),
        (lead_away("external link"), "d.h5: image is a link to somewhere else"),
        (lead_away("external storage"), "d.h5: image has its values in other files"),
        (lead_away("virtual array"), "d.h5: image is no array of whole numbers in this file"),
    ],
)
def test_damaged_and_foreign_files_are_refused(
    digits_maj: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "d.h5"
    shutil.copy(digits_maj, path)
    damage(path)
    with pytest.raises(Error, match=message):
        Dataset.open(path)


def test_wrong_shapes_are_refused(digits_maj: Path, tmp_path: Path) -> None:
    path = tmp_path / "d.h5"
    shutil.copy(digits_maj, path)
    with h5py.File(path, "r+") as file:
        values = file["majority"][:, :2]
        del file["majority"]
        file["majority"] = values
    with pytest.raises(Error, match=r"majority has the shape \(1797, 2\); it should be \(1797, 3\)"):
        Dataset.open(path)


def test_a_failed_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(dataset_file, "PARTITIONS")  # needed for the last array of the file
    with pytest.raises(NameError):
        build_dataset(DatasetDefinition("digits"), tmp_path / "d.h5")
    assert list(tmp_path.iterdir()) == []
