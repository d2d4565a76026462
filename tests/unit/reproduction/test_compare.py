"""Published numbers beside ours: the rule of each metric, at its edges."""

from pathlib import Path

import numpy as np
import pytest

from rnnxai.errors import Error
from rnnxai.reproduction.compare import compare
from rnnxai.reproduction.published import COLUMNS, read_published

PUBLISHED = Path(__file__).parents[3] / "docs" / "reproduction" / "published.csv"


def published(tmp_path, **values):
    row = dict.fromkeys(COLUMNS, "") | {"source": "Table 9", "steps": "12", "folds": "folds"} | values
    path = tmp_path / "published.csv"
    path.write_text(",".join(COLUMNS) + "\n" + ",".join(map(str, row.values())) + "\n")
    return read_published(path)


CELL = {"dataset": "mnist-maj", "architecture": "deep"}
DTD = CELL | {"metric": "cosine", "explainer": "dtd"}
STEP = {
    "dataset": "mnist",
    "architecture": "deep",
    "metric": "relevance-per-step",
    "explainer": "dtd",
    "steps": "7",
    "folds": "quality",
    "step": "2",
}


@pytest.mark.parametrize(
    ("row", "ours", "verdict"),
    [
        (CELL | {"metric": "accuracy", "value": 0.985}, 0.98, "reproduced"),
        (CELL | {"metric": "accuracy", "value": 0.9851}, 0.98, "not reproduced"),
        (CELL | {"metric": "accuracy", "value": 0.9}, 0.98, "reproduced"),
        (CELL | {"metric": "accuracy", "value": 0.9821, "tolerance": 0.002}, 0.98, "not reproduced"),
        (DTD | {"value": 0.53}, 0.5, "reproduced"),
        (DTD | {"value": 0.5301}, 0.5, "not reproduced"),
        (DTD | {"value": 0.47}, 0.5, "reproduced"),
        (DTD | {"value": 0.55, "low": 0.52, "high": 0.57}, 0.5, "reproduced"),
        (DTD | {"value": 0.56, "low": 0.53, "high": 0.58}, 0.5, "not reproduced"),
        (DTD | {"value": 0.5, "note": "drawn otherwise"}, 0.5, "not comparable"),
        (DTD | {"note": "held"}, 0.5, "held"),
        (DTD | {"value": 0.5, "architecture": "deep-v2"}, None, "not run"),
        (DTD | {"value": 0.5, "folds": "quality"}, None, "not run"),
        (STEP | {"value": 0.27}, 0.3, "reproduced"),
        (STEP | {"value": 0.26}, 0.3, "not reproduced"),
        (CELL | {"metric": "parameters", "value": 7}, 7, "reproduced"),
        (CELL | {"metric": "parameters", "value": 8}, 7, "not reproduced"),
    ],
)
def test_the_rule_of_a_verdict(tmp_path, ran, row, ours, verdict):
    values = {"accuracy": 0.98, "cosine": 0.6, "cosine_zero": 0.5, "relevance_steps": "0.1 0.3 0.6"}
    (found,) = compare(published(tmp_path, **row), ran(lambda *_: values), {("deep", 12): 7}).to_dict(
        "records"
    )
    assert found["verdict"] == verdict
    assert found["ours"] == pytest.approx(ours) if ours is not None else np.isnan(found["ours"])


def test_a_mean_over_folds_has_an_interval_that_allows_for_what_they_share(tmp_path, ran):
    by_fold = {0: 0.4, 1: 0.5, 2: 0.6}
    evidence = ran(lambda case, _: {"cosine_zero": by_fold.get(case.fold, 0.0)})
    (found,) = compare(published(tmp_path, **DTD, value=0.5), evidence, {}).to_dict("records")
    half = 4.302652729911275 * 0.1 * np.sqrt(1 / 3 + 1 / 6)  # t of 2 degrees of freedom; one fold of seven
    assert found["runs"] == 3
    assert (found["ours_low"], found["ours_high"]) == pytest.approx((0.5 - half, 0.5 + half))


def test_each_network_counts_once_in_an_accuracy(tmp_path, ran):
    accuracy = {0: 0.9, 1: 0.8, 2: 0.7}
    evidence = ran(lambda case, _: {"accuracy": accuracy.get(case.fold, 0.5)})
    row = CELL | {"metric": "accuracy", "value": 0.8}
    (found,) = compare(published(tmp_path, **row), evidence, {}).to_dict("records")
    assert (found["runs"], found["ours"]) == (3, pytest.approx(0.8))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"metric": "precision", "value": 1}, "metric 'precision' is unknown"),
        ({"metric": "cosine"}, "line 2: neither a value nor a note"),
    ],
)
def test_published_values_that_say_nothing_are_refused(tmp_path, values, complaint):
    with pytest.raises(Error, match=complaint):
        published(tmp_path, **values)


def test_a_foreign_table_is_refused(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(Error, match="columns are a, b"):
        read_published(path)


# --- the file of the repository -----------------------------------------------------------------------------


def test_published_cosines_of_fashion_sequences_are_held_and_not_there():
    table = read_published(PUBLISHED)
    held = table[(table["dataset"] == "fashion-mnist-maj") & (table["metric"] == "cosine")]
    assert len(held) == 40
    assert set(held["note"]) == {"held"}
    assert held["value"].isna().all()
    assert (table["note"] == "held").sum() == 40


def test_every_published_value_is_one_of_the_study_of_the_repository():
    from rnnxai.config import read_config
    from rnnxai.study import Study

    table, study = read_published(PUBLISHED), Study(read_config(PUBLISHED.parents[2] / "config.yaml"))
    cases = {(case.dataset, case.architecture, case.steps, case.fold == "quality") for case in study.cases}
    rows = table[(table["metric"] != "parameters") & (table["metric"] != "ink-per-step")]
    asked = zip(rows["dataset"], rows["architecture"], rows["steps"], rows["folds"] == "quality", strict=True)
    assert set(asked) <= cases
    explainers = {member.name for group in study.groups.values() for member in group}
    assert set(table["explainer"]) - {""} <= explainers


def test_published_numbers_are_between_0_and_1_but_for_counts():
    table = read_published(PUBLISHED)
    shares = table[table["metric"] != "parameters"]["value"].dropna()
    assert shares.between(0, 1).all()
    curves = (
        table[table["metric"] == "relevance-per-step"].groupby(["architecture", "explainer"])["value"].sum()
    )
    assert curves.to_numpy() == pytest.approx(1, abs=0.005)
    intervals = table.dropna(subset=["low"])
    assert ((intervals["low"] < intervals["value"]) & (intervals["value"] < intervals["high"])).all()
