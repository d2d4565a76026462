"""Archives side by side."""

import json
import shutil
import time

import h5py
import numpy as np
import pytest

from rnnxai.archive.join import join
from rnnxai.archive.layout import Layout
from rnnxai.archive.provenance import provenance
from rnnxai.archive.verify import verify
from rnnxai.archive.write import AttributionWriter
from rnnxai.errors import Error
from rnnxai.files import sha256
from rnnxai.scoring.store import write_scores
from rnnxai.seal import seal

CELLS = [("dtd", "0"), ("sa", "0"), ("dtd", "1"), ("sa", "quality")]


@pytest.fixture
def study(tmp_path, write, attributes, rows):
    """Four archives in folders below each other, maps multiplied by their number."""

    def make(folder="archives", cells=CELLS, changes=None, **layout):
        paths = []
        for number, (explainer, fold) in enumerate(cells):
            path = tmp_path / folder / f"fold-{fold}" / f"{explainer}.attribution.h5"
            path.parent.mkdir(parents=True, exist_ok=True)
            given = {"relevance": (number + 1) * rows["relevance"]} | (changes or {})
            about = attributes | {"explainer": explainer, "fold": fold}
            write(path, changes=given, attributes=about, conserves=explainer == "dtd", **layout)
            paths.append(path)
        return paths

    return make


def test_parts_are_where_they_belong_and_the_rest_is_nan(tmp_path, study, rows):
    join(study("100%d"), tmp_path / "joined.h5")
    with h5py.File(tmp_path / "joined.h5") as file:
        assert list(file["explainer"].asstr()[:]) == ["dtd", "sa"]
        assert list(file["fold"].asstr()[:]) == ["0", "1", "quality"]
        maps = file["attribution"]
        assert maps.is_virtual and maps.shape == (2, 3, 20, 1, 4, 12)
        for number, (explainer, fold) in enumerate(CELLS):
            place = (["dtd", "sa"].index(explainer), ["0", "1", "quality"].index(fold))
            np.testing.assert_array_equal(maps[place], (number + 1) * rows["relevance"])
            assert file["map_stored"][place].all()
        assert np.isnan(maps[0, 2]).all() and np.isnan(maps[1, 1]).all()
        assert not file["map_stored"][0, 2].any()
        assert np.isnan(file["relevance_step"][0, 2]).all()
        assert (
            np.isnan(file["conservation_error"][1]).all()
            and np.isfinite(file["conservation_error"][0, 0]).all()
        )
        np.testing.assert_array_equal(file["index"][1], rows["index"])
        assert file["index"].attrs["_FillValue"] == 2**32 - 1
        assert [axis[0].name for axis in maps.dims] == [f"/{name}" for name in file.attrs["axes"]]
        assert json.loads(file.attrs["inputs_json"])["100%d/fold-1/dtd.attribution.h5"]
        assert file.attrs["architecture"] == "deep"
    assert (tmp_path / "joined.h5").stat().st_size < 100_000


def test_folds_of_different_lengths_end_in_nan(tmp_path, study, write, attributes, rows):
    paths = study(cells=[("dtd", "0")])
    short = {name: values[:20] for name, values in rows.items()}
    shorter = tmp_path / "archives" / "short.h5"
    layout = Layout(samples=5, channels=1, height=4, width=12, steps=6, blocks=3, classes=5, conserves=True)
    with AttributionWriter(shorter, layout, attributes | {"fold": "1"}) as writer:
        writer.append(**{name: values[:5] for name, values in short.items()})
    join([*paths, shorter], tmp_path / "joined.h5")
    with h5py.File(tmp_path / "joined.h5") as file:
        assert np.isfinite(file["relevance_sum"][0, 1, :5]).all()
        assert np.isnan(file["relevance_sum"][0, 1, 5:]).all()
        assert (file["label"][1, 5:] == 65535).all()


def test_equal_archives_give_equal_joins_and_all_can_be_moved(tmp_path, study):
    paths = study()
    join(paths, tmp_path / "a.h5")
    time.sleep(1.1)  # HDF5 would write whole seconds
    join(paths, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(tmp_path / "archives", elsewhere)
    shutil.move(tmp_path / "a.h5", elsewhere)
    assert verify(elsewhere / "a.h5") == []
    with h5py.File(elsewhere / "a.h5") as file:
        assert np.isfinite(file["attribution"][0, 0]).all()
    assert {found.kind for found in verify(tmp_path / "b.h5")} == {"source"}


@pytest.mark.parametrize("how", ["missing", "changed"])
def test_sources_are_checked_against_their_hashes(tmp_path, study, how):
    paths = study()
    join(paths, tmp_path / "joined.h5")
    if how == "missing":
        paths[2].unlink()
    else:
        shutil.copy(paths[0], paths[2])
    (found,) = verify(tmp_path / "joined.h5")
    assert (found.kind, found.where) == ("source", "archives/fold-1/dtd.attribution.h5")
    assert how in found.message


def test_sources_elsewhere_are_not_opened(tmp_path, study, write):
    paths = study()
    join(paths, tmp_path / "joined.h5")
    with h5py.File(tmp_path / "joined.h5", "r+", libver=("earliest", "v110")) as file:
        for name in ("/etc/other.h5", "../other.h5"):
            layout = h5py.VirtualLayout((3,), "f4")
            layout[:] = h5py.VirtualSource(name, "x", (3,), dtype="f4")
            file.create_virtual_dataset(name.replace("/", "-"), layout)
        seal(file)
    found = verify(tmp_path / "joined.h5")
    assert {each.where: each.message.split(";")[0] for each in found} == {
        "../other.h5": "outside of the join's folder",
        "/etc/other.h5": "outside of the join's folder",
    }


def test_scores_are_joined_with_the_archives_they_were_made_of(tmp_path, study):
    paths = study(cells=[("dtd", "0"), ("sa", "0")])
    cosine = np.linspace(0, 1, 20)
    columns = {
        "index": np.arange(20),
        "correct": np.ones(20),
        "cosine": cosine,
        "cosine_status": np.zeros(20),
    }
    about = provenance({}, {"sa": paths[1]}, seed=0, threads=1, device="cpu")
    write_scores(tmp_path / "sa.scores.h5", {"sa": columns}, about)
    join([*paths, tmp_path / "sa.scores.h5"], tmp_path / "joined.h5")
    with h5py.File(tmp_path / "joined.h5") as file:
        np.testing.assert_array_equal(file["cosine"][1, 0], cosine)
        assert np.isnan(file["cosine"][0, 0]).all()
        assert (file["cosine_status"][0, 0] == 255).all()
        assert json.loads(file.attrs["inputs_json"])["sa.scores.h5"] == sha256(tmp_path / "sa.scores.h5")
    assert verify(tmp_path / "joined.h5") == []
    with pytest.raises(Error, match="its scores of 'sa' were made of an archive that is not joined"):
        join([paths[0], tmp_path / "sa.scores.h5"], tmp_path / "other.h5")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cells": [("dtd", "0"), ("dtd", "0")], "twice": True}, "are both of dtd and fold 0"),
        ({"attributes": {"architecture": "shallow"}}, "is of architecture shallow and .* of deep"),
        ({"attributes": {"T": np.int64(4)}}, "is of T 4 and"),
        ({"attributes": {"model_sha256": "1" * 64}}, "explain different networks of fold 0"),
        ({"changes": {"index": np.arange(20)}}, "hold different samples of fold 0"),
        ({"blocks": None}, "has sizes"),
    ],
)
def test_what_does_not_belong_together_is_refused(tmp_path, study, write, attributes, changes, message):
    (first,) = study(cells=[("dtd", "0")])
    other = {"explainer": "dtd" if "twice" in changes else "sa", "fold": "0"} | changes.get("attributes", {})
    second = tmp_path / "archives" / "second.h5"
    layout = {"blocks": None} if "blocks" in changes else {}
    write(second, attributes=attributes | other, changes=changes.get("changes"), **layout)
    with pytest.raises(Error, match=message):
        join([first, second], tmp_path / "joined.h5")
    assert not (tmp_path / "joined.h5").exists()


def test_damaged_and_foreign_files_are_refused(tmp_path, study):
    paths = study(cells=[("dtd", "0")])
    join(paths, tmp_path / "joined.h5")
    with pytest.raises(Error, match="a file of kind 'join'"):
        join([*paths, tmp_path / "joined.h5"], tmp_path / "again.h5")
    with pytest.raises(Error, match="no attribution file is among the 0"):
        join([], tmp_path / "again.h5")
    with pytest.raises(Error, match=r"is not in .*inner or below it; .* write it to"):
        join(paths, tmp_path / "inner" / "again.h5")
    paths[0].write_bytes(paths[0].read_bytes()[:-1])
    with pytest.raises(Error, match="not-hdf5"):
        join(paths, tmp_path / "again.h5")
