import h5py
import numpy as np
import pytest

from rnnxai.archive.provenance import provenance
from rnnxai.errors import Error
from rnnxai.scoring.archives import score_archive
from rnnxai.scoring.store import read_scores, write_scores

FROM = provenance({}, {}, seed=0, threads=1, device="cpu")


@pytest.fixture
def scores(dataset, make_archive):
    return {
        name: score_archive(dataset, make_archive(dataset, explainer=name)).samples for name in ("sa", "dtd")
    }


def test_scores_come_back(tmp_path, scores):
    write_scores(tmp_path / "scores.h5", scores, FROM)
    read = read_scores(tmp_path / "scores.h5")
    assert {name: set(columns) for name, columns in read.items()} == {
        name: set(columns) for name, columns in scores.items()
    }
    for explainer, columns in scores.items():
        for name, values in columns.items():
            np.testing.assert_array_equal(read[explainer][name], values)


def test_the_file_describes_itself(tmp_path, scores):
    write_scores(tmp_path / "scores.h5", scores, FROM)
    with h5py.File(tmp_path / "scores.h5") as file:
        assert (file.attrs["rnnxai_kind"], file.attrs["complete"]) == ("scores", 1)
        status = file["sa/cosine_status"]
        assert status.attrs["flag_meanings"] == "ok zero_relevance not_finite map_not_kept no_ink"
        assert list(status.attrs["flag_values"]) == [0, 1, 2, 3, 4]
        assert status.dims[0][0].name == "/sa/sample"
        assert np.isnan(file["sa/cosine"][4])


def test_equal_scores_give_equal_bytes_in_any_order(tmp_path, scores):
    write_scores(tmp_path / "a.h5", scores, FROM)
    write_scores(tmp_path / "b.h5", dict(reversed(scores.items())), FROM)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_columns_of_different_length_are_refused(tmp_path, scores):
    scores["sa"] = {**scores["sa"], "cosine": np.zeros(3)}
    with pytest.raises(Error, match="columns of sa have shapes"):
        write_scores(tmp_path / "a.h5", scores, FROM)
    assert not (tmp_path / "a.h5").exists()


def test_provenance_is_required_and_archives_are_no_score_files(tmp_path, scores, make_archive):
    with pytest.raises(Error, match="attributes git_commit"):
        write_scores(tmp_path / "a.h5", scores, {})
    with pytest.raises(Error, match="kind 'attribution'; expected 'scores'"):
        read_scores(make_archive())
