import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold, train_test_split

from rnnxai.data.definition import DatasetDefinition
from rnnxai.data.majority import majority_sequences
from rnnxai.data.samples import Samples, majority_samples, make_samples
from rnnxai.data.source import Source, load_source
from rnnxai.data.splits import quality_split, stratified_folds
from rnnxai.errors import Error

DEFINITIONS = [
    DatasetDefinition("digits"),
    DatasetDefinition("digits", leak_free=True, folds=3),
    DatasetDefinition("digits", leak_free=True, repeats=2, folds=5),
    DatasetDefinition("digits", blocks=4, repeats=2),
    DatasetDefinition("digits", blocks=5, seed=9),
    DatasetDefinition("digits", task="columns"),
]


@pytest.fixture(scope="module")
def digits() -> Source:
    return load_source("digits")


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("mnist", {9407: ([1, 1, 0], [1, 1, 0]), 913: ([9, 9, 5], [1, 1, 0]), 1898: ([1, 0, 0], [0, 1, 1])}),
        (
            "fashion-mnist",
            {3696: ([5, 5, 2], [1, 1, 0]), 2862: ([7, 0, 7], [1, 0, 1]), 7206: ([5, 5, 2], [1, 1, 0])},
        ),
    ],
)
def test_the_samples_of_the_thesis(data_root: Path, name: str, samples: dict) -> None:
    source = load_source(name, data_root)
    labels = source.labels[60_000:]
    sequences = majority_sequences(source.images[60_000:], labels, seed=3)
    for number, (classes, marks) in samples.items():
        assert labels[sequences.source_index[number]].tolist() == classes
        assert sequences.majority[number].tolist() == marks
    anchor_twice = (sequences.source_index == np.arange(10_000)[:, None]).sum(axis=1) == 2
    assert anchor_twice.sum() == 11

    made = make_samples(DatasetDefinition(name), source)
    assert np.bincount(made.partition).tolist() == [48_000, 10_000, 12_000]
    assert np.bincount(made.fold).tolist() == [10_000] * 7
    assert np.array_equal(made.source_index[48_000:58_000], sequences.source_index + 60_000)
    assert np.array_equal(made.majority[48_000:58_000], sequences.majority)


def test_parts_draw_with_the_seeds_of_the_thesis(digits: Source) -> None:
    order, partition = quality_split(digits.train_count, len(digits.images))
    samples = make_samples(DatasetDefinition("digits", seed=10), digits)
    for code, seed in enumerate((10, 13, 11)):
        members = order[partition == code]
        drawn = majority_sequences(digits.images[members], digits.labels[members], seed)
        assert np.array_equal(samples.source_index[samples.partition == code], members[drawn.source_index])


def test_leak_free_folds_draw_with_seeds_of_their_own(digits: Source) -> None:
    order, partition = quality_split(digits.train_count, len(digits.images))
    fold = stratified_folds(digits.labels[order], 3)
    samples = make_samples(DatasetDefinition("digits", leak_free=True, folds=3), digits)
    for part, number, seed in [(0, 0, 0), (0, 2, 8), (1, 0, 3), (1, 1, 7), (2, 2, 9)]:
        inside = (partition == part) & (fold == number)
        members = order[inside]
        drawn = majority_sequences(digits.images[members], digits.labels[members], seed)
        assert np.array_equal(samples.source_index[inside], members[drawn.source_index])


def test_splits_are_those_of_the_thesis() -> None:
    train, val = train_test_split(np.arange(50), test_size=0.2, random_state=71)
    order, partition = quality_split(50, 60)
    assert order.tolist() == [*train, *range(50, 60), *val]
    assert partition.tolist() == [0] * 40 + [1] * 10 + [2] * 10

    labels = np.arange(60) % 4
    fold = stratified_folds(labels, 5)
    splitter = StratifiedKFold(n_splits=5, shuffle=True, random_state=71)
    for number, (_, test) in enumerate(splitter.split(labels, labels)):
        assert np.flatnonzero(fold == number).tolist() == test.tolist()


@pytest.mark.parametrize("definition", DEFINITIONS, ids=str)
def test_samples_are_whole(definition: DatasetDefinition, digits: Source) -> None:
    samples = make_samples(definition, digits)
    count = len(digits.images) * definition.repeats
    assert samples.source_index.shape == (count, definition.blocks)
    assert all(len(x) == count for x in (samples.labels, samples.fold, samples.partition))
    classes = digits.labels[samples.source_index]
    if samples.majority is None:
        assert definition.task == "columns"
        assert np.array_equal(classes[:, 0], samples.labels)
        assert np.array_equal(np.sort(samples.source_index[:, 0]), np.arange(count))
    else:
        assert np.array_equal(classes == samples.labels[:, None], samples.majority == 1)
    sizes = np.bincount(samples.fold, minlength=definition.folds)
    assert sizes.max() - sizes.min() <= 10 * definition.repeats


@pytest.mark.parametrize("definition", DEFINITIONS, ids=str)
def test_parts_of_the_quality_split_share_no_image(definition: DatasetDefinition, digits: Source) -> None:
    samples = make_samples(definition, digits)
    train, test, val = (set(samples.source_index[samples.partition == p].ravel()) for p in range(3))
    assert not train & test and not train & val and not test & val
    assert test == set(range(digits.train_count, len(digits.images)))


def shared_images(samples: Samples, folds: int) -> int:
    """How many images stand in sequences of more than one fold."""
    seen = np.zeros((folds, samples.source_index.max() + 1), bool)
    for fold in range(folds):
        seen[fold, samples.source_index[samples.fold == fold]] = True
    return int((seen.sum(axis=0) > 1).sum())


@pytest.mark.parametrize("definition", DEFINITIONS, ids=str)
def test_leak_free_folds_share_no_image(definition: DatasetDefinition, digits: Source) -> None:
    shared = shared_images(make_samples(definition, digits), definition.folds)
    assert (shared == 0) == (definition.leak_free or definition.task == "columns")


def test_leak_free_folds_test_the_same_anchors(digits: Source) -> None:
    leaky = make_samples(DatasetDefinition("digits"), digits)
    leak_free = make_samples(DatasetDefinition("digits", leak_free=True), digits)
    assert np.array_equal(leaky.fold, leak_free.fold)
    assert np.array_equal(leaky.labels, leak_free.labels)
    anchors, _ = quality_split(digits.train_count, len(digits.images))
    for samples in (leaky, leak_free):
        assert (samples.source_index == anchors[:, None]).any(axis=1).all()


def test_folds_hold_each_class_alike() -> None:
    labels = np.repeat(np.arange(3), 14)
    fold = stratified_folds(labels, 7)
    for label in range(3):
        assert np.bincount(fold[labels == label]).tolist() == [2] * 7


def test_too_many_folds_are_refused() -> None:
    with pytest.raises(Error, match="class 1 has 3 samples, too few for 7 folds; use at most 3"):
        stratified_folds(np.array([0] * 20 + [1] * 3), 7)


def task_that_returns(change, monkeypatch: pytest.MonkeyPatch) -> DatasetDefinition:
    """Return a definition with a task from outside whose samples are those of the majority task, changed."""
    guest = ModuleType("guest_task")
    guest.make = lambda definition, source: change(majority_samples(definition, source))
    monkeypatch.setitem(sys.modules, "guest_task", guest)
    return DatasetDefinition("digits", "guest_task:make", blocks=3, folds=3)


def test_a_task_from_outside_makes_whole_samples(digits: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    definition = task_that_returns(lambda s: Samples(*(x.astype(np.int32) for x in s)), monkeypatch)
    made, own = make_samples(definition, digits), make_samples(DatasetDefinition("digits", folds=3), digits)
    for found, expected in zip(made, own, strict=True):
        assert found.dtype == expected.dtype and np.array_equal(found, expected)
    assert definition.marked and definition.image_size == (28, 84)
    assert definition.title == "Sequences of 3 images of digits, guest_task:make"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: tuple(s), "returned a tuple; it must return Samples"),
        (lambda s: s._replace(majority=None), "majority is object; it should be whole numbers"),
        (lambda s: s._replace(majority=s.majority * 2), "majority holds 0 to 2; it should hold 0 to 1"),
        (lambda s: s._replace(majority=s.majority * 0), "majority marks no block of some samples"),
        (lambda s: s._replace(labels=s.labels + 1), "label holds 1 to 10; it should hold 0 to 9"),
        (lambda s: s._replace(labels=s.labels * 1.0), "label is float64; it should be whole numbers"),
        (lambda s: s._replace(fold=s.fold + 1), "fold holds 1 to 3; it should hold 0 to 2"),
        (lambda s: s._replace(fold=s.fold[1:]), r"fold has the shape \(1796,\); it should be \(1797,\)"),
        (lambda s: s._replace(source_index=s.source_index[:, :2]), r"source_index has the shape \(1797, 2\)"),
        (lambda s: s._replace(source_index=-s.source_index), "source_index holds -1796 to 0"),
    ],
)
def test_a_task_from_outside_that_returns_something_else_is_refused(
    digits: Source, monkeypatch: pytest.MonkeyPatch, change, message: str
) -> None:
    definition = task_that_returns(change, monkeypatch)
    with pytest.raises(Error, match=rf"^task 'guest_task:make'.*{message}"):
        make_samples(definition, digits)
