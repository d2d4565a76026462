"""The engine against the slow reference: every method, every architecture, map and books."""

import numpy as np
import pytest
import reference
import torch

import rnnxai
from rnnxai.explain.ledger import COLUMNS

KINDS = [
    ("fresh", "thesis"),
    ("fresh", "none"),
    ("wide", "thesis"),
    ("trained", "thesis"),
    ("trained", "none"),
    ("positive", "thesis"),
    ("one-sided", "none"),
]
ARCHITECTURES = list(reference.RELEVANCE)
STEPS = [1, 2, 4, 12]
TOLERANCE = 1e-9


def best_targets(model, images):
    return model(images).argmax(1)


def assert_close(found, right):
    assert np.abs(found - right).max() <= TOLERANCE * max(np.abs(right).max(), 1e-30)


@pytest.mark.parametrize("kind, bias", KINDS)
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_forward_pass(make_net, images, architecture, steps, kind, bias):
    model = make_net(architecture, steps, kind, bias)
    net = reference.layers_of(model)
    scores = model(images).detach().numpy()
    for image, found in zip(images, scores, strict=True):
        assert_close(found, reference.logits(architecture, net, image[0].numpy(), steps))


@pytest.mark.parametrize("kind, bias", KINDS)
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_relevance_and_books(make_net, images, architecture, steps, kind, bias):
    model = make_net(architecture, steps, kind, bias)
    net = reference.layers_of(model)
    targets = best_targets(model, images)
    for method in reference.RULES:
        relevance, ledger = rnnxai.explain(model, images, targets, method, return_ledger=True)
        for n, (image, target) in enumerate(zip(images, targets.tolist(), strict=True)):
            right, books = reference.explain(architecture, net, image[0].numpy(), steps, target, method)
            assert_close(relevance[n, 0].numpy(), right)
            assert_same_books(ledger.table(n), books, ledger.start[n])
            assert right.any(), "the map is empty, so nothing was compared"


def assert_same_books(table, books, start):
    rows = table.set_index(["layer", "step"])
    assert set(rows.index) == set(books)
    largest = max(abs(right["incoming"]) for right in books.values())
    for place, right in books.items():
        for column in COLUMNS:
            found = rows.loc[place, column]
            assert abs(found - right.get(column, 0)) <= TOLERANCE * max(largest, 1e-30), (place, column)
    assert start == pytest.approx(books["output", max(step for _, step in books)]["incoming"], rel=TOLERANCE)


@pytest.mark.parametrize("kind, bias", KINDS)
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients(make_net, images, architecture, steps, kind, bias):
    model = make_net(architecture, steps, kind, bias)
    net = reference.layers_of(model)
    targets = torch.tensor([0, 1, 3])
    for method, options in (("sa", {}), ("gb", {}), ("gb", {"gates": "follow"})):
        found = rnnxai.explain(model, images, targets, method, **options)
        name = "gb-follow" if options else method
        for n, (image, target) in enumerate(zip(images, targets.tolist(), strict=True)):
            right, _ = reference.explain(architecture, net, image[0].numpy(), steps, target, name)
            assert_close(found[n, 0].numpy(), right)


def test_guided_backprop_differs_with_gates_and_from_the_gradient(make_net, images):
    model = make_net("r-lstm", 4, "wide")
    maps = [
        rnnxai.explain(model, images, torch.tensor([0, 1, 3]), method, **options)
        for method, options in (("sa", {}), ("gb", {}), ("gb", {"gates": "follow"}))
    ]
    assert not torch.allclose(maps[0], maps[1])
    assert not torch.allclose(maps[1], maps[2])
    assert not torch.allclose(maps[0], maps[2])


def test_relevance_starts_from_nothing_where_the_score_is_not_positive(make_net, images):
    model = make_net("shallow", 4, "wide")
    targets = model(images).argmin(1)
    assert (model(images).gather(1, targets[:, None]) <= 0).all()
    net = reference.layers_of(model)
    for method in reference.RULES:
        assert not rnnxai.explain(model, images, targets, method).any()
        right, _ = reference.explain("shallow", net, images[0, 0].numpy(), 4, int(targets[0]), method)
        assert not right.any()
