"""What must hold for every relevance map, whatever the network and the images."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import rnnxai
from rnnxai.explain.engine.inputs import Inputs
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.engine.recording import Recording
from rnnxai.explain.ledger import COLUMNS, Ledger
from rnnxai.explain.strategy import make_strategy

DEEP = {"encoder": 8, "hidden": 9, "recurrent": 6, "decoder": 5}
R_LSTM = {"encoder": 8, "cells": 6}
MAPS = {"channels1": 2, "channels2": 3}
SIZES = {
    "shallow": {"hidden": 9, "recurrent": 6},
    "deep": DEEP,
    "deep-v2": {"first": 7, **DEEP},
    "deep-sd": DEEP,
    "conv-deep": {**MAPS, **DEEP},
    "conv-plus-deep": {**MAPS, **DEEP},
    "r-lstm": R_LSTM,
    "r-lstm-sd": R_LSTM,
    "conv-r-lstm-sd": {**MAPS, **R_LSTM},
    "conv-plus-r-lstm-sd": {**MAPS, **R_LSTM},
}
ARCHITECTURES = list(SIZES)
ALPHA_BETA = ["dtd", "lrp-a1.5b0.5", "lrp-a2b1"]
TIMES_INPUT = [*ALPHA_BETA, "lrp-zplus", "lrp-0", "lrp-eps", "lrp-gamma", "lrp-eps-plus", "lrp-eps-a2b1"]
RULES = [*TIMES_INPUT, "lrp-w2", "lrp-flat", "lrp-eps-plus-flat", "lrp-eps-gamma-box"]
OPTIONS = {"lrp-eps": {"epsilon": 0.1}, "lrp-gamma": {"gamma": 0.5}}
GRADIENTS = ["sa", "gb", "taylor"]
JOINT = ("shallow", "conv-plus-deep", "conv-plus-r-lstm-sd")  # pixels and state are read by one layer
GATES = ["all", "half", "prop", "abs"]


class Case(NamedTuple):
    """A network, what it is asked, and a method."""

    architecture: str
    model: nn.Module
    images: torch.Tensor
    targets: torch.Tensor
    method: str
    options: dict

    def explain(self, **more):
        return rnnxai.explain(self.model, self.images, self.targets, self.method, **self.options, **more)

    @property
    def scores(self):
        return self.model(self.images).gather(1, self.targets[:, None])[:, 0]

    @property
    def exactness(self):
        """How far rounding may reach: where relevance is divided by z, it may grow without bounds."""
        return 1e-12 if self.method in CALM else 1e-8


CALM = [*ALPHA_BETA, "lrp-zplus", "lrp-w2", "lrp-flat", "lrp-gamma", *GRADIENTS]


@st.composite
def cases(draw, rules=RULES, biases=("thesis", "none", "plain")):
    """Draw a case."""
    architecture, seed = draw(st.sampled_from(ARCHITECTURES)), draw(st.integers(0, 2**32 - 1))
    model = rnnxai.build_model(
        architecture,
        image_size=(3, 8),
        steps=draw(st.sampled_from([1, 2, 4])),
        classes=3,
        seed=seed,
        bias_init=draw(st.sampled_from(biases)),
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
            if layer.bias_form == "plain":
                layer.bias.copy_(torch.rand(layer.bias.shape, generator=rng, dtype=torch.float64) - 0.5)
    images = 4 * torch.rand(4, 1, 3, 8, generator=rng, dtype=torch.float64) - 2
    method = draw(st.sampled_from(rules))
    options = OPTIONS.get(method, {})
    if method not in GRADIENTS and "lstm" in architecture:
        options = {**options, "gates": draw(st.sampled_from(GATES))}
    assume(method != "lrp-eps-gamma-box" or architecture not in JOINT)
    return Case(architecture, model.eval(), images.clamp(-1, 1), torch.tensor([0, 1, 2, 1]), method, options)


many = settings(max_examples=80, deadline=None, derandomize=True)


def imbalance(relevance, start):
    """Return |sum of R - start| over the sum of |R| for each sample."""
    flat = relevance.detach().double().flatten(1)
    return ((flat.sum(1) - torch.as_tensor(start)).abs() / flat.abs().sum(1).clamp(min=1e-300)).numpy()


def sizes(ledger, relevance):
    """Return the sum of all magnitudes in the map and in the books, for each sample."""
    booked = [np.abs(ledger.table(n)[list(COLUMNS)].to_numpy()).sum() for n in range(len(relevance))]
    return relevance.abs().sum((1, 2, 3)).numpy() + booked


@many
@given(cases())
def test_relevance_is_conserved(case):
    relevance, ledger = case.explain(return_ledger=True)
    gap = ledger.start - ledger.lost - relevance.sum((1, 2, 3)).numpy()
    assert (np.abs(gap) <= 1e-11 * sizes(ledger, relevance)).all()
    assert (np.abs(ledger.residual) <= 1e-11 * sizes(ledger, relevance)).all()


@many
@given(cases(ALPHA_BETA, biases=["thesis", "none"]))
def test_nothing_is_lost_without_positive_biases(case):
    assume(case.options.get("gates", "all") == "all")  # the gates' own biases are plain ones
    relevance, ledger = case.explain(return_ledger=True)
    assert not ledger.lost.any()
    assert (imbalance(relevance, ledger.start) <= 1e-10).all()


@many
@given(cases())
def test_what_starts_is_the_score(case):
    _, ledger = case.explain(return_ledger=True)
    scores = case.scores.clamp(min=0) if case.method in ALPHA_BETA else case.scores
    np.testing.assert_allclose(ledger.start, scores.detach(), rtol=1e-12, atol=1e-14)


@many
@given(cases())
def test_every_row_of_the_books_closes(case):
    _, ledger = case.explain(return_ledger=True)
    for sample in range(len(case.images)):
        table = ledger.table(sample)
        out = table[[name for name in COLUMNS if name != "incoming"]].sum(axis=1)
        entries = table[list(COLUMNS)].abs().to_numpy().max()
        assert (out - table["incoming"]).abs().max() <= 1e-10 * entries


@many
@given(cases(["lrp-0", "lrp-eps", "lrp-gamma", "lrp-eps-plus"], biases=["plain"]))
def test_biases_keep_their_part(case):
    _, ledger = case.explain(return_ledger=True)
    assume((ledger.start != 0).any())
    assert ledger.table()["bias"].any()


@many
@given(cases(["lrp-w2", "lrp-flat"]))
def test_rules_that_ask_for_no_values_pay_initial_states(case):
    _, ledger = case.explain(return_ledger=True)
    assume((ledger.start != 0).all())
    states = sum(len(layer.columns) > 1 for layer in case.model.affine_layers().values())
    assume(case.architecture != "shallow" or case.model.cell.hidden.weight[:, :, -6:].any())
    assert states and (ledger.table()["initial_state"].any() or not case.scores.any())


@pytest.mark.parametrize("dtype, bound", [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("architecture", ["shallow", "deep", "r-lstm"])
def test_relevance_is_conserved_in_networks_of_full_size(architecture, dtype, bound):
    model = rnnxai.build_model(architecture, image_size=(28, 84), steps=12).to(dtype)
    values = torch.rand(4, 1, 28, 84, generator=torch.Generator().manual_seed(0))
    images = (4 * values - 3).clamp(-1, 1).to(dtype)
    targets = model.eval()(images).argmax(1)
    for method in ALPHA_BETA:
        relevance, ledger = rnnxai.explain(model, images, targets, method, return_ledger=True)
        assert (ledger.start > 0).all()
        assert (imbalance(relevance, ledger.start) <= bound).all(), method
        assert (np.abs(ledger.residual) <= bound * relevance.abs().sum((1, 2, 3)).numpy()).all()


@many
@given(cases(), st.floats(-3, 3).filter(lambda factor: factor != 0))
def test_relevance_is_linear_in_the_start(case, factor):
    recording = Recording(Plan(case.model, case.model.bounds), Inputs(case.images))
    strategy = make_strategy(case.method, case.options)
    one_hot = torch.nn.functional.one_hot(case.targets, 3).double()
    other = torch.nn.functional.one_hot(2 - case.targets, 3).double()
    first, second, both = (
        recording.walk_back(strategy, start)[0] for start in (one_hot, other, one_hot + factor * other)
    )
    size = (first.abs() + second.abs()).max()
    assert (first + factor * second - both).abs().max() <= case.exactness * size


@many
@given(cases())
def test_negative_scores_are_conserved_too(case):
    """Alpha-beta methods start from none, but the walk back must not mind the sign."""
    recording = Recording(Plan(case.model, case.model.bounds), Inputs(case.images), keeps_books=True)
    scores = recording.scores.detach().gather(1, case.targets[:, None])[:, 0]
    ledger = Ledger(scores.numpy())
    start = torch.nn.functional.one_hot(case.targets, 3) * recording.scores.detach()
    (relevance,) = recording.walk_back(make_strategy(case.method, case.options), start, ledger)
    gap = scores.numpy() - ledger.lost - relevance.sum((1, 2, 3)).numpy()
    assert (np.abs(gap) <= 1e-11 * (scores.abs().numpy() + sizes(ledger, relevance))).all()


@many
@given(cases([*RULES, *GRADIENTS]))
def test_a_sample_alone_is_the_sample_in_the_batch(case):
    together = case.explain()
    for n in range(len(case.images)):
        one = case._replace(images=case.images[n : n + 1], targets=case.targets[n : n + 1])
        assert (one.explain()[0] - together[n]).abs().max() <= case.exactness * together[n].abs().max()


@many
@given(cases(["dtd"]))
def test_deep_taylor_is_never_negative(case):
    assert (case.explain() >= 0).all()


@many
@given(cases(ALPHA_BETA, biases=["thesis", "none"]))
def test_a_score_that_is_not_positive_has_an_empty_map(case):
    assume(case.options.get("gates", "all") == "all")
    relevance = case.explain()
    assert not relevance[case.scores <= 0].any()
    assert ((relevance != 0).any((1, 2, 3)) == (case.scores > 0)).all()


@many
@given(cases(ALPHA_BETA, biases=["thesis", "none"]))  # a bias alone may open a unit, whose pixels share then
def test_pixels_only_matter_where_they_can(case):
    """A pixel at the end of its range that all weights on it point away from receives nothing."""
    assume("conv" not in case.architecture)
    reader = next(iter(case.model.affine_layers().values()))
    with torch.no_grad():
        reader.weight[:, :, 0] = reader.weight[:, :, 0].abs()
    at = slice(0, None, 8 // case.model.steps)
    case.images[..., 0, at] = -1
    assert not case.explain()[..., 0, at].any()


@many
@given(cases(TIMES_INPUT))
def test_an_input_of_zero_receives_nothing(case):
    """Of an input that is never negative, and from rules with a factor x."""
    images = case.images.clamp(min=0)
    assert (images == 0).any()
    relevance = case._replace(images=images).explain(bounds=(0, float("inf")))
    assert not relevance[images == 0].any()


# Whose columns follow the units of a layer, as (layer, part).
READERS_OF_DEEP = {
    "encoder": [("hidden", 0)],
    "hidden": [("recurrent", 0), ("decoder", 0)],
    "recurrent": [("hidden", 1)],
    "decoder": [("output", 0)],
}
READERS_OF_R_LSTM = {
    "encoder": [("gates", 0), ("candidate", 0)],
    "candidate": [("gates", 1), ("candidate", 1), ("output", 0)],
}


def in_core(readers, **more):
    """Return the same inside a cell that has another as its core."""
    inside = {
        f"core.{name}": [(f"core.{reader}", part) for reader, part in each] for name, each in readers.items()
    }
    return {**more, **inside}


def behind_maps(readers, lateral):
    first, second = "convolutions.conv1", "convolutions.conv2"
    own = [[(first, 1)], [(second, 1)]] if lateral else [[], []]
    return {first: [(second, 0), *own[0]], second: [("core.encoder", 0), *own[1]], **in_core(readers)}


READERS = {
    "shallow": {"hidden": [("recurrent", 0), ("output", 0)], "recurrent": [("hidden", 1)]},
    "deep": READERS_OF_DEEP,
    "deep-v2": {"first": [("core.encoder", 0)], **in_core(READERS_OF_DEEP)},
    "deep-sd": READERS_OF_DEEP,
    "conv-deep": behind_maps(READERS_OF_DEEP, lateral=False),
    "conv-plus-deep": behind_maps(READERS_OF_DEEP, lateral=True),
    "r-lstm": READERS_OF_R_LSTM,
    "r-lstm-sd": READERS_OF_R_LSTM,
    "conv-r-lstm-sd": behind_maps(READERS_OF_R_LSTM, lateral=False),
    "conv-plus-r-lstm-sd": behind_maps(READERS_OF_R_LSTM, lateral=True),
}


@many
@given(cases([*RULES, *GRADIENTS]), st.randoms(use_true_random=False))
def test_the_order_of_hidden_units_does_not_matter(case, random):
    before = case.explain()
    layers = case.model.affine_layers()
    for name, readers in READERS[case.architecture].items():
        order = list(range(layers[name].weight.shape[1]))
        random.shuffle(order)
        reorder_units(layers[name], order)
        if name.endswith("candidate"):  # a cell's three gates move with it
            cells = len(order)
            gates = layers[name.replace("candidate", "gates")]
            reorder_units(gates, [gate * cells + unit for gate in range(3) for unit in order])
        for reader, part in readers:
            reorder_columns(layers[reader], part, order)
    gap = (case.explain() - before).abs().max()
    assert gap <= case.exactness * before.abs().max().clamp(min=1e-300)


@torch.no_grad()
def reorder_units(layer, order):
    layer.weight.copy_(layer.weight[:, order])
    if layer.bias is not None:
        layer.bias.copy_(layer.bias[:, order])


@torch.no_grad()
def reorder_columns(layer, part, order):
    columns = layer.weight[:, :, layer.columns[part]]
    places = columns.shape[2] // len(order)  # of a map that was flattened, all of which move
    columns.copy_(columns[:, :, [unit * places + place for unit in order for place in range(places)]])


@many
@given(cases(ALPHA_BETA, biases=["thesis", "none"]))
def test_units_that_nothing_inhibits_conserve(case):
    """With positive weights only, the beta part of every unit is empty, and still all arrives."""
    assume(case.options.get("gates", "all") == "all")
    with torch.no_grad():
        for layer in case.model.affine_layers().values():
            layer.weight.abs_()
    relevance, ledger = case._replace(images=case.images.abs()).explain(return_ledger=True)
    assume((ledger.start > 0).any())
    assert (imbalance(relevance, ledger.start) <= 1e-10).all()
    assert not ledger.lost.any()


@many
@given(cases(["sa"]))
def test_sensitivity_analysis_is_the_squared_gradient(case):
    found = case.explain()
    images = case.images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(case._replace(images=images).scores.sum(), images)
    assert (found - gradient**2).abs().max() <= 1e-13 * gradient.square().max()


class FeedForward(nn.Module):
    """What remains of a network at T = 1, in torch's own layers."""

    def __init__(self, model):
        super().__init__()
        self.cell = type(model.cell).__name__
        for name, layer in model.affine_layers().items():
            offset = layer.offset()
            weight = layer.weight[0, :, layer.columns[0]]
            if weight.dim() == 2:
                plain = nn.Linear(weight.shape[1], weight.shape[0], bias=offset is not None)
            else:
                plain = nn.Conv2d(
                    *weight.shape[1::-1], weight.shape[2:], padding="same", bias=offset is not None
                )
            plain.double()
            with torch.no_grad():
                plain.weight.copy_(weight)
                if offset is not None:
                    plain.bias.copy_(offset[0])
            setattr(self, name.rpartition(".")[2], plain)

    def forward(self, images):
        x = images
        if hasattr(self, "conv1"):
            x = pooled(torch.relu(self.conv2(pooled(torch.relu(self.conv1(x))))))
        x = x.flatten(1)
        if hasattr(self, "first"):
            x = torch.relu(self.first(x))
        if hasattr(self, "encoder"):
            x = torch.relu(self.encoder(x))
        if hasattr(self, "gates"):
            i, _, o = torch.sigmoid(self.gates(x)).chunk(3, 1)
            return self.output(o * (i * torch.relu(self.candidate(x))))
        x = torch.relu(self.hidden(x))
        return self.output(torch.relu(self.decoder(x)) if hasattr(self, "decoder") else x)


def pooled(x):
    return 2 * nn.functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


@many
@given(cases([*TIMES_INPUT, *GRADIENTS]))
def test_one_step_is_a_feed_forward_network(case):
    """At T = 1 the recurrent weights play no part, whatever they are."""
    assume(case.model.steps == 1)
    plain = FeedForward(case.model).eval()
    with torch.no_grad():
        for name, layer in case.model.affine_layers().items():
            for columns in layer.columns[1:]:
                layer.weight[:, :, columns] = torch.nan
            if name.endswith("recurrent"):
                layer.weight.fill_(torch.nan)
    right = case._replace(model=plain).explain(bounds=(-1, 1))
    assert (case.explain() - right).abs().max() <= case.exactness * right.abs().max()


class Halves(nn.Module):
    """A classifier that reads a sequence as two, the second of which goes on from the first's state."""

    bounds = (-1.0, 1.0)

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        model, state = self.model, None
        for half in model.patches(images.unsqueeze(0)).chunk(2, 1):
            for prepared in model.cell.prepare(half):
                state = model.cell.step(prepared, state)
        return model.cell.readout(state).squeeze(0)


@many
@given(cases([*RULES, *GRADIENTS]))
def test_two_halves_with_the_state_carried_over_are_one_sequence(case):
    assume(case.model.steps > 1)
    right = case.explain()
    found = case._replace(model=Halves(case.model).eval()).explain()
    assert (found - right).abs().max() <= case.exactness * right.abs().max()
