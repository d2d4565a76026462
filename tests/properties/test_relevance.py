"""What must hold for every relevance map, whatever the network and the images."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import rnnxai
from rnnxai.explain.engine.inputs import Inputs
from rnnxai.explain.ledger import Ledger
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.engine.recording import Recording
from rnnxai.explain.strategy import make_strategy
from rnnxai.models.layers import Affine

SIZES = {
    "shallow": {"hidden": 9, "recurrent": 6},
    "deep": {"encoder": 8, "hidden": 9, "recurrent": 6, "decoder": 5},
    "r-lstm": {"encoder": 8, "cells": 6},
}
RULES = ["dtd", "lrp-a1.5b0.5", "lrp-a2b1"]
ARCHITECTURES = list(SIZES)


@st.composite
def cases(draw, rules=RULES):
    """Draw a network, images, targets and a method."""
    architecture, seed = draw(st.sampled_from(ARCHITECTURES)), draw(st.integers(0, 2**32 - 1))
    model = rnnxai.build_model(
        architecture,
        image_size=(3, 8),
        steps=draw(st.sampled_from([1, 2, 4])),
        classes=3,
        seed=seed,
        bias_init=draw(st.sampled_from(["thesis", "none"])),
        **SIZES[architecture],
    ).double()
    rng = torch.Generator().manual_seed(seed)
    for layer in model.affine_layers().values():
        layer.initialise([rng], scale=draw(st.sampled_from([1, 3])))
        with torch.no_grad():
            if draw(st.booleans()):
                layer.weight[:, ::2].abs_()
            if draw(st.booleans()):
                layer.weight.mul_(torch.rand(layer.weight.shape, generator=rng) > 0.5)
    images = 4 * torch.rand(4, 1, 3, 8, generator=rng, dtype=torch.float64) - 2
    return model.eval(), images.clamp(-1, 1), torch.tensor([0, 1, 2, 1]), draw(st.sampled_from(rules))


many = settings(max_examples=40, deadline=None, derandomize=True)


def imbalance(relevance, start):
    """Return |sum of R - start| over the sum of |R| for each sample."""
    flat = relevance.detach().double().flatten(1)
    return ((flat.sum(1) - torch.as_tensor(start)).abs() / flat.abs().sum(1).clamp(min=1e-300)).numpy()


@many
@given(cases())
def test_relevance_is_conserved(case):
    model, images, targets, method = case
    relevance, ledger = rnnxai.explain(model, images, targets, method, return_ledger=True)
    kept = ledger.start - ledger.lost
    assert (imbalance(relevance, kept) <= 1e-10).all()
    assert (np.abs(ledger.residual) <= 1e-10 * np.abs(relevance.numpy()).sum((1, 2, 3))).all()
    assert not ledger.lost.any(), "nothing is lost in a network without positive biases"


@many
@given(cases())
def test_every_row_of_the_books_closes(case):
    model, images, targets, method = case
    _, ledger = rnnxai.explain(model, images, targets, method, return_ledger=True)
    for sample in range(len(images)):
        table = ledger.table(sample)
        out = table[["outgoing", "bias", "stabiliser", "dropped", "initial_state"]].sum(axis=1)
        largest = table["incoming"].abs().max()
        assert (out - table["incoming"]).abs().max() <= 1e-10 * largest


@pytest.mark.parametrize("dtype, bound", [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_relevance_is_conserved_in_networks_of_full_size(architecture, dtype, bound):
    model = rnnxai.build_model(architecture, image_size=(28, 84), steps=12).to(dtype)
    values = torch.rand(4, 1, 28, 84, generator=torch.Generator().manual_seed(0))
    images = (4 * values - 3).clamp(-1, 1).to(dtype)
    targets = model.eval()(images).argmax(1)
    for method in RULES:
        relevance, ledger = rnnxai.explain(model, images, targets, method, return_ledger=True)
        assert (ledger.start > 0).all()
        assert (imbalance(relevance, ledger.start) <= bound).all(), method
        assert (np.abs(ledger.residual) <= bound * relevance.abs().sum((1, 2, 3)).numpy()).all()


@many
@given(cases(), st.floats(-3, 3).filter(lambda factor: factor != 0))
def test_relevance_is_linear_in_the_start(case, factor):
    model, images, targets, method = case
    recording = Recording(Plan(model, model.bounds), Inputs(images))
    strategy = make_strategy(method)
    one_hot = torch.nn.functional.one_hot(targets, 3).double()
    other = torch.nn.functional.one_hot(2 - targets, 3).double()
    first, second, both = (
        recording.walk_back(strategy, start)[0] for start in (one_hot, other, one_hot + factor * other)
    )
    size = (first.abs() + second.abs()).max()
    assert (first + factor * second - both).abs().max() <= 1e-12 * size


@many
@given(cases())
def test_negative_scores_are_conserved_too(case):
    """Alpha-beta methods start from none, but the walk back must not mind the sign."""
    model, images, targets, method = case
    recording = Recording(Plan(model, model.bounds), Inputs(images), keeps_books=True)
    scores = recording.scores.detach().gather(1, targets[:, None])[:, 0]
    ledger = Ledger(scores.numpy())
    start = torch.nn.functional.one_hot(targets, 3) * recording.scores.detach()
    (relevance,) = recording.walk_back(make_strategy(method), start, ledger)
    gap = scores.numpy() - ledger.lost - relevance.sum((1, 2, 3)).numpy()
    assert (np.abs(gap) <= 1e-10 * (scores.abs() + relevance.abs().sum((1, 2, 3))).numpy()).all()


@many
@given(cases(rules=[*RULES, "sa", "gb"]))
def test_a_sample_alone_is_the_sample_in_the_batch(case):
    model, images, targets, method = case
    together = rnnxai.explain(model, images, targets, method)
    for n in range(len(images)):
        alone = rnnxai.explain(model, images[n : n + 1], targets[n : n + 1], method)[0]
        assert (alone - together[n]).abs().max() <= 1e-12 * together[n].abs().max()


@many
@given(cases())
def test_deep_taylor_is_never_negative(case):
    model, images, targets, _ = case
    assert (rnnxai.explain(model, images, targets, "dtd") >= 0).all()


@many
@given(cases())
def test_a_score_that_is_not_positive_has_an_empty_map(case):
    model, images, targets, method = case
    explained = model(images).gather(1, targets[:, None])[:, 0]
    relevance = rnnxai.explain(model, images, targets, method)
    assert not relevance[explained <= 0].any()
    assert ((relevance != 0).any((1, 2, 3)) == (explained > 0)).all()


@many
@given(cases())
def test_pixels_only_matter_where_they_can(case):
    """A pixel at the end of its range that all weights on it point away from receives nothing."""
    model, images, targets, method = case
    reader = next(iter(model.affine_layers().values()))
    with torch.no_grad():
        reader.weight[:, :, 0] = reader.weight[:, :, 0].abs()
    images[..., 0, 0 :: 8 // model.steps] = -1
    relevance = rnnxai.explain(model, images, targets, method)
    assert not relevance[..., 0, 0 :: 8 // model.steps].any()


# Whose columns follow the units of a layer, as (layer, part).
READERS = {
    "Shallow": {"hidden": [("recurrent", 0), ("output", 0)], "recurrent": [("hidden", 1)]},
    "Deep": {
        "encoder": [("hidden", 0)],
        "hidden": [("recurrent", 0), ("decoder", 0)],
        "recurrent": [("hidden", 1)],
        "decoder": [("output", 0)],
    },
    "RLSTM": {
        "encoder": [("gates", 0), ("candidate", 0)],
        "candidate": [("gates", 1), ("candidate", 1), ("output", 0)],
    },
}


@many
@given(cases(rules=[*RULES, "sa", "gb"]), st.randoms(use_true_random=False))
def test_the_order_of_hidden_units_does_not_matter(case, random):
    model, images, targets, method = case
    before = rnnxai.explain(model, images, targets, method)
    layers = model.affine_layers()
    for name, readers in READERS[type(model.cell).__name__].items():
        order = list(range(layers[name].weight.shape[1]))
        random.shuffle(order)
        reorder_units(layers[name], order)
        if name == "candidate":  # a cell's three gates move with it
            cells = len(order)
            reorder_units(layers["gates"], [gate * cells + unit for gate in range(3) for unit in order])
        for reader, part in readers:
            reorder_columns(layers[reader], part, order)
    after = rnnxai.explain(model, images, targets, method)
    assert (after - before).abs().max() <= 1e-12 * before.abs().max().clamp(min=1e-300)


@torch.no_grad()
def reorder_units(layer, order):
    layer.weight.copy_(layer.weight[:, order])
    if layer.bias is not None:
        layer.bias.copy_(layer.bias[:, order])


@torch.no_grad()
def reorder_columns(layer, part, order):
    columns = layer.weight[:, :, layer.columns[part]]
    columns.copy_(columns[:, :, order])


@many
@given(cases())
def test_units_that_nothing_inhibits_conserve(case):
    """With positive weights only, the beta part of every unit is empty, and still all arrives."""
    model, images, targets, method = case
    with torch.no_grad():
        for layer in model.affine_layers().values():
            layer.weight.abs_()
    images = images.abs()
    relevance, ledger = rnnxai.explain(model, images, targets, method, return_ledger=True)
    assume((ledger.start > 0).any())
    assert (imbalance(relevance, ledger.start) <= 1e-10).all()
    assert not ledger.lost.any()


@many
@given(cases(rules=["sa"]))
def test_sensitivity_analysis_is_the_squared_gradient(case):
    model, images, targets, method = case
    found = rnnxai.explain(model, images, targets, method)
    images = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(images).gather(1, targets[:, None]).sum(), images)
    assert (found - gradient**2).abs().max() <= 1e-13 * gradient.square().max()


@pytest.mark.parametrize("method", RULES)
def test_one_step_is_a_feed_forward_network(method):
    """At T = 1 Shallow is two layers, and the recurrent weights play no part."""
    model = rnnxai.build_model("shallow", image_size=(3, 4), steps=1, classes=3, **SIZES["shallow"]).double()
    images = 2 * torch.rand(5, 1, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1
    targets = model.eval()(images).argmax(1)
    with torch.no_grad():
        model.cell.recurrent.weight.fill_(torch.nan)
        model.cell.hidden.weight[:, :, model.cell.hidden.columns[1]] = torch.nan
    found = rnnxai.explain(model, images, targets, method)
    plain = torch.nn.Module()
    plain.hidden, plain.output = Affine(1, (12,), 9).double(), Affine(1, (9,), 3).double()
    with torch.no_grad():
        plain.hidden.weight.copy_(model.cell.hidden.weight[:, :, :12])
        plain.hidden.bias.copy_(model.cell.hidden.bias)
        plain.output.load_state_dict(model.cell.output.state_dict())
    plain.forward = lambda x: plain.output(torch.relu(plain.hidden(x.flatten(1).unsqueeze(0)))).squeeze(0)
    right = rnnxai.explain(plain, images, targets, method, bounds=(-1, 1))
    assert right.any()
    torch.testing.assert_close(found, right, rtol=1e-12, atol=1e-15)
