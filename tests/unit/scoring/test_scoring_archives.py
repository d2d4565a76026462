import sys
from types import ModuleType

import h5py
import numpy as np
import pytest

from rnnxai.archive.read import AttributionArchive
from rnnxai.errors import Error
from rnnxai.scoring.archives import DEFAULT, Score, score_archive
from rnnxai.scoring.blocks import NOT_KEPT, OK, ZERO_RELEVANCE, block_cosine
from rnnxai.scoring.scores import SCORES

# By hand, from the blocks of conftest.py and the marks of its index.
COSINE = [0.078087, 0.780869, 0.702782, 1, np.nan, 0.816497, 0.707107, 0.5]
# Of six pixels two are true; what ties for the last place shares it, as the four zeros of row 6 do.
RANK = [0.5, 1, 0.5, 1, np.nan, 2 / 3, 1 / 2 + 1 / 2 * 1 / 5, 0.5]
SHARE = [0.1, 1, 0.9, 1, np.nan, 2 / 3, 1, 0.5]
PREDICTED = [0, 0, 1, 2, 0, 1, 2, 1]  # wrong for the first and the last


def test_every_sample_by_hand(dataset, make_archive):
    samples = score_archive(dataset, make_archive(dataset, predicted=PREDICTED)).samples
    np.testing.assert_allclose(samples["cosine"], COSINE, atol=5e-7)
    np.testing.assert_allclose(samples["majority_share"], SHARE, atol=1e-6)
    assert list(samples["cosine_status"]) == [0, 0, 0, 0, 1, 0, 0, 0]
    assert list(samples["correct"]) == [0, 1, 1, 1, 1, 1, 1, 0]
    assert list(samples["index"]) == [11, 0, 1, 2, 3, 4, 5, 6]


def test_the_row_by_hand(dataset, make_archive):
    row = score_archive(dataset, make_archive(dataset, predicted=PREDICTED)).row
    assert row == {
        "dataset": "digits-maj",
        "architecture": "deep",
        "T": 1,
        "fold": "0",
        "explainer": "lrp",
        "n": 8,
        "n_undefined": 1,
        "n_maps": 8,
        "accuracy": 0.75,
        "cosine": pytest.approx(np.nansum(COSINE) / 7, abs=1e-6),
        "cosine_zero": pytest.approx(np.nansum(COSINE) / 8, abs=1e-6),
        "cosine_correct": pytest.approx(np.nanmean(COSINE[1:7]), abs=1e-6),
        "majority_share": pytest.approx(np.nanmean(SHARE), abs=1e-6),
        "ink_share": 1,  # negative pixels are no relevance, and the others are ink
        "mass_accuracy": pytest.approx(np.nanmean(SHARE), abs=1e-6),
        "rank_accuracy": pytest.approx(np.nanmean(RANK), abs=1e-6),
        "conservation_max_error": None,
    }


def test_archive_scores_equal_scores_of_its_maps(dataset, make_archive):
    path = make_archive(dataset)
    with AttributionArchive(path) as archive, h5py.File(dataset) as data:
        expected = block_cosine(archive["attribution"][:], data["majority"][:][archive["index"][:]])
    # Maps are stored as float32, block sums come from the maps as computed.
    np.testing.assert_allclose(score_archive(dataset, path).samples["cosine"], expected, atol=1e-7)


def test_the_largest_conservation_error_is_passed_on(dataset, make_archive):
    row = score_archive(dataset, make_archive(dataset, start=np.full(8, -2.0))).row
    assert row["conservation_max_error"] == pytest.approx(1 / 3)  # sample 4: |-3 + 2| / 3


def test_data_without_marks_have_an_accuracy_only(dataset, make_archive):
    with h5py.File(dataset, "r+") as file:
        del file["majority"]
    scored = score_archive(dataset, make_archive(dataset, blocks=None, predicted=PREDICTED))
    assert set(scored.samples) == {"index", "correct"}
    assert scored.row["n_maps"] == 8
    assert scored.row["accuracy"] == 0.75
    empty = ("n_undefined", "cosine_zero", "cosine_correct", *(name.replace("-", "_") for name in SCORES))
    assert {scored.row[name] for name in empty} == {None}


def test_a_cell_where_nothing_is_right_has_no_mean_over_right_ones(dataset, make_archive):
    labels = np.array([2, 0, 1, 2, 0, 1, 2, 0])
    row = score_archive(dataset, make_archive(dataset, predicted=(labels + 1) % 3)).row
    assert row["accuracy"] == 0
    assert row["cosine_correct"] is None


def test_another_data_set_file_is_refused(dataset, make_archive):
    path = make_archive(dataset)
    with h5py.File(dataset, "r+") as file:
        file["majority"][0] = [0, 1, 1]
    with pytest.raises(Error, match=r"not the data set file that .* was made from"):
        score_archive(dataset, path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"index": np.array([12, 0, 1, 2, 3, 4, 5, 6]), "label": np.zeros(8, int)},
            "index reaches 12; .* 12 rows",
        ),
        ({"label": np.array([2, 0, 1, 2, 0, 1, 2, 1])}, "sample 7 explains class 1; its label in .* is 0"),
        ({"blocks": None}, "blocks are None; the data set marks 3 blocks"),
        ({"blocks": 1}, "blocks are 1; the data set marks 3 blocks"),
    ],
)
def test_an_archive_that_does_not_fit_its_data_set_is_refused(dataset, make_archive, changes, message):
    with pytest.raises(Error, match=message):
        score_archive(dataset, make_archive(**changes))


def test_a_missing_or_foreign_data_set_file_is_named(tmp_path, make_archive):
    with pytest.raises(Error, match=r"none\.h5: no such file; expected the data set file of"):
        score_archive(tmp_path / "none.h5", make_archive())
    empty = tmp_path / "empty.h5"
    h5py.File(empty, "w").close()
    with pytest.raises(Error, match="no array 'label'; expected a data set file"):
        score_archive(empty, make_archive())


def test_a_damaged_archive_is_not_scored(dataset, make_archive):
    path = make_archive(dataset)
    with h5py.File(path, "r+") as file:
        file["relevance_block_positive"][0] = 1
    with pytest.raises(Error, match="values: relevance_block_positive"):
        score_archive(dataset, path)


@pytest.fixture
def guest(monkeypatch):
    """Return a module outside the package, for scores."""
    module = ModuleType("guest_scores")
    monkeypatch.setitem(sys.modules, "guest_scores", module)
    return module


def test_scores_are_those_asked_for_under_their_names(dataset, make_archive, guest):
    guest.block = lambda r, number=0: (r.block_positive[:, number], np.zeros(len(r.total), dtype=int))
    scores = [
        Score("majority-share", "majority-share"),
        Score("last-block", "guest_scores:block", {"number": 2}),
        Score("first-block", "guest_scores:block"),
    ]
    scored = score_archive(dataset, make_archive(dataset), scores)
    np.testing.assert_allclose(scored.samples["last_block"], [0, 0, 0.9, 1, 0, 1, 1, 1])
    np.testing.assert_allclose(scored.samples["first_block"], [0.9, 0.9, 0, 0, 0, 1, 0, 0])
    assert scored.samples["last_block"].dtype == np.float64
    assert scored.samples["last_block_status"].dtype == np.uint8
    assert scored.row["last_block"] == pytest.approx(scored.samples["last_block"].mean())
    assert {"cosine", "cosine_status"} & scored.samples.keys() == set() == {"cosine"} & scored.row.keys()


NONE = np.zeros(8, int)
VALUES = np.zeros(8)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (VALUES, "returned no pair; values and their status are wanted"),
        (None, "returned no pair"),
        ((VALUES[1:], NONE), r"returned values \(7,\) and status \(8,\); .* each of the 8 samples"),
        ((VALUES, 0), r"status \(\)"),
        ((VALUES, NONE + 5), "positions in .*'zero_relevance'"),
        ((VALUES, VALUES), "status of float64; numbers and positions in"),
        ((VALUES.astype(str), NONE), "values of <U32"),
        ((VALUES + np.nan, NONE), "is nan with status 'ok' for sample 0; it must be NaN where"),
        ((VALUES, NONE + 1), r"is 0\.0 with status 'zero_relevance' for sample 0"),
    ],
)
def test_a_score_that_returns_something_else_is_refused(dataset, make_archive, guest, returned, message):
    guest.score = lambda reductions: returned
    with pytest.raises(Error, match=rf"^score 'guest_scores:score' .*{message}"):
        score_archive(dataset, make_archive(dataset), [Score("own", "guest_scores:score")])


def test_without_a_choice_every_score_of_the_table_is_computed():
    assert [(score.name, score.score) for score in DEFAULT] == [(name, name) for name in SCORES]


def test_every_registered_score_loads():
    assert {name: SCORES.load(name).__name__ for name in SCORES} == {
        "cosine": "cosine",
        "majority-share": "majority_share",
        "ink-share": "ink_share",
        "mass-accuracy": "mass_accuracy",
        "rank-accuracy": "rank_accuracy",
    }


def test_the_look_is_scored_where_maps_are_kept(dataset, make_archive):
    scored = score_archive(dataset, make_archive(dataset, kept=np.array([0, 4, 7])))
    assert scored.row["n_maps"] == 3
    for name, values in (("mass_accuracy", SHARE), ("rank_accuracy", RANK)):
        found = scored.samples[name]
        np.testing.assert_allclose(found[[0, 7]], [values[0], values[7]], atol=1e-6)
        assert np.isnan(found[1:7]).all()
        assert list(scored.samples[f"{name}_status"]) == [
            OK, NOT_KEPT, NOT_KEPT, NOT_KEPT, ZERO_RELEVANCE, NOT_KEPT, NOT_KEPT, OK
        ]  # fmt: skip
    assert not np.isnan(scored.samples["cosine"][1:4]).any()  # sums are kept of all


def test_the_look_needs_the_pictures(dataset, make_archive):
    path = make_archive()
    with h5py.File(dataset, "r+") as file:
        del file["image"]
    blocks = [Score("cosine", "cosine")]
    assert "cosine" in score_archive(dataset, path, blocks).samples
    with pytest.raises(Error, match=r"maj\.input\.h5: no array 'image'; expected a data set file with its"):
        score_archive(dataset, path)
    with h5py.File(dataset, "r+") as file:
        file["image"] = np.zeros((1, 4, 1), dtype=np.uint8)
    with pytest.raises(Error, match=r"maps have \(2, 3\) pixels; the pictures of .* have \(4, 3\)"):
        score_archive(dataset, path)


@pytest.mark.parametrize(("ink", "share"), [(0.05, 1), (0.5, 1), (1, 1)])
def test_what_counts_as_ink_is_an_option(dataset, make_archive, ink, share):
    scores = [Score("share", "ink-share", {"ink": ink})]
    assert score_archive(dataset, make_archive(dataset), scores).row["share"] == share
    with pytest.raises(Error, match=r"ink is 0; the share of full white .* lies in \(0, 1\]"):
        score_archive(dataset, make_archive(dataset), [Score("share", "ink-share", {"ink": 0})])
