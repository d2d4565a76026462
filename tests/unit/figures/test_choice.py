import numpy as np
import pytest

from rnnxai.data.dataset import Dataset
from rnnxai.data.definition import DatasetDefinition
from rnnxai.data.source import Source
from rnnxai.data.thesis import THESIS
from rnnxai.errors import Error
from rnnxai.figures.choice import EXTREMES, by_rule, of_thesis

LABELS = np.tile(np.arange(5), 20)
ROWS, RIGHT, UNSCORED = np.arange(100), np.zeros(100, int), np.full(100, np.nan)


def rows_of(chosen):
    return [each.row for each in chosen]


def test_the_first_right_of_each_class():
    wrong = RIGHT.copy()
    wrong[[0, 6]] = 1  # the first of class 0 and the second of class 1
    chosen = by_rule(ROWS, LABELS, wrong, UNSCORED, 5)
    assert rows_of(chosen) == [5, 1, 2, 3, 4]
    assert {each.why for each in chosen} == {"right"}
    assert rows_of(by_rule(ROWS, LABELS, wrong, UNSCORED, 7)) == [5, 10, 1, 11, 2, 3, 4]
    assert rows_of(by_rule(ROWS, LABELS, wrong, UNSCORED, 2)) == [5, 1]


def test_the_best_median_and_worst():
    scores = np.linspace(1, 0, 100)
    scores[30] = 2
    scores[99] = np.nan
    chosen = by_rule(ROWS, LABELS, RIGHT, scores, 6)
    assert [each.why for each in chosen] == ["right"] * 3 + list(EXTREMES)
    assert rows_of(chosen)[3:] == [30, 49, 98]
    assert rows_of(chosen)[:3] == [0, 1, 2]


def test_no_sample_is_chosen_twice():
    for samples in range(1, 8):
        chosen = by_rule(np.array([4, 9]), np.array([0, 0]), np.zeros(2, int), np.array([0.5, 0.5]), samples)
        assert len(set(rows_of(chosen))) == len(chosen) == min(samples, 2)
    one = by_rule(np.array([4]), np.array([0]), np.zeros(1, int), np.array([0.5]), 6)
    assert [tuple(each) for each in one] == [(4, "best")]


def test_a_class_that_nobody_gets_right():
    wrong = np.full(100, 2)
    wrong[7] = 1
    chosen = {LABELS[each.row]: each for each in by_rule(ROWS, LABELS, wrong, UNSCORED, 5)}
    assert chosen[2].row == 7
    assert {each.why for each in chosen.values()} == {"not all right"}


@pytest.mark.parametrize("task", ["majority", "columns"])
def test_the_samples_of_the_thesis(task):
    """The digits stand for MNIST: what counts is where the rows are."""
    from rnnxai.data.digits import digits as load
    from rnnxai.data.samples import make_samples

    source = load()
    repeated = Source(
        np.tile(source.images, (39, 1, 1))[:70000], np.tile(source.labels, 39)[:70000], 60000, source.classes
    )
    definition = DatasetDefinition("mnist", task=task)
    dataset = Dataset(definition, repeated, make_samples(definition, repeated))
    test = dataset.rows("quality", "test")
    chosen = of_thesis(test, dataset)
    assert rows_of(chosen) == test[list(THESIS["mnist", task])].tolist()
    first = chosen[0]
    assert of_thesis(test[test != first.row], dataset) == chosen[1:]
    assert first.why == f"thesis {THESIS['mnist', task][0]}"
    with pytest.raises(Error, match=r"no full map in these archives; set archive\.maps: all, or figures"):
        of_thesis(test[:5], dataset)


def test_a_data_set_that_the_thesis_does_not_show(digits_maj):
    with pytest.raises(Error, match="the thesis shows no samples of: Sequences of 3 images of digits"):
        of_thesis(ROWS, Dataset.open(digits_maj))
