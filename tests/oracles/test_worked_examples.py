"""Examples small enough to work by hand, in exact fractions: for the engine and for the reference alike.

Each is worked out in the comment above it. Unless a comment says otherwise, two hidden units are ReLUs and
hold relevance 1 and 2 of the score 3, ``b`` and ``s`` are what bias and stabiliser keep, and numbers in
parentheses belong to the two inputs.
"""

from fractions import Fraction as Q
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import plain_reference as reference
import pytest
import recurrent_reference
import torch
from torch import nn

import rnnxai

INFINITE = float("inf")
POSITIVE, REAL, PIXELS = (0, INFINITE), (-INFINITE, INFINITE), (-1, 1)
EXACT = 1e-14
NOTHING = MappingProxyType({})


class Example(NamedTuple):
    """A network as (w, b) pairs with activations between them, its input and what is right."""

    method: str
    layers: list
    x: list
    right: list
    kept: dict = NOTHING
    bounds: tuple | None = None
    options: dict = NOTHING
    target: int = 0


# z = (3 - 2 + 1, 1 + 4 + 1) = (2, 6); score 2/2 + 6/3 = 3.
NET = [([[3, -1], [1, 2]], [1, 1]), "relu", ([[Q(1, 2), Q(1, 3)]], [0])]
X = [1, 2]
# A layer alone, read by either sign: z = (3 + 2 + 1, -1 - 4 + 1) = (6, -4).
SIGNED, SIGNED_X = [([[3, -1], [-1, 2]], [1, 1])], [1, -2]
# A sigmoid is 1/2 where z = 2 - 2 = 0, and its unit holds the score 2/2 = 1 all the same.
ZERO, ZERO_X = [([[2, 1]], [0]), "sigmoid", ([[2]], [0])], [1, -2]

EXAMPLES = {
    # Unit 1: 1/2 (3, -2 | b 1).  Unit 2: 2/6 (1, 4 | b 1).
    "lrp-0": Example("lrp-0", NET, X, [Q(3, 2) + Q(1, 3), -1 + Q(4, 3)], {"bias": Q(1, 2) + Q(1, 3)}),
    # R = z, so each input gets what it contributed: (1 3, -2 -1 | b 1), and of the other unit (-1, -4 | b 1).
    "lrp-0, signed": Example("lrp-0", SIGNED, SIGNED_X, [3, 2], {"bias": 1}),
    "lrp-0, negative": Example("lrp-0", SIGNED, SIGNED_X, [-1, -4], {"bias": 1}, target=1),
    # z = 0: by what the inputs are, (1, 2) / 3.
    "lrp-0, 0/0": Example("lrp-0", ZERO, ZERO_X, [Q(1, 3), Q(2, 3)]),
    "lrp-0, 0/0, not negative": Example(
        "lrp-0", [([[2, -1]], [0]), *ZERO[1:]], X, [Q(1, 3), Q(2, 3)], bounds=POSITIVE
    ),
    # Bounded inputs: by the width of their range, half and half; and so where any number may come.
    "lrp-0, 0/0, bounded": Example("lrp-0", ZERO, [Q(1, 2), -1], [Q(1, 2), Q(1, 2)], bounds=PIXELS),
    "lrp-0, 0/0, real": Example("lrp-0", ZERO, ZERO_X, [Q(1, 2), Q(1, 2)], bounds=REAL),
    # All inputs are 0: nobody can be paid.
    "lrp-0, dropped": Example("lrp-0", ZERO, [0, 0], [0, 0], {"dropped": 1}),
    # epsilon = 1. Output: 3/4 (1, 2 | s 1), so the units hold 3/4 and 3/2.
    # Unit 1: 3/4 / 3 (3, -2 | b 1, s 1).  Unit 2: 3/2 / 7 (1, 4 | b 1, s 1).
    "lrp-eps": Example(
        "lrp-eps",
        NET,
        X,
        [Q(3, 4) + Q(3, 14), -Q(1, 2) + Q(12, 14)],
        {"bias": Q(1, 4) + Q(3, 14), "stabiliser": Q(3, 4) + Q(1, 4) + Q(3, 14)},
        options={"epsilon": 1},
    ),
    # A negative unit has a negative stabiliser: -4 / (-4 - 1) (-1, -4 | b 1, s -1).
    "lrp-eps, negative": Example(
        "lrp-eps",
        SIGNED,
        SIGNED_X,
        [-Q(4, 5), -Q(16, 5)],
        {"bias": Q(4, 5), "stabiliser": -Q(4, 5)},
        options={"epsilon": 1},
        target=1,
    ),
    # 0 counts as positive. epsilon = 1/2, output: 1 / (3/2) (1 | s 1/2).  Unit: 2/3 / (1/2) (2, -2 | s 1/2).
    "lrp-eps, 0/0": Example(
        "lrp-eps",
        ZERO,
        ZERO_X,
        [Q(8, 3), -Q(8, 3)],
        {"stabiliser": Q(1, 3) + Q(2, 3)},
        options={"epsilon": 0.5},
    ),
    # gamma = 1: what is positive counts twice. Unit 1: 1/6 (6, -2 | b 2).  Unit 2: 2/12 (2, 8 | b 2).
    "lrp-gamma": Example(
        "lrp-gamma",
        NET,
        X,
        [1 + Q(1, 3), -Q(1, 3) + Q(4, 3)],
        {"bias": Q(1, 3) + Q(1, 3)},
        options={"gamma": 1},
    ),
    # Positive is also -2 times -1: 6/12 (6, 4 | b 2).
    "lrp-gamma, signed": Example("lrp-gamma", SIGNED, SIGNED_X, [3, 2], {"bias": 1}, options={"gamma": 1}),
    # For a negative unit, what is negative counts twice: -4/-9 (-2, -8 | b 1).
    "lrp-gamma, negative": Example(
        "lrp-gamma",
        SIGNED,
        SIGNED_X,
        [-Q(8, 9), -Q(32, 9)],
        {"bias": Q(4, 9)},
        options={"gamma": 1},
        target=1,
    ),
    # 1/2 (4, -2): gamma tips the balance that lrp-0 finds at 0.
    "lrp-gamma, balanced": Example("lrp-gamma", ZERO, ZERO_X, [2, -1], options={"gamma": 1}),
    # gamma = 1 tips this one to 0, though z = 2 - 4 = -2: (2, -4) becomes (2, -4 - 4) and so -6 in all.
    "lrp-gamma, negative and tipped": Example(
        "lrp-gamma", [([[2, -2]], [0])], X, [Q(2, 3), -Q(8, 3)], options={"gamma": 1}
    ),
    # Unit 1: (3, 0) / 3.  Unit 2: 2 (1, 4) / 5.
    "lrp-zplus": Example("lrp-zplus", NET, X, [1 + Q(2, 5), Q(8, 5)], bounds=POSITIVE),
    "dtd": Example("dtd", NET, X, [1 + Q(2, 5), Q(8, 5)], bounds=POSITIVE),
    # Output: 2 times (1, 2), and nothing inhibits it, so -3 goes by the activations, (2, 6) / 8: units hold
    # 2 - 3/4 = 5/4 and 4 - 9/4 = 7/4. Unit 1: 5/2 (1, 0) - 5/4 (0, 1).
    # Unit 2: 7/2 (1, 4) / 5, and -7/4 by the inputs, (1, 2) / 3.
    "lrp-a2b1": Example(
        "lrp-a2b1",
        NET,
        X,
        [Q(5, 2) + Q(7, 10) - Q(7, 12), -Q(5, 4) + Q(14, 5) - Q(7, 6)],
        bounds=POSITIVE,
    ),
    # Output: 3/2 (1, 2) - 3/2 (2, 6) / 8 = (9/8, 15/8).  Unit 1: 27/16 (1, 0) - 9/16 (0, 1).
    # Unit 2: 45/16 (1, 4) / 5 - 15/16 (1, 2) / 3.
    "lrp-a1.5b0.5": Example(
        "lrp-a1.5b0.5",
        NET,
        X,
        [Q(27, 16) + Q(9, 16) - Q(5, 16), -Q(9, 16) + Q(36, 16) - Q(10, 16)],
        bounds=POSITIVE,
    ),
    # A score that is not positive holds nothing for them.
    "dtd, negative": Example("dtd", SIGNED, [1, 0], [0, 0], bounds=POSITIVE, target=1)._replace(
        layers=[([[3, -1], [-1, 2]], [1, 0])]
    ),
    # z = (-3 - 2 + 6, -1 + 4 - 1). Nothing excites unit 1: by the inputs, (1, 2) / 3.  Unit 2: (0, 2).
    "z+, empty": Example(
        "dtd",
        [([[-3, -1], [-1, 2]], [6, -1]), "relu", ([[1, 1]], [0])],
        X,
        [Q(1, 3), Q(2, 3) + 2],
        bounds=POSITIVE,
    ),
    # However small the inputs are: there is no epsilon.
    "z+, tiny": Example(
        "dtd",
        [([[-3, -1], [-1, 2]], [1, 2]), "relu", ([[1, 1]], [0])],
        [Q(1, 10**30), Q(2, 10**30)],
        [Q(1, 3), Q(2, 3) + 2],
        bounds=POSITIVE,
    ),
    "z+, dropped": Example(
        "dtd",
        [([[3, -1], [1, 2]], [1, 2]), "relu", ([[1, 1]], [0])],
        [0, 0],
        [0, 0],
        {"dropped": 3},
        bounds=POSITIVE,
    ),
    "alpha-beta, dropped": Example(
        "lrp-a2b1",
        [([[3, -1], [1, 2]], [1, 2]), "relu", ([[1, 1]], [0])],
        [0, 0],
        [0, 0],
        {"dropped": 3},
        bounds=POSITIVE,
    ),
    # Output: 3 (1/4, 1/9) 36/13 = (27, 12) / 13.  Unit 1: (9, 1) / 10.  Unit 2: (1, 4) / 5.
    "lrp-w2": Example("lrp-w2", NET, X, [Q(243, 130) + Q(24, 130), Q(27, 130) + Q(96, 130)]),
    # No weights: by the inputs, as large as they are, (1, 2) / 3.
    "lrp-w2, 0/0": Example("lrp-w2", [([[0, 0]], [1]), "relu", ([[3]], [0])], [1, -2], [Q(3, 3), Q(6, 3)]),
    # That is the rule of inputs that may be any number, too. Unit 1: (9, 1) / 10.  Unit 2: 2 (1, 4) / 5.
    "dtd, real": Example("dtd", NET, X, [Q(9, 10) + Q(2, 5), Q(1, 10) + Q(8, 5)], bounds=REAL),
    # Halves everywhere.
    "lrp-flat": Example("lrp-flat", NET, X, [Q(3, 2), Q(3, 2)]),
    # z = (1 - 1/2 + 1/2, 1/2 - 1/2 + 1) = (1, 1). x w + w+ - w-, unit 1: (3/2 2, 1/2 1) / (7/2).
    # Unit 2: 2 (3/2, 1/2) / 2.
    "z^B": Example(
        "dtd",
        [([[2, -1], [1, -1]], [Q(1, 2), 1]), "relu", ([[1, 2]], [0])],
        [Q(1, 2), Q(1, 2)],
        [Q(6, 7) + Q(3, 2), Q(1, 7) + Q(1, 2)],
        bounds=PIXELS,
    ),
    # In a range from 0 to 2, (x - 0) w+ + (x - 2) w-: unit 1: (1, 3/2) / (5/2), unit 2: 2 (1/2, 3/2) / 2.
    "z^B, another range": Example(
        "dtd",
        [([[2, -1], [1, -1]], [Q(1, 2), 1]), "relu", ([[1, 2]], [0])],
        [Q(1, 2), Q(1, 2)],
        [Q(2, 5) + Q(1, 2), Q(3, 5) + Q(3, 2)],
        bounds=(0, 2),
    ),
    # Pixels at the bounds that the weights point away from: by width of the range, half and half.
    "z^B, empty": Example(
        "dtd",
        [([[2, -1], [1, -1]], [4, 4]), "relu", ([[1, 1]], [0])],
        [-1, 1],
        [Q(3, 2), Q(3, 2)],
        bounds=PIXELS,
    ),
    # Each layer by the rule its name selects: lrp-0 above, (1, 2), then halves.
    "composite": Example(
        "lrp", NET, X, [Q(3, 2), Q(3, 2)], options={"rules": {"0": "lrp-flat", "*": "lrp-0"}}
    ),
    # epsilon = 1 above, (3/4, 3/2 | s 3/4), then w2: 3/4 (9, 1) / 10 and 3/2 (1, 4) / 5.
    "composite with an option": Example(
        "lrp",
        NET,
        X,
        [Q(27, 40) + Q(3, 10), Q(3, 40) + Q(12, 10)],
        {"stabiliser": Q(3, 4)},
        options={"rules": {"0": "lrp-w2", "*": {"rule": "lrp-eps", "epsilon": 1}}},
    ),
}


def floats(values):
    return torch.tensor([float(v) for v in values], dtype=torch.float64)


def linear(w, b=None):
    module = nn.Linear(len(w[0]), len(w), bias=b is not None, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(torch.stack([floats(row) for row in w]))
        if b is not None:
            module.bias.copy_(floats(b))
    return module


MODULES = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}


def network(layers):
    modules = [MODULES[layer]() if isinstance(layer, str) else linear(*layer) for layer in layers]
    return nn.Sequential(*modules).eval()


def by_engine(example):
    relevance, ledger = rnnxai.explain(
        network(example.layers),
        floats(example.x)[None],
        example.target,
        example.method,
        bounds=example.bounds,
        return_ledger=True,
        **example.options,
    )
    return relevance[0].tolist(), ledger.table(0)[list(KEPT)].sum()


def by_reference(example):
    chain = [
        reference.Activation(ACTIVATIONS[module], "N")
        if isinstance(module, str)
        else reference.Affine(reference.dense(linear(*module), (len(module[0][0]),)))
        for module in example.layers
    ]
    domain = {None: "S", POSITIVE: "N", REAL: "A"}.get(example.bounds, "B")
    x = floats(example.x).numpy()
    low_high = example.bounds if domain == "B" else PIXELS
    relevance, books, _ = reference.explain(
        chain, x, example.target, example.method, domain, *low_high, **example.options
    )
    return relevance, books


KEPT = ("bias", "stabiliser", "dropped")
ACTIVATIONS = {"relu": reference.positive, "sigmoid": recurrent_reference.sigmoid}


def both(examples):
    """Return (name, compute) pairs; the reference has one rule for all layers, so no composites."""
    return [
        (name, compute)
        for name, example in examples.items()
        for compute in (by_engine, by_reference)
        if compute is by_engine or example.method != "lrp"
    ]


@pytest.mark.parametrize("name, compute", both(EXAMPLES))
def test_rules(name, compute):
    example = EXAMPLES[name]
    score = network(example.layers)(floats(example.x)[None])[0, example.target].item()
    if example.method == "dtd":
        score = max(score, 0)
    assert float(sum(example.right) + sum(example.kept.values())) == pytest.approx(score, abs=EXACT)
    relevance, kept = compute(example)
    assert list(relevance) == pytest.approx([float(v) for v in example.right], abs=EXACT)
    for column in KEPT:
        assert kept[column] == pytest.approx(float(example.kept.get(column, 0)), abs=EXACT), column


def test_flat_counts_what_is_really_read():
    """The outer units of a padded convolution read two inputs, the one in the middle reads three."""
    conv = nn.Conv1d(1, 1, 3, padding=1, bias=False, dtype=torch.float64)
    nn.init.ones_(conv.weight)
    net = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), linear([[Q(1, 2), Q(1, 3), Q(1, 2)]], [0])).eval()
    x = torch.ones(1, 1, 3, dtype=torch.float64)
    outer, middle = Q(1, 2) + Q(1, 3), Q(1, 2) + Q(1, 3) + Q(1, 2)
    found = rnnxai.explain(net, x, 0, "lrp-flat").flatten()
    assert found.tolist() == pytest.approx([float(v) for v in (outer, middle, outer)], abs=EXACT)


def test_contrast():
    """Score 1 of one class, whose inputs contribute (3, -2), against 5 of the other, with (1, 4)."""
    net = network([([[3, -1], [1, 2]], [0, 0])])
    found = rnnxai.explain(net, floats(X)[None], (0, 1), "lrp-0")
    assert found[0].tolist() == pytest.approx([3 - 1, -2 - 4], abs=EXACT)


# Pixels beside hidden activations


MIXED = {
    # Pixels 1/2. h_1 = 1, h_2 = 1 + 1 = 2.  Step 2: 2 (3/2 2, 1) / 4; the rest goes on to step 1.
    "mixed": ("dtd", 1, PIXELS, [Q(1, 2), Q(3, 2)]),
    # h_2 = 1 - 1/2 = 1/2: what inhibits counts in favour, 1/2 (3, 1/2) / (7/2).
    "mixed, beta": ("lrp-a2b1", -Q(1, 2), PIXELS, [Q(1, 14), Q(3, 7)]),
    # Inputs that may be any number: 2 (2^2, 1) / 5.
    "mixed, real": ("dtd", 1, REAL, [Q(2, 5), Q(8, 5)]),
}


@pytest.mark.parametrize("name", MIXED)
def test_pixels_beside_hidden_activations(name):
    """h_t = relu(2 x_t + w h_{t-1}), and the score is h_2."""
    method, recurrent, bounds, right = MIXED[name]
    net = Last(nn.RNN(1, 1, nonlinearity="relu", bias=False, batch_first=True), linear([[1]], [0])).double()
    with torch.no_grad():
        net.module.weight_ih_l0.fill_(2)
        net.module.weight_hh_l0.fill_(float(recurrent))
    x = torch.full((1, 2, 1), 0.5, dtype=torch.float64)
    assert net(x).item() == float(sum(right))
    found = rnnxai.explain(net.eval(), x, 0, method, bounds=bounds)
    assert found.flatten().tolist() == pytest.approx([float(v) for v in right], abs=EXACT)


class Last(nn.Module):
    """A layer on the last output of a recurrent module."""

    def __init__(self, module, head):
        super().__init__()
        self.module, self.head = module, head

    def forward(self, x):
        return self.head(self.module(x)[0][:, -1])


# Sums


class Joined(nn.Module):
    """Two terms relu(x_1) and relu(x_2), joined by a function."""

    def __init__(self, join):
        super().__init__()
        self.one, self.two, self.join = linear([[1]]), linear([[1]]), join

    def forward(self, x):
        return self.join(torch.relu(self.one(x[:, :1])), torch.relu(self.two(x[:, 1:])))


SUMS = {
    # 1 + 3 = 4.
    "lrp-0": ("lrp-0", torch.add, [1, 3], [1, 3], {}, {}),
    "lrp-w2": ("lrp-w2", torch.add, [1, 3], [2, 2], {}, {}),
    "lrp-flat": ("lrp-flat", torch.add, [1, 3], [2, 2], {}, {}),
    "dtd": ("dtd", torch.add, [1, 3], [1, 3], {}, {}),
    # 8 (1, 3) / 4, and the empty part by the terms as well, -4 (1, 3) / 4. Below there is one way to go.
    "lrp-a2b1": ("lrp-a2b1", torch.add, [1, 3], [1, 3], {}, {}),
    # 4/5 (1, 3 | s 1), then 4/5 (1 | s 1) / 2 and 12/5 (3 | s 1) / 4.
    "lrp-eps": (
        "lrp-eps",
        torch.add,
        [1, 3],
        [Q(2, 5), Q(9, 5)],
        {"stabiliser": Q(4, 5) + Q(2, 5) + Q(3, 5)},
        {"epsilon": 1},
    ),
    # 3 - 1 = 2.
    "a difference": ("lrp-0", torch.sub, [3, 1], [3, -1], {}, {}),
    # gamma = 1: 2/5 (6, -1).
    "a difference, gamma": (
        "lrp-gamma",
        torch.sub,
        [3, 1],
        [Q(12, 5), -Q(2, 5)],
        {},
        {"gamma": 1},
    ),
    # Twice the score to what excites, minus the score to what inhibits.
    "a difference, alpha-beta": ("lrp-a2b1", torch.sub, [3, 1], [4, -2], {}, {}),
    # A constant is the layer's bias.
    "a constant": ("lrp-0", lambda one, two: one + two + 2, [1, 3], [1, 3], {"bias": 2}, {}),
    "a constant, dtd": ("dtd", lambda one, two: one + two + 4, [1, 3], [2, 6], {}, {}),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums(name):
    method, join, x, right, kept, options = SUMS[name]
    bounds = POSITIVE if method in ("dtd", "lrp-a2b1") else None
    net = Joined(join).double().eval()
    relevance, ledger = rnnxai.explain(
        net, floats(x)[None], 0, method, bounds=bounds, return_ledger=True, **options
    )
    assert relevance[0].tolist() == pytest.approx([float(v) for v in right], abs=EXACT)
    found = ledger.table(0)[list(KEPT)].sum()
    for column in KEPT:
        assert found[column] == pytest.approx(float(kept.get(column, 0)), abs=EXACT), column


# Products with gates


class Gated(nn.Module):
    """v g s of a gate g = sigmoid(a x + c), or 1 - g, and a signal s = w x."""

    def __init__(self, signal, output, bias=0.0, complement=False):
        super().__init__()
        self.gate, self.signal, self.out = linear([[0, 0]], [bias]), linear([signal]), linear([[output]])
        self.complement = complement

    def forward(self, x):
        g = torch.sigmoid(self.gate(x))
        return self.out((1 - g if self.complement else g) * self.signal(x))


# The inputs are (1, 2), and the score is 1. A gate without weights is 1/2 and reads z = 0, so it hands on by
# the size of the inputs, (1, 2) / 3; the signal hands on (3, -2).
GATED = {
    # s = 1.
    "all": ("all", Gated([3, -1], 2), [3, -2]),
    "half": ("half", Gated([3, -1], 2), [Q(3, 2) + Q(1, 6), -1 + Q(1, 3)]),
    # g / (g + s) = 1/3.
    "prop": ("prop", Gated([3, -1], 2), [2 + Q(1, 9), -Q(4, 3) + Q(2, 9)]),
    "abs": ("abs", Gated([3, -1], 2), [2 + Q(1, 9), -Q(4, 3) + Q(2, 9)]),
    # s = -1: g / (g + s) = -1, and |g| / (|g| + |s|) = 1/3.
    "prop, negative": ("prop", Gated([-3, 1], -2), [6 - Q(1, 3), -4 - Q(2, 3)]),
    "abs, negative": ("abs", Gated([-3, 1], -2), [2 + Q(1, 9), -Q(4, 3) + Q(2, 9)]),
    # s = -1/2, and g + s = 0: half each. The signal hands on (6, -5).
    "prop, 0/0": ("prop", Gated([-3, Q(5, 4)], -4), [3 + Q(1, 6), -Q(5, 2) + Q(1, 3)]),
}
# 1 - sigmoid(log 3) = 1/4 has a share of its own, of which the bias log 3 keeps all.
COMPLEMENT = {
    "all": (Q(1), 0),
    "half": (Q(1, 2), Q(1, 2)),
    "prop": (Q(4, 5), Q(1, 5)),
    "abs": (Q(4, 5), Q(1, 5)),
}


@pytest.mark.parametrize("name", GATED)
def test_gates(name):
    gates, net, right = GATED[name]
    x = floats(X)[None]
    assert net(x).item() == pytest.approx(float(sum(right)), abs=EXACT) == 1
    found = rnnxai.explain(net.eval(), x, 0, "lrp-0", gates=gates)
    assert found[0].tolist() == pytest.approx([float(v) for v in right], abs=EXACT)


@pytest.mark.parametrize("gates", COMPLEMENT)
def test_complements_of_gates_are_gates(gates):
    signal, gate = COMPLEMENT[gates]
    net = Gated([3, -1], 4, bias=float(np.log(3)), complement=True).eval()
    found, ledger = rnnxai.explain(net, floats(X)[None], 0, "lrp-0", gates=gates, return_ledger=True)
    assert found[0].tolist() == pytest.approx([float(3 * signal), float(-2 * signal)], abs=EXACT)
    assert ledger.table(0)["bias"].sum() == pytest.approx(float(gate), abs=EXACT)


# One step of a cell whose gates are 1/2 and whose signal reads 3 x_1 - x_2 = 1, in parts of the score
CELLS = {
    # n = tanh(1), h = n/2: the gate 1 - z and n take half each.
    ("GRU", "all"): [3, -2],
    ("GRU", "half"): [Q(3, 2) + Q(1, 6), -1 + Q(1, 3)],
    # h = o tanh(i g): half to o, a quarter to i and g each.
    ("LSTM", "all"): [3, -2],
    ("LSTM", "half"): [Q(3, 4) + Q(3, 12), -Q(1, 2) + Q(6, 12)],
}


@pytest.mark.parametrize("kind, gates", CELLS)
def test_cells(kind, gates):
    net = Last(getattr(nn, kind)(2, 1, bias=False, batch_first=True), linear([[1]], [0])).double().eval()
    with torch.no_grad():
        for parameter in net.module.parameters():
            parameter.zero_()
        net.module.weight_ih_l0[2] = floats([3, -1])
    x = floats(X)[None, None]
    found = rnnxai.explain(net, x, 0, "lrp-0", gates=gates) / net(x).item()
    assert found.flatten().tolist() == pytest.approx([float(v) for v in CELLS[kind, gates]], abs=EXACT)


def test_r_lstm():
    """Gates of weight 0 are 1/2 exactly, so two steps of one cell are fractions.

    Encoder weight 2, all other weights 1. Pixels 1/2 and 1 give e = 1, 2. Step 1: g = 1, c = 1/2,
    h = 1/4. Step 2: g = 9/4, c = 1/4 + 9/8 = 11/8, h = 11/16, and the score is that.
    """
    model = tiny("r-lstm", encoder=1, cells=1, steps=2)
    set_weights(model, encoder=[[2]], gates=[[0, 0]] * 3, candidate=[[1, 1]], output=[[1]])
    score = Q(11, 16)
    past = Q(1, 4) / Q(11, 8) * score
    now = score - past
    to_pixel, to_hidden = Q(8, 9) * now, Q(1, 9) * now
    expected = [past + to_hidden, to_pixel]
    assert expected == [Q(3, 16), Q(1, 2)]
    images = torch.tensor([[[[0.5, 1.0]]]], dtype=torch.float64)
    assert model(images).item() == float(score)
    found = rnnxai.explain(model, images, torch.tensor([0]), "dtd")
    assert found.flatten().tolist() == pytest.approx([float(value) for value in expected], abs=1e-15)


# Gradients

GRADIENTS = {
    # Both hidden units are active; the gradient at them is (1, -2), of which GB keeps (1, 0).
    "sa": ([1, 4], {}),
    "gb": ([1, 0], {}),
    # The gradient of the input is (1, 2), and that is all there is to a piece of a line.
    "taylor": ([Q(1, 2), -1], {}),
    "gradient-x-input": ([Q(1, 2), -1], {}),
    # Both inputs stay on their sides on the way from 0.
    "integrated-gradients": ([Q(1, 2), -1], {}),
    "smoothgrad": ([1, 2], {"noise": 0.0}),
    # The score is 1/2 - 1. Without the first input it is 1/2 less, without the second 1 more.
    "occlusion": ([Q(1, 2), -1], {"steps": 2, "value": 0.0}),
}


@pytest.mark.parametrize("method", GRADIENTS)
def test_gradient_methods(method):
    """z = relu(x_1) - 2 relu(-x_2) at (1/2, -1/2), so the gradient is (1, 2)."""
    net = network([([[1, 0], [0, -1]], [0, 0]), "relu", ([[1, -2]], [0])])
    right, options = GRADIENTS[method]
    found = rnnxai.explain(net, floats([Q(1, 2), -Q(1, 2)])[None], 0, method, **options)
    assert found[0].tolist() == pytest.approx([float(v) for v in right], abs=EXACT)


def tiny(architecture, steps, **sizes):
    model = rnnxai.build_model(
        architecture, image_size=(1, 2), steps=steps, classes=1, bias_init="none", **sizes
    )
    return model.double().eval()


@torch.no_grad()
def set_weights(model, **weights):
    for name, layer in model.affine_layers().items():
        layer.weight[0] = torch.tensor(weights[name], dtype=torch.float64)
        if layer.bias is not None:
            layer.bias.zero_()
