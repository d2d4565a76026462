"""What a unit is divided by, and who gets its relevance where that is nothing."""

import pytest
import torch
from small import INF, between, dense
from torch import nn
from torch.nn import functional as F

import rnnxai
from rnnxai.explain import at_layers
from rnnxai.explain.channels import AS_IS, Channel, Domain, Input, Power, Signs, Term
from rnnxai.explain.engine.layer import Layer, Reading
from rnnxai.explain.engine.maps import Elementwise
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.strategy import Strategy

PLAIN = (Term(Input.VALUE, AS_IS),)


def test_a_denominator_that_cancels():
    """z = 1 x 3 - 3 x 1 = 0; the unit holds 1 all the same, from the flat rule above it."""
    net, x = dense([[3.0, -1.0]], None, [[2.0]], 1.0), torch.tensor([[1.0, 3.0]]).double()

    def found(rule):
        rules = {"0": rule, "*": "lrp-flat"}
        relevance, ledger = rnnxai.explain(net, x, 0, "lrp", rules=rules, return_ledger=True)
        return relevance[0].tolist(), ledger.table().set_index("layer").loc["0"]

    relevance, row = found("lrp-0")
    assert relevance == [0.25, 0.75]  # in proportion to |x|
    relevance, row = found({"rule": "lrp-eps", "epsilon": 0.5})
    assert relevance == [6, -6]
    assert row.stabiliser == 1
    relevance, _ = found({"rule": "lrp-gamma", "gamma": 1.0})
    assert relevance == [2, -1]  # as with z > 0: 1 x 3 counts twice


def test_the_stabiliser_has_the_sign_of_the_denominator():
    """z = 1/2 - 1 = -1/2, stabilised -1; the unit holds 1 all the same, from the flat rule above it."""
    net, x = dense([[0.5, -1.0]], None, [[2.0]], 2.0), torch.ones(1, 2).double()
    rules = {"0": {"rule": "lrp-eps", "epsilon": 0.5}, "*": "lrp-flat"}
    found, ledger = rnnxai.explain(net, x, 0, "lrp", rules=rules, return_ledger=True)
    assert found[0].tolist() == [-0.5, 1.0]
    assert ledger.table().set_index("layer").loc["0"].stabiliser == 0.5


BOUNDS = {
    # range of the input, rule, and what three inputs get of a unit whose weights are all 0
    "pixels": ((-2.0, 3.0), "z-b", [1 / 3, 1 / 3, 1 / 3]),
    "pixels by value": ((-2.0, 3.0), "lrp-zplus", [1 / 3, 1 / 3, 1 / 3]),
    "any": ((-INF, INF), "lrp-zplus", [1 / 3, 1 / 3, 1 / 3]),
    "any by value": ((-INF, INF), "lrp-0", [1 / 3, 1 / 3, 1 / 3]),
    "not negative": ((0.0, INF), "lrp-zplus", [0.25, 0.75, 0.0]),
    "not negative, by value": ((0.0, INF), "lrp-gamma", [0.25, 0.75, 0.0]),
    "unknown": (None, "lrp-0", [0.25, 0.75, 0.0]),
    "unknown, by squares": (None, "lrp-w2", [0.25, 0.75, 0.0]),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_a_unit_without_weights(name):
    bounds, rule, right = BOUNDS[name]
    net = nn.Sequential(nn.Linear(3, 1, bias=False), nn.Linear(1, 1)).double()
    with torch.no_grad():
        net[0].weight.zero_()
        net[1].bias.fill_(1.0)
    sign = 1 if bounds and bounds[0] == 0 else -1
    x = torch.tensor([[0.5, sign * 1.5, 0.0]]).double()
    rules = {"0": rule, "*": "lrp-flat"}
    found, ledger = rnnxai.explain(net, x, 0, "lrp", rules=rules, bounds=bounds, return_ledger=True)
    torch.testing.assert_close(found[0], torch.tensor(right).double())
    assert abs(ledger.residual).max() < 1e-12
    if bounds is None or bounds == (0.0, INF):
        _, ledger = rnnxai.explain(net, 0 * x, 0, "lrp", rules=rules, bounds=bounds, return_ledger=True)
        assert ledger.table().set_index("layer").loc["0"].dropped == 1


@pytest.mark.parametrize("bounds", [(-2.0, 3.0), (0.5, 3.0), (-INF, INF)])
def test_a_unit_without_weights_reads_pixels_beside_activations(bounds):
    """A pixel counts high - low, or 1 if it may be anything, an activation its value."""
    net, x = between(lambda e, s, x: torch.cat([x[:, :2], e[:, 2:]], 1))
    x = x + 0.5
    with torch.no_grad():
        net.out.weight.zero_()
        net.out.bias.fill_(1.0)
    e = torch.relu(net.a(x)).detach()[:, 2:]
    width = 1.0 if bounds[0] == -INF else bounds[1] - bounds[0]
    found = at_layers(net, x, 0, "lrp-zplus", layers=["a"], bounds=bounds)["a"]
    assert e.any()
    right = e / (2 * width + e.sum(1, keepdim=True))
    torch.testing.assert_close(found, F.pad(right, (2, 0)))


def test_a_unit_without_weights_reads_signals_of_either_sign():
    net, x = between(lambda e, s, x: s)
    with torch.no_grad():
        net.out.weight.zero_()
        net.out.bias.fill_(1.0)
    s = net.a(x).detach()
    assert (s < 0).any()
    found = at_layers(net, x, 0, "lrp-w2", layers=["a"], bounds=(0, 1))["a"]
    torch.testing.assert_close(found, s.abs() / s.abs().sum(1, keepdim=True))


DIVIDES = {
    "LRP-0": (Channel(1, {Domain.SIGNED: PLAIN}, bias=AS_IS), True),
    "two domains": (Channel(1, {Domain.SIGNED: PLAIN, Domain.BOUNDED: PLAIN}, bias=AS_IS), True),
    "without the bias": (Channel(1, {Domain.SIGNED: PLAIN}), False),
    "another bias": (Channel(1, {Domain.SIGNED: PLAIN}, bias=Signs(1, 0)), False),
    "one of two domains": (
        Channel(1, {Domain.REAL: (Term(Input.ONE, Power.SQUARE),), Domain.SIGNED: PLAIN}, bias=AS_IS),
        False,
    ),
    "the other of two domains": (
        Channel(1, {Domain.SIGNED: PLAIN, Domain.REAL: (Term(Input.ONE, Power.SQUARE),)}, bias=AS_IS),
        False,
    ),
    "other weights": (Channel(1, {Domain.SIGNED: (Term(Input.VALUE, Signs(1, 0)),)}, bias=AS_IS), False),
    "other inputs": (Channel(1, {Domain.SIGNED: (Term(Input.POSITIVE, AS_IS),)}, bias=AS_IS), False),
}


@pytest.mark.parametrize("name", DIVIDES)
def test_which_channels_divide_by_the_output(name):
    channel, divides = DIVIDES[name]
    assert channel.divides_by_output == divides


class Own:
    """A rule that is the same for all layers."""

    def __init__(self, *channels):
        self.given = channels

    def channels(self, domains, reader):
        return self.given


class Added(nn.Module):
    def forward(self, x):
        return x[:, :1] + x[:, 1:]


def test_a_sum_of_what_is_not_negative_keeps_the_stabiliser_of_a_rule():
    """1 + 3 = 4, stabilised 5: the addends get 4/5 x 1 and 4/5 x 3 of the score."""
    rule = Own(Channel(1, {Domain.NON_NEGATIVE: PLAIN}, stabiliser=1.0))
    x, target = torch.tensor([[1.0, 3.0]]).double(), torch.zeros(1, dtype=torch.long)
    strategies = {"": Strategy(rule=rule)}
    _, found = explain_batch(Plan(Added(), (0.0, INF)), x, target, strategies, ledgers=True)
    torch.testing.assert_close(found[""].relevance, torch.tensor([[0.8, 2.4]]).double())
    assert found[""].ledger.kept["stabiliser"] == pytest.approx(0.8)


VALUES = {Domain.NON_NEGATIVE: PLAIN}
SQUARE = (Term(Input.ONE, Power.SQUARE),)
# Rules for a sum of what is not negative, and whether all that they say is: divide by the values.
SUMS = {
    "by values": ([Channel(1, VALUES)], True),
    "what excites and what inhibits": ([Channel(2, VALUES), Channel(-1, VALUES)], True),
    "with a stabiliser": ([Channel(1, VALUES, stabiliser=0.5)], False),
    "of some units": ([Channel(1, VALUES, units="negative")], False),
    "with a bias": ([Channel(1, VALUES, bias=AS_IS)], False),
    "one of two with a bias": ([Channel(2, VALUES), Channel(-1, VALUES, bias=AS_IS)], False),
    "by squares": ([Channel(1, {Domain.NON_NEGATIVE: SQUARE})], False),
    "by values and squares": ([Channel(1, {Domain.NON_NEGATIVE: PLAIN + SQUARE})], False),
}


@pytest.mark.parametrize("name", SUMS)
def test_which_rules_of_a_sum_are_one_rule(name):
    channels, alike = SUMS[name]
    one = torch.ones(()).double()
    layer = Layer("add", "sum", Elementwise(), [one, one], even=True)
    found = layer.channels(Own(*channels), Reading(frozenset({Domain.NON_NEGATIVE}), is_input=False))
    assert (found == (Channel(1, VALUES),)) == alike
    assert alike or found == tuple(channels)


@pytest.mark.parametrize("other", [Domain.SIGNED, Domain.NON_NEGATIVE])
def test_a_sum_of_what_may_be_negative_is_divided_by_its_rule(other):
    rule = Own(Channel(2, VALUES | {Domain.SIGNED: PLAIN}), Channel(-1, VALUES | {Domain.SIGNED: PLAIN}))
    one = torch.ones(()).double()
    layer = Layer("add", "sum", Elementwise(), [one, one], even=True)
    assert layer.channels(rule, Reading(frozenset({Domain.SIGNED, other}), is_input=False)) == rule.given
