"""Recurrent modules of torch, as they are, against the loops of the reference."""

import itertools
from typing import NamedTuple

import numpy as np
import pytest
import recurrent_reference as reference
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import rnnxai
from rnnxai.errors import Error

TOLERANCE = 1e-9
STEPS, SAMPLES, INPUTS, HIDDEN = 4, 3, 3, 4
LENGTHS = torch.tensor([2, 4, 3])
COLUMNS = ("bias", "stabiliser", "dropped", "initial_state")

SIGNED = [
    ("lrp-0", {}),
    ("lrp-eps", {}),
    ("lrp-eps", {"epsilon": 0.1}),
    ("lrp-gamma", {}),
    ("lrp-gamma", {"gamma": 2.0}),
    ("lrp-w2", {}),
    ("lrp-flat", {}),
]
POSITIVE = [("dtd", {}), ("lrp-zplus", {}), ("lrp-a1.5b0.5", {}), ("lrp-a2b1", {})]
GATES = ["all", "half", "prop", "abs"]


class Net(nn.Module):
    """A recurrent module and a linear layer that reads its outputs or its last states."""

    def __init__(self, module, readout="last output"):
        super().__init__()
        self.module, self.readout = module, readout
        runs = module.num_layers * (1 + module.bidirectional)
        width = getattr(module, "proj_size", 0) or module.hidden_size
        each = width * (1 + module.bidirectional)
        sizes = {
            "outputs": STEPS * each,
            "last output": each,
            "states": runs * width,
            "states and cells": runs * (width + module.hidden_size),
        }
        self.head = nn.Linear(sizes[readout], 3)

    def forward(self, x, lengths=None, h0=None, c0=None):
        module, first = self.module, self.module.batch_first
        if not first:
            x = x.transpose(0, 1)
        if lengths is not None:
            x = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False)
        state = (h0, c0) if c0 is not None else h0
        outputs, last = module(x) if state is None else module(x, state)
        h, c = last if isinstance(last, tuple) else (last, None)
        if self.readout.startswith("states"):
            both = [h] if self.readout == "states" else [h, c]
            return self.head(torch.cat([one.transpose(0, 1).flatten(1) for one in both], 1))
        if lengths is not None:
            outputs, _ = pad_packed_sequence(outputs, batch_first=first, total_length=STEPS)
        outputs = outputs if first else outputs.transpose(0, 1)
        return self.head(outputs.flatten(1) if self.readout == "outputs" else outputs[:, -1])


class Case(NamedTuple):
    """A network, its inputs, and what they may be."""

    net: Net
    x: torch.Tensor
    lengths: torch.Tensor | None = None
    h0: torch.Tensor | None = None
    c0: torch.Tensor | None = None
    bounds: tuple | None = None


def make(kind, readout="last output", packed=False, initial=False, bounds=None, seed=0, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Net(getattr(nn, kind)(INPUTS, HIDDEN, **options), readout).double().eval()
        for name, parameter in net.named_parameters():
            nn.init.normal_(parameter, std=0.3 if "bias" in name else 0.7)
        if bounds:
            nn.init.constant_(net.head.bias, 5)  # a positive score, or there is nothing to explain
        x = torch.randn(SAMPLES, STEPS, INPUTS, dtype=torch.float64)
        x = x.abs() if bounds and bounds[0] == 0 else x.clamp(*bounds) if bounds else x
        runs = net.module.num_layers * (1 + net.module.bidirectional)
        width = getattr(net.module, "proj_size", 0) or HIDDEN
        h0 = torch.randn(runs, SAMPLES, width, dtype=torch.float64) if initial else None
        c0 = torch.randn(runs, SAMPLES, HIDDEN, dtype=torch.float64) if initial and kind == "LSTM" else None
    if h0 is not None and options.get("nonlinearity") == "relu":
        h0 = h0.abs()
    return Case(net, x, LENGTHS if packed else None, h0, c0, bounds)


def engine(case, method, targets, **options):
    given = (case.lengths, case.h0, case.c0)
    return rnnxai.explain(
        case.net,
        case.x,
        targets,
        method,
        bounds=case.bounds,
        forward_args=given,
        return_ledger=True,
        **options,
    )


def domain_of(bounds):
    if bounds is None:
        return ("S",)
    return {0.0: ("N",), -float("inf"): ("A",)}.get(float(bounds[0]), ("B", *bounds))


def sample(case, n):
    """Return one sequence (T, inputs) and its initial states, for the reference."""
    length = STEPS if case.lengths is None else int(case.lengths[n])
    states = [None if s is None else s[:, n].numpy() for s in (case.h0, case.c0)]
    return case.x[n, :length].numpy(), *states


def compare(case, method, options, gates=None, tolerance=TOLERANCE):
    targets = torch.tensor([0, 1, 2])
    if method in dict(POSITIVE):
        targets = case.net(case.x, case.lengths, case.h0, case.c0).argmax(1)
    given = options if gates is None else {**options, "gates": gates}
    found, ledger = engine(case, method, targets, **given)
    assert found.shape == case.x.shape
    rule = reference.Rule(method, options, gates or "all")
    table = [ledger.table(n)[list(COLUMNS)].sum() for n in range(SAMPLES)]
    for n, target in enumerate(targets.tolist()):
        xs, h0, c0 = sample(case, n)
        right, books, start = reference.explain(
            case.net.module, case.net.head, case.net.readout, xs, target, rule, h0, c0, domain_of(case.bounds)
        )
        size = max(np.abs(right).max(), *map(abs, books.values()), 1e-300)
        assert size > 1e-3, "nothing to compare"
        missing = found[n].numpy().copy()
        missing[: len(right)] -= right
        assert np.abs(missing).max() <= tolerance * size, (method, options, gates, n)
        assert abs(ledger.start[n] - start) <= tolerance * abs(start)
        for column in COLUMNS:
            assert abs(table[n][column] - books[column]) <= tolerance * size, (method, gates, column, n)


# The reference itself

KINDS = {
    "RNN": {"kind": "RNN"},
    "RNN, relu": {"kind": "RNN", "nonlinearity": "relu"},
    "LSTM": {"kind": "LSTM"},
    "GRU": {"kind": "GRU"},
}
SHAPES = {
    "one layer": {},
    "two layers": {"num_layers": 2},
    "bidirectional": {"bidirectional": True},
    "two layers, bidirectional": {"num_layers": 2, "bidirectional": True},
    "batch first": {"batch_first": True},
    "no bias": {"bias": False},
    "dropout": {"num_layers": 2, "dropout": 0.5},
    "all outputs": {"readout": "outputs", "num_layers": 2},
    "states": {"readout": "states", "num_layers": 2, "bidirectional": True},
    "initial states": {"initial": True},
    "initial states of runs": {"initial": True, "num_layers": 2, "bidirectional": True, "batch_first": True},
    "packed": {"packed": True, "readout": "states"},
    "packed, batch first": {"packed": True, "readout": "states", "batch_first": True, "num_layers": 2},
    "packed, both ways": {"packed": True, "readout": "states", "bidirectional": True, "num_layers": 2},
    "packed, initial states": {"packed": True, "readout": "states", "initial": True, "bidirectional": True},
}
OF_LSTM = {
    "projection": {"proj_size": 2},
    "projection of runs": {"proj_size": 2, "num_layers": 2, "bidirectional": True, "readout": "outputs"},
    "projection, packed": {"proj_size": 2, "packed": True, "initial": True, "readout": "states and cells"},
    "cells": {"readout": "states and cells", "num_layers": 2},
}
ALL = {
    (kind, shape): KINDS[kind] | options
    for kind in KINDS
    for shape, options in (SHAPES | OF_LSTM if kind == "LSTM" else SHAPES).items()
}
every_case = pytest.mark.parametrize("options", ALL.values(), ids=[", ".join(names) for names in ALL])


@every_case
def test_the_reference_computes_what_torch_computes(options):
    case = make(**options)
    scores = case.net(case.x, case.lengths, case.h0, case.c0).detach().numpy()
    for n in range(SAMPLES):
        outputs, h, c, _ = reference.forward(case.net.module, *sample(case, n))
        read = reference.READOUTS[case.net.readout](outputs, h, c)
        own = case.net.head.weight.detach().numpy() @ read + case.net.head.bias.detach().numpy()
        assert np.abs(own - scores[n]).max() <= 1e-13 * np.abs(scores[n]).max()


@every_case
def test_the_reference_conserves(options):
    case = make(**options)
    for gates, (method, given) in itertools.product(GATES, SIGNED):
        rule = reference.Rule(method, given, gates)
        xs, h0, c0 = sample(case, 1)
        right, books, start = reference.explain(
            case.net.module, case.net.head, case.net.readout, xs, 1, rule, h0, c0
        )
        size = max(np.abs(right).max(), *map(abs, books.values()))
        assert abs(right.sum() + sum(books.values()) - start) <= 1e-11 * size
        assert not books["dropped"]


def test_the_reference_of_lrp_0_is_gradient_times_input_where_activations_are_relus():
    case = make("RNN", nonlinearity="relu", num_layers=2, bidirectional=True)
    x = case.x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(case.net(x)[:, 1].sum(), x)
    for n in range(SAMPLES):
        right, _, _ = reference.explain(
            case.net.module, case.net.head, "last output", sample(case, n)[0], 1, reference.Rule("lrp-0", {})
        )
        assert np.abs(right - (x * gradient)[n].detach().numpy()).max() <= 1e-13 * np.abs(right).max()


# The engine


@every_case
def test_modules_of_every_shape(options):
    case = make(**options)
    gated = options["kind"] != "RNN"
    rules = [("lrp-eps", {"epsilon": 0.01}, "all"), ("lrp-gamma", {}, "abs"), ("lrp-flat", {}, "half")]
    for method, given, gates in rules:
        compare(case, method, given, gates if gated else None)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("gates", GATES)
def test_every_rule_with_every_gate_rule(kind, gates):
    case = make(kind, num_layers=2)
    for method, options in SIGNED:
        compare(case, method, options, gates)


COMPOSITES = {
    "sums": ({"sum": "lrp-flat", "*": "lrp-eps"}, ("lrp-eps", {}), {"sum": ("lrp-flat", {})}),
    "recurrent": (
        {"recurrent": {"rule": "lrp-gamma", "gamma": 1.0}, "*": "lrp-0"},
        ("lrp-0", {}),
        {"recurrent": ("lrp-gamma", {"gamma": 1.0})},
    ),
    "dense": ({"dense": "lrp-w2", "*": "lrp-eps"}, ("lrp-eps", {}), {"dense": ("lrp-w2", {})}),
    "names": (
        {"head": "lrp-flat", "mod*": "lrp-w2", "*": "lrp-0"},
        ("lrp-w2", {}),
        {"dense": ("lrp-flat", {})},
    ),
}


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("name", COMPOSITES)
def test_composites(kind, name):
    """A module's own sums bear its name, so a pattern of names takes them along."""
    rules, (method, options), others = COMPOSITES[name]
    case, targets = make(kind, num_layers=2), torch.tensor([0, 1, 2])
    found, ledger = engine(case, "lrp", targets, rules=rules)
    rule = reference.Rule(method, options, others=others)
    for n in range(SAMPLES):
        xs, *states = sample(case, n)
        right, books, start = reference.explain(
            case.net.module, case.net.head, case.net.readout, xs, n, rule, *states
        )
        assert np.abs(found[n].numpy() - right).max() <= TOLERANCE * np.abs(right).max()
        assert abs(ledger.lost[n] - sum(books.values())) <= TOLERANCE * np.abs(right).max()
        assert abs(ledger.start[n] - start) <= TOLERANCE * abs(start)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bounds", [None, (-1.0, 1.0)])
def test_every_rule_on_plain_recurrence(nonlinearity, bounds):
    case = make("RNN", nonlinearity=nonlinearity, num_layers=2, bounds=bounds, initial=True)
    for method, options in SIGNED:
        compare(case, method, options)


@pytest.mark.parametrize("bounds", [(0.0, float("inf")), (-1.0, 1.0), (-float("inf"), float("inf"))])
@pytest.mark.parametrize(
    "shape", ["one layer", "two layers, bidirectional", "packed, both ways", "all outputs"]
)
def test_rules_for_inputs_that_are_not_negative(shape, bounds):
    case = make("RNN", nonlinearity="relu", bounds=bounds, seed=1, **SHAPES[shape])
    for method, options in POSITIVE:
        compare(case, method, options)


@pytest.mark.parametrize(
    "kind, options, bounds",
    [
        ("RNN", {}, (-1.0, 1.0)),
        ("LSTM", {}, (-1.0, 1.0)),
        ("GRU", {}, (0.0, float("inf"))),
        ("RNN", {"nonlinearity": "relu"}, None),
    ],
    ids=["tanh", "lstm", "gru", "unknown input"],
)
def test_alpha_beta_is_refused_where_values_may_have_either_sign(kind, options, bounds):
    case = make(kind, bounds=bounds, **options)
    for method, _ in POSITIVE:
        with pytest.raises(Error):
            engine(case, method, torch.tensor([0, 1, 2]))


def test_the_order_of_a_packed_batch_does_not_matter():
    case = make("LSTM", packed=True, readout="states", num_layers=2, bidirectional=True)
    targets, order = torch.tensor([0, 1, 2]), torch.tensor([2, 0, 1])
    found, _ = engine(case, "lrp-eps", targets)
    other, _ = engine(case._replace(x=case.x[order], lengths=LENGTHS[order]), "lrp-eps", targets[order])
    torch.testing.assert_close(other, found[order], rtol=1e-12, atol=1e-14)
    for n, length in enumerate(LENGTHS):
        assert found[n, :length].all()
        assert not found[n, length:].any(), "padding has no relevance"


class Packed(nn.Module):
    """A recurrent module that is handed a packed sequence, and a layer that reads its last state."""

    def __init__(self, net):
        super().__init__()
        self.module, self.head = net.module, net.head

    def forward(self, packed):
        last = self.module(packed)[1]
        h = last[0] if isinstance(last, tuple) else last
        return self.head(h.transpose(0, 1).flatten(1))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_an_input_may_be_packed_itself(kind):
    case = make(kind, packed=True, readout="states", batch_first=True, bidirectional=True)
    targets = torch.tensor([0, 1, 2])
    packed = pack_padded_sequence(case.x, LENGTHS, batch_first=True, enforce_sorted=False)
    for method, options in SIGNED:
        right, _ = engine(case, method, targets, **options)
        found = rnnxai.explain(Packed(case.net), packed, targets, method, **options)
        found, lengths = pad_packed_sequence(found, batch_first=True, total_length=STEPS)
        assert torch.equal(lengths, LENGTHS)
        torch.testing.assert_close(found, right, rtol=0, atol=1e-12 * float(right.abs().max()))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_relevance_of_a_modules_output_is_that_of_what_reads_it(kind, batch_first):
    case = make(kind, num_layers=2, batch_first=batch_first)
    targets = torch.tensor([0, 1, 2])
    outputs = case.net.module(case.x if batch_first else case.x.transpose(0, 1))[0].detach()
    last = outputs[:, -1] if batch_first else outputs[-1]
    for method, options in SIGNED:
        found = rnnxai.explain.at_layers(case.net, case.x, targets, method, layers=["module"], **options)[
            "module"
        ]
        assert found.shape == outputs.shape
        found = found if batch_first else found.transpose(0, 1)
        right = rnnxai.explain(case.net.head, last, targets, method, **options)
        torch.testing.assert_close(found[:, -1], right, rtol=0, atol=1e-12 * float(right.abs().max()))
        assert not found[:, :-1].any()


# Cells unrolled by their user


class Unrolled(nn.Module):
    """One layer of a fused module, as a cell that is called once for each step."""

    def __init__(self, net):
        super().__init__()
        module = net.module
        cell = getattr(nn, type(module).__name__ + "Cell")
        activation = {"nonlinearity": module.nonlinearity} if hasattr(module, "nonlinearity") else {}
        self.cell = cell(INPUTS, HIDDEN, bias=module.bias, **activation).double()
        with torch.no_grad():
            for name, parameter in self.cell.named_parameters():
                parameter.copy_(getattr(module, f"{name}_l0"))
        self.head = net.head

    def forward(self, x, lengths=None, h0=None, c0=None):
        state = h0 if h0 is None else (h0[0], c0[0]) if c0 is not None else h0[0]
        for step in x.unbind(1):
            state = self.cell(step, state)
        return self.head(state[0] if isinstance(state, tuple) else state)


@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_an_unrolled_cell_is_the_fused_module(kind, bias, initial):
    case = make(**KINDS[kind], bias=bias, initial=initial)
    unrolled = case._replace(net=Unrolled(case.net).eval())
    targets = torch.tensor([0, 1, 2])
    for method, options in SIGNED:
        for gates in GATES if kind in ("LSTM", "GRU") else [None]:
            given = options if gates is None else {**options, "gates": gates}
            fused, books = engine(case, method, targets, **given)
            found, other = engine(unrolled, method, targets, **given)
            torch.testing.assert_close(found, fused, rtol=0, atol=TOLERANCE * float(fused.abs().max()))
            assert np.abs(books.lost - other.lost).max() <= TOLERANCE * np.abs(books.lost).max() + 1e-14
