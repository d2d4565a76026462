"""The book of runs: whole, sorted, and each run once, whoever adds to it."""

from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from rnnxai.config import check_config
from rnnxai.errors import Error
from rnnxai.reproduction.identity import identities, pair_identity
from rnnxai.reproduction.records import LIKENESS, RUNS, add_records, read_records
from rnnxai.study import Study


def row(config: str, fold: str = "0", **values: object) -> dict:
    known = {"dataset": "mnist-maj", "architecture": "deep", "T": 12, "fold": fold, "explainer": "dtd"}
    return dict.fromkeys(RUNS.columns) | known | {"config": config, "accuracy": 0.98} | values


def add_one(path: Path, number: int) -> None:
    add_records(path, RUNS, [row(f"run{number}", str(number))])


def test_a_missing_book_is_empty(tmp_path):
    assert read_records(tmp_path / "scores.csv", RUNS).empty


def test_rows_are_sorted_and_a_run_that_comes_again_replaces_itself(tmp_path):
    path = tmp_path / "scores.csv"
    add_records(path, RUNS, [row("c", "9", explainer="sa"), row("b", "10"), row("a", "9")])
    add_records(path, RUNS, [row("b", "10", accuracy=0.99)])
    book = read_records(path, RUNS)
    assert list(book["config"]) == ["a", "c", "b"]  # by fold, then by explainer
    assert list(book["accuracy"]) == [0.98, 0.98, 0.99]


def test_the_same_rows_in_any_order_are_the_same_bytes(tmp_path):
    rows = [row("b", "1", cosine=0.5), row("a", "0", cosine=0.25)]
    for name, given in {"one": rows, "other": rows[::-1]}.items():
        add_records(tmp_path / name, RUNS, given)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]


def test_a_new_score_is_a_new_column_that_old_rows_leave_empty(tmp_path):
    path = tmp_path / "scores.csv"
    add_records(path, RUNS, [row("a")])
    add_records(path, RUNS, [row("b", "1", rank_accuracy=0.4)])
    book = read_records(path, RUNS).set_index("config")
    assert book["rank_accuracy"].isna().to_dict() == {"a": True, "b": False}
    assert list(book.columns)[-1] == "commit"


def test_jobs_that_end_together_lose_no_row(tmp_path):
    path, spawn = tmp_path / "scores.csv", get_context("spawn")
    add_one(path, 0)
    jobs = [spawn.Process(target=add_one, args=(path, number)) for number in range(1, 4)]
    with ThreadPoolExecutor() as starters:
        list(starters.map(lambda job: job.start(), jobs))
    for job in jobs:
        job.join()
        assert job.exitcode == 0
    assert set(read_records(path, RUNS)["config"]) == {f"run{number}" for number in range(4)}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not readable as a table"),
        ("config,dataset\na,b\n", "columns architecture, T"),
    ],
)
def test_something_else_is_no_book_and_is_not_written_over(tmp_path, text, complaint):
    path = tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(Error, match=complaint):
        add_records(path, RUNS, [row("a")])
    assert path.read_text() == text


def test_a_run_that_stands_there_twice_is_refused(tmp_path):
    path = tmp_path / "scores.csv"
    add_records(path, RUNS, [row("a")])
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    with pytest.raises(Error, match="a stands there twice"):
        read_records(path, RUNS)


def test_a_book_without_scores_takes_no_other_column(tmp_path):
    with pytest.raises(Error, match="'cosine' is no column"):
        add_records(tmp_path / "likeness.csv", LIKENESS, [{"config": "a", "cosine": 1.0}])


# --- identities -------------------------------------------------------------------------------------------

STUDY = {
    "datasets": {"digits-maj": {"source": "digits", "folds": 3}},
    "experiments": {
        "one": {"datasets": ["digits-maj"], "architectures": ["deep"], "steps": [12], "folds": [0, 1]}
    },
    "explainers": [["sa", "dtd"]],
}


def names(**changes: object) -> set[str]:
    return set(identities(Study(check_config(STUDY | changes))).values())


@pytest.mark.parametrize(
    "changes",
    [
        {"train": {"device": "auto"}},
        {"train": {"threads": 2}},
        {"folds_per_job": 2},
        {"explainers": [["dtd"], ["sa"]]},
        {"explainers": [[{"method": "sa", "name": "other"}, "dtd"]]},
        {"archive": {"maps": 3}},
        {"statistics": {"level": 0.9}},
    ],
)
def test_what_decides_no_score_leaves_identities_as_they_are(changes):
    assert names(**changes) == names()


@pytest.mark.parametrize(
    "changes",
    [
        {"train": {"epochs": 99}},
        {"train": {"bias_init": "none"}},
        {"train": {"seed": 1}},
        {"train": {"precision": "bfloat16"}},
        {"datasets": {"digits-maj": {"source": "digits", "folds": 4}}},
        {"datasets": {"digits-maj": {"source": "digits", "folds": 3, "leak_free": True}}},
        {"explainers": [[{"method": "lrp-eps", "options": {"epsilon": 0.1}}, "lrp-0"]]},
        {"overrides": [{"when": {"architecture": "deep"}, "set": {"learning_rate": 0.1}}]},
    ],
)
def test_what_decides_a_score_changes_all_identities(changes):
    assert not names(**changes) & names()


def test_a_study_that_grows_keeps_its_earlier_runs():
    grown = STUDY["experiments"] | {
        "two": {"datasets": ["digits-maj"], "architectures": ["shallow"], "steps": [4], "folds": [2]}
    }
    assert names() < names(experiments=grown, explainers=[["sa", "dtd", "gb"]])


def test_a_pair_has_one_identity_whichever_comes_first():
    assert pair_identity("a", "b") == pair_identity("b", "a") != pair_identity("a", "c")
