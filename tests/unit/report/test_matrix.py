"""What became of each cell of a study."""

from pathlib import Path

import pytest

from rnnxai.report.matrix import Key, State, last_words, read_matrix
from rnnxai.report.places import Places
from rnnxai.study import Case

DEEP = Case("digits-maj", "deep", 12, 0)
SHALLOW = Case("digits-maj", "shallow", 12, 1)
COLUMNS = Case("digits", "deep", 4, "quality")
FIRST = "sa+dtd"  # the group of SA and DTD


def matrix_of(study):
    return read_matrix(study, Places(Path(study.config.results)))


def cell(study, case, explainer):
    (network,) = [network for network in matrix_of(study) if network.case == case]
    return network.cells[explainer]


def lose(path, log=None, words=""):
    path.unlink()
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(words)


@pytest.fixture
def places(study):
    return Places(Path(study.config.results))


def test_a_finished_study(finished):
    matrix = matrix_of(finished)
    assert matrix.complete
    assert matrix.counts == {
        State.DONE: 9,  # deep: 2 folds and the columns, 3 explainers
        State.BELOW: 6,
        State.FAILED: 0,
        State.BEGUN: 0,
        State.MISSING: 0,
    }
    assert list(matrix.panels) == [("digits-maj", 12), ("digits", 4)]
    assert list(matrix.panels["digits-maj", 12]["deep"]) == [0, 1]
    assert not matrix.problems


def test_the_gate_is_of_the_data_set(finished):
    found = {network.case: network for network in matrix_of(finished)}
    assert found[SHALLOW].found == (State.BELOW, "test accuracy 0.9100, gate 0.95")
    assert found[COLUMNS].gate is None
    assert found[COLUMNS].found.state is State.DONE
    assert found[DEEP].accuracy == 0.97


@pytest.mark.parametrize(
    ("words", "state", "reason"),
    [
        (None, State.MISSING, "explaining has not begun"),
        ("", State.BEGUN, "explaining has begun and left neither a result nor an error"),
        ("some warning\nno GPU here\n\n", State.FAILED, "explaining: no GPU here"),
    ],
)
def test_an_archive_that_is_not_there(study, places, words, state, reason):
    lose(places.archive(DEEP, "sa"), None if words is None else places.explain_log(DEEP, FIRST), words)
    assert cell(study, DEEP, "sa") == (state, reason)
    assert cell(study, DEEP, "dtd").state is State.DONE
    assert not matrix_of(study).complete


def test_scores_that_are_not_there(study, places):
    lose(places.rows(DEEP, FIRST), places.score_log(DEEP, FIRST), "broken")
    assert cell(study, DEEP, "dtd") == (State.FAILED, "scoring: broken")
    assert cell(study, DEEP, "lrp-a1.5b0.5").state is State.DONE


def test_a_failed_training_takes_all_with_it(study, places):
    (stack,) = [
        s for s in study.stacks if (s.dataset, s.architecture, s.folds) == ("digits-maj", "shallow", (1,))
    ]
    lose(places.network(SHALLOW), places.train_log(stack), '{"epoch": 1}\nloss is nan in epoch 2\n')
    for explainer in ("sa", "dtd", "lrp-a1.5b0.5"):
        places.archive(SHALLOW, explainer).unlink()
    matrix = matrix_of(study)
    (network,) = [network for network in matrix if network.case == SHALLOW]
    assert network.found == (State.FAILED, "training: loss is nan in epoch 2")
    assert network.accuracy is None
    assert matrix.counts[State.MISSING] == 3
    assert [(case, len(explainers)) for case, explainers, _ in matrix.problems] == [(SHALLOW, 3)]
    assert "there is no network: training: loss is nan" in matrix.problems[0][2].reason


def test_without_data_nothing_begins(study, places):
    lose(places.dataset("digits"), places.dataset_log("digits"), "the images cannot be had")
    lose(places.network(COLUMNS))
    places.archive(COLUMNS, "sa").unlink()
    assert "there is no data set: the data set: the images cannot be had" in cell(study, COLUMNS, "sa").reason


@pytest.mark.parametrize("text", ["", "{}\n", '{"test_accuracy": "high"}', "no JSON"])
def test_metrics_that_cannot_be_read(study, places, text):
    places.metrics(DEEP).write_text(text)
    found = cell(study, DEEP, "sa")
    assert found.state is State.FAILED
    assert "its last line must be JSON with test_accuracy" in found.reason


def test_the_words_of_a_log(tmp_path):
    log = tmp_path / "log"
    assert last_words(log) == ""
    for text, words in [
        ("going on after epoch 3 of 9\n", ""),
        ("SIGTERM came: stopped after epoch 3 of 9. x holds it, and the next attempt goes on from there", ""),
        ("starting anew: checkpoint x belongs to another run", ""),
        ('an error\n{"epoch": 1}\n', ""),
        ("x" * 400, f"{'x' * 300} ..."),
        ("first\n  second  \n\n", "second"),
    ]:
        log.write_text(text)
        assert last_words(log) == words


def test_a_broken_archive_has_failed(finished):
    key = Key(DEEP, "dtd")
    matrix = matrix_of(finished).with_broken({key: "a bit is off"})
    assert matrix.unfinished == {key: (State.FAILED, "a bit is off")}
    assert str(key) == "digits-maj/t12/deep/0/dtd"
