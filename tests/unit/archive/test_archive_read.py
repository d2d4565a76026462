import shutil

import h5py
import numpy as np
import pytest

from rnnxai.archive.check import check_complete
from rnnxai.archive.read import AttributionArchive
from rnnxai.errors import Error
from rnnxai.seal import attributes_of


def test_what_was_written_is_read(archive):
    check_complete(archive.path)
    with AttributionArchive(archive.path) as read:
        assert (read.dataset, read.architecture, read.steps) == ("digits-maj", "deep", 6)
        assert (read.fold, read.explainer, len(read)) == ("2", "dtd", 20)
        assert read.layout.sizes == archive.layout.sizes
        np.testing.assert_array_equal(read["attribution"][:], archive.relevance)
        np.testing.assert_array_equal(read["prediction"][:], archive.prediction)
        np.testing.assert_array_equal(read["label"][:], archive.label)
        np.testing.assert_array_equal(read["index"][:], archive.index)
        np.testing.assert_array_equal(read["explained_score"][:], archive.explained_score)


@pytest.mark.parametrize("at_once", [1, 8, 16, 64])
def test_chunks_bring_every_map_once(archive, at_once):
    with AttributionArchive(archive.path) as read:
        parts = list(read.chunks(at_once))
    assert [part.start for part, _ in parts] == list(range(0, 20, at_once))
    np.testing.assert_array_equal(np.concatenate([maps for _, maps in parts]), archive.relevance)


def test_unknown_arrays_and_samples_are_named(archive):
    with AttributionArchive(archive.path) as read:
        assert "relevance_block" in read
        assert "cosine" not in read
        with pytest.raises(Error, match="no array 'cosine'; it holds attribution, map_stored"):
            read["cosine"]
        for sample in (-1, 20):
            with pytest.raises(Error, match=rf"no sample {sample}; rows are 0\.\.19"):
                read.map(sample)


def test_a_closed_archive_lets_go_of_its_file(archive):
    with AttributionArchive(archive.path):
        pass
    with h5py.File(archive.path, "r+") as file:
        assert file.attrs["complete"] == 1


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.attrs.pop("rnnxai_format"), "without rnnxai_format"),
        (lambda f: f.attrs.modify("rnnxai_format", "2.0"), r"format 2\.0; this version reads 1\.x"),
        (lambda f: f.attrs.modify("rnnxai_kind", "scores"), "kind 'scores'; expected 'attribution'"),
        (lambda f: f.attrs.pop("complete"), "not marked complete"),
        (lambda f: f.attrs.modify("fold", "3"), "its attributes do not have the digest"),
        (lambda f: f.attrs.modify("config_json", "{}"), "its attributes do not have the digest"),
        (lambda f: f.pop("step"), "dimensions step are missing"),
    ],
)
def test_opening_refuses_what_is_no_finished_archive(archive, change, message):
    edit(archive.path, change)
    with pytest.raises(Error, match=message) as caught:
        AttributionArchive(archive.path)
    assert str(archive.path) in str(caught.value)


def replace(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("relevance_block"), "no array 'relevance_block'"),
        (
            replace("relevance_sum", np.zeros(20, dtype="f4")),
            r"relevance_sum: float32 \(20,\); it must be float64",
        ),
        (replace("prediction", np.zeros((20, 4), dtype="f4")), r"\(20, 4\); it must be float32 \(20, 5\)"),
        (lambda f: f["explained_score"].write_direct(np.full(20, np.nan)), "values: explained_score"),
        (
            lambda f: f["attribution"].__setitem__((17, 0, 1, 1), np.inf),
            "values: attribution",
        ),
        (lambda f: f["map_stored"].__setitem__(slice(None), 0), "values: map_stored"),
        (replace("relevance_block", np.zeros((20, 3))), "content_sha256"),
        (lambda f: f["attribution"].__setitem__((17, 0, 1, 1), 2), "values: attribution"),
    ],
)
def test_the_check_reads_to_the_end(archive, change, message):
    edit(archive.path, change)
    with pytest.raises(Error, match=message) as caught:
        check_complete(archive.path)
    assert str(archive.path) in str(caught.value)


def test_a_missing_file_and_a_foreign_file_are_refused(tmp_path):
    with pytest.raises(Error, match="no such file; expected an rnnxai attribution file"):
        AttributionArchive(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("relevance,1\n")
    with pytest.raises(Error, match="not readable as HDF5"):
        AttributionArchive(tmp_path / "text.h5")


@pytest.mark.parametrize("part", [0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(archive, part):
    content = archive.path.read_bytes()
    archive.path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(Error, match=r"dtd\.attribution\.h5"):
        check_complete(archive.path)


def test_a_flipped_bit_in_any_chunk_is_refused(archive, tmp_path):
    with h5py.File(archive.path) as file:
        chunks = [
            (name, array.id.get_chunk_info(number))
            for name, array in file.items()
            if array.ndim and name not in ("sample", "channel", "y", "x", "step", "block", "class")
            for number in range(array.id.get_num_chunks())
        ]
    assert len(chunks) > 10
    copy = tmp_path / "copy.h5"
    for name, chunk in chunks:
        shutil.copy(archive.path, copy)
        with open(copy, "r+b") as handle:
            handle.seek(chunk.byte_offset + chunk.size // 2)
            value = handle.read(1)[0]
            handle.seek(-1, 1)
            handle.write(bytes([value ^ 4]))
        with pytest.raises(Error, match=r"copy\.h5"):
            check_complete(copy)
            pytest.fail(f"a flipped bit of {name} went unseen")


def test_opening_reads_every_attribute_once(archive, monkeypatch):
    read = []
    original = h5py.AttributeManager.get_id

    def counted(self, name):
        read.append(name)
        return original(self, name)

    def refused(self, name):
        raise AssertionError(f"{name} is read a second time")

    monkeypatch.setattr(h5py.AttributeManager, "get_id", counted)
    monkeypatch.setattr(h5py.AttributeManager, "__getitem__", refused)
    with AttributionArchive(archive.path) as opened:
        assert sorted(read) == sorted(opened.attributes)
        opened.map(3)
    assert len(read) == len(set(read)) > 20


def test_attributes_are_what_h5py_reads(archive):
    values = {
        "text": "h\u00e4",
        "texts": ["a", "b\u00e4"],
        "bytes": np.bytes_(b"abc"),
        "many": np.arange(6, dtype="f4").reshape(2, 3),
        "pairs": np.zeros(2, dtype=("i2", (2,))),
        "nothing": h5py.Empty("f4"),
        "flag": True,
        "lists": np.array([np.arange(2), np.arange(3)], dtype=object),
    }
    with h5py.File(archive.path, "r+") as file:
        for name, value in values.items():
            dtype = h5py.vlen_dtype("i8") if name == "lists" else None
            file["label"].attrs.create(name, value, dtype=dtype)
        for item in (file, file["label"], file["sample"]):
            found = attributes_of(item)
            assert list(found) == list(item.attrs)
            for name, (dtype, value) in found.items():
                assert dtype == item.attrs.get_id(name).dtype
                expected = item.attrs[name]
                assert type(value) is type(expected)
                assert repr(value) == repr(expected)
