import h5py
import numpy as np
import pytest

from rnnxai.data.dataset import Dataset, build_dataset
from rnnxai.data.definition import DatasetDefinition
from rnnxai.errors import Error
from rnnxai.scoring.archives import DEFAULT, Score
from rnnxai.scoring.pixels import ink
from rnnxai.scoring.references import TRIVIAL, read_references, reference_scores, write_references


@pytest.fixture(scope="module")
def digits_maj(tmp_path_factory):
    path = tmp_path_factory.mktemp("references") / "digits-maj.h5"
    build_dataset(DatasetDefinition("digits"), path)
    return path


@pytest.fixture(scope="module")
def levels(digits_maj):
    return reference_scores(digits_maj, DEFAULT).set_index("reference")


def test_every_trivial_map_has_a_level_for_every_score(levels):
    assert list(levels.index) == list(TRIVIAL)
    assert list(levels.columns) == ["n", *(score.name.replace("-", "_") for score in DEFAULT)]
    assert levels.notna().all(axis=None)
    assert (levels["n"] == 1797).all()


def test_levels_that_are_known(levels, digits_maj):
    assert levels.loc["uniform", "cosine"] == pytest.approx(np.sqrt(2 / 3))
    assert levels.loc["one correct block", "cosine"] == pytest.approx(np.sqrt(1 / 2))
    assert levels.loc["last block", "cosine"] == pytest.approx(np.sqrt(2) / 3, abs=0.02)
    assert levels.loc["uniform", "majority_share"] == pytest.approx(2 / 3)
    assert levels.loc["one correct block", "majority_share"] == 1

    dataset = Dataset.open(digits_maj)
    pictures = dataset.sequences(np.arange(len(dataset)))[:, 0]
    true = ink(pictures) & np.repeat(dataset.majority, 28, axis=1)[:, None].astype(bool)
    for score in ("mass_accuracy", "rank_accuracy"):
        assert levels.loc["uniform", score] == pytest.approx(true.mean())
    assert levels.loc["majority ink", "rank_accuracy"] == pytest.approx(1)


def test_the_answer_beats_what_looks_at_nothing(levels):
    blind = levels.drop(index="majority ink")
    for score in ("cosine", "mass_accuracy", "rank_accuracy"):
        assert (blind[score] < levels.loc["majority ink", score]).all()


def test_fewer_samples_and_another_seed(digits_maj, levels):
    few = reference_scores(digits_maj, DEFAULT, samples=300).set_index("reference")
    assert (few["n"] == 300).all()
    np.testing.assert_allclose(few.drop(columns="n"), levels.drop(columns="n"), atol=0.05)
    other = reference_scores(digits_maj, DEFAULT, samples=300, seed=1).set_index("reference")
    assert other.loc["ink", "cosine"] != few.loc["ink", "cosine"]


def test_the_file(tmp_path, digits_maj):
    for name in ("a", "b"):
        write_references(reference_scores(digits_maj, DEFAULT[:1], samples=50), tmp_path / f"{name}.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert list(read_references(tmp_path / "a.csv").columns) == ["reference", "n", "cosine"]
    (tmp_path / "c.csv").write_text("a,b\n1,2\n")
    with pytest.raises(Error, match="columns are a, b; expected a table of reference levels"):
        read_references(tmp_path / "c.csv")
    with pytest.raises(Error, match="not readable"):
        read_references(tmp_path / "none.csv")


def test_scores_from_outside_have_levels_too(digits_maj, tmp_path, monkeypatch):
    (tmp_path / "own_levels.py").write_text(
        "import numpy as np\n"
        "def left(reductions):\n"
        "    return reductions.block[:, 0] / reductions.total, np.zeros(len(reductions.total), np.uint8)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = reference_scores(digits_maj, [Score("left", "own_levels:left")], samples=20)
    assert found.set_index("reference")["left"]["uniform"] == pytest.approx(1 / 3)


def test_without_marks_there_are_none(tmp_path):
    path = tmp_path / "digits.h5"
    build_dataset(DatasetDefinition("digits", task="columns"), path)
    with pytest.raises(Error, match="has no marks, so nothing can be scored on it"):
        reference_scores(path, DEFAULT)
    with h5py.File(path) as file:
        assert "image" in file
