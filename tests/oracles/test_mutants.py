"""What nothing else would notice if it were wrong: found by `make mutate`, kept by hand.

Each is so small that the right answer is in the line that states it.
"""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import rnnxai
from rnnxai.explain import at_layers, check
from rnnxai.explain.channels import AS_IS, Channel, Domain, Input, Power, Signs, Term
from rnnxai.explain.engine.inputs import Inputs
from rnnxai.explain.engine.plan import Plan, Target
from rnnxai.explain.engine.samples import number, per_sample
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.rules import AlphaBeta, Flat, WSquare
from rnnxai.explain.strategy import Strategy, make_strategy
from rnnxai.models.cells.cell import Cell
from rnnxai.models.cells.shallow import Shallow
from rnnxai.models.classifier import Classifier
from rnnxai.models.convolution import Convolution
from rnnxai.models.layers import Affine

INF, NAN = float("inf"), float("nan")
PLAIN = (Term(Input.VALUE, AS_IS),)


class Between(nn.Module):
    """A layer, something between, a layer; e is not negative, s of either sign, x the input."""

    def __init__(self, form, width=4):
        super().__init__()
        self.a, self.out = nn.Linear(4, 4), nn.Linear(width, 3)
        self.form = form

    def forward(self, x):
        s = self.a(x)
        return self.out(self.form(torch.relu(s), s, x))


def between(form, width=4, seed=0):
    net = Between(form, width).double().eval()
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for values in net.parameters():
            values.copy_(torch.randn(values.shape, generator=rng, dtype=torch.float64))
        net.a.bias.abs_()  # so that not all is cut off
    return net, torch.rand(5, 4, generator=rng, dtype=torch.float64)


# What a layer reads

N, S, B = "non-negative", "signed", "bounded"
SQUARE = torch.randn(4, 4, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
ONES, MIXED = torch.ones(4).double(), torch.tensor([1.0, -1.0, 0.0, 2.0]).double()


def filled(buffer, *signals):
    """Write a column of each signal into a buffer, as far as it has one."""
    for column, signal in enumerate(signals):
        if signal.shape[1]:
            buffer[:, column] = signal[:, 2]
    return buffer


def activated_in_place(x):
    F.leaky_relu(x, 0.3, inplace=True)
    return x


def by_keyword(x, other):
    x.relu_()
    return torch.add(input=x, other=other) + torch.cat(tensors=[x[:, :2], other[:, :2]], dim=1)


def with_constant(x, value):
    """Put a constant in place of a column."""
    return torch.stack([x[:, 0], torch.full_like(x[:, 1], value), x[:, 2], x[:, 3]], 1)


READS = {
    # name: what is between, what the last layer reads, whether that is the input
    "e": (lambda e, s, x: e, N, False),
    "s": (lambda e, s, x: s, S, False),
    "x": (lambda e, s, x: x, B, True),
    "e + e": (lambda e, s, x: e + e, N, False),
    "e + s": (lambda e, s, x: e + s, S, False),
    "s + e": (lambda e, s, x: s + e, S, False),
    "e - e": (lambda e, s, x: e - e, S, False),
    "e - 0 e": (lambda e, s, x: torch.sub(e, e, alpha=0), N, False),
    "e + 1": (lambda e, s, x: e + 1, N, False),
    "1 + e": (lambda e, s, x: 1 + e, N, False),
    "e + 0": (lambda e, s, x: e + 0, N, False),
    "e - 1": (lambda e, s, x: e - 1, S, False),
    "1 - e": (lambda e, s, x: 1 - e, S, False),
    "e + ones": (lambda e, s, x: e + ONES, N, False),
    "e + zeros": (lambda e, s, x: e + 0 * ONES, N, False),
    "e + mixed": (lambda e, s, x: e + MIXED, S, False),
    "e - ones": (lambda e, s, x: e - ONES, S, False),
    "ones - e": (lambda e, s, x: ONES - e, S, False),
    "s + ones": (lambda e, s, x: s + ONES, S, False),
    "e / 2 + ones": (lambda e, s, x: torch.add(ONES, e, alpha=0.5), N, False),
    "x + 1": (lambda e, s, x: x + 1, B, True),
    "x + ones": (lambda e, s, x: x + ONES, S, True),
    "x - e": (lambda e, s, x: x - e, S, False),
    "2 x": (lambda e, s, x: 2 * x, B, True),
    "0 x": (lambda e, s, x: 0 * x, S, True),
    "x / 2": (lambda e, s, x: x / 2, B, True),
    "-x": (lambda e, s, x: -x, B, True),
    "x ones": (lambda e, s, x: x * ONES, S, True),
    "2 e": (lambda e, s, x: 2 * e, N, False),
    "0 e": (lambda e, s, x: 0 * e, N, False),
    "-e": (lambda e, s, x: -e, S, False),
    "e / -2": (lambda e, s, x: e / -2, S, False),
    "e ones": (lambda e, s, x: e * ONES, N, False),
    "e zeros": (lambda e, s, x: e * (0 * ONES), N, False),
    "e mixed": (lambda e, s, x: e * MIXED, S, False),
    "s ones": (lambda e, s, x: s * ONES, S, False),
    "e / ones": (lambda e, s, x: e / ONES, N, False),
    "e / -ones": (lambda e, s, x: e / -ONES, S, False),
    "e times a tensor of one number": (lambda e, s, x: e * torch.tensor(-2.0).double(), S, False),
    "hardtanh s": (lambda e, s, x: F.hardtanh(s), S, False),
    "hardtanh s from 0": (lambda e, s, x: F.hardtanh(s, 0.0, 2.0), N, False),
    "hardtanh s from 0.5": (lambda e, s, x: F.hardtanh(s, 0.5, 2.0), N, False),
    "hardtanh e": (lambda e, s, x: F.hardtanh(e), N, False),
    "s clamped": (lambda e, s, x: s.clamp(min=0), N, False),
    "s clamped at 1": (lambda e, s, x: s.clamp(1.0, 2.0), N, False),
    "s clamped at -1": (lambda e, s, x: s.clamp(min=-1.0), S, False),
    "s clamped above": (lambda e, s, x: s.clamp(max=1.0), S, False),
    "e clamped above": (lambda e, s, x: e.clamp(max=1.0), N, False),
    "e clamped below 0": (lambda e, s, x: e.clamp(max=-1.0), S, False),
    "e clamped at 0": (lambda e, s, x: e.clamp(max=0.0), N, False),
    "hardtanh e below 0": (lambda e, s, x: F.hardtanh(e, -2.0, -1.0), S, False),
    "hardtanh e to 0": (lambda e, s, x: F.hardtanh(e, -2.0, 0.0), N, False),
    "the larger of s and zeros": (lambda e, s, x: torch.maximum(s, 0 * ONES), N, False),
    "x beside a constant": (lambda e, s, x: with_constant(x, 0.5), S, True),
    "x in a buffer in its range": (lambda e, s, x: filled(0.5 * torch.ones(5, 4).double(), x), B, True),
    "x in a buffer at the end of its range": (lambda e, s, x: filled(torch.ones(5, 4).double(), x), B, True),
    "x in a buffer at its other end": (lambda e, s, x: filled(torch.zeros(5, 4).double(), x), B, True),
    "x in a buffer beyond it": (
        lambda e, s, x: filled(with_constant(torch.ones(5, 4), 1.5).double(), x),
        S,
        True,
    ),
    "x in a buffer below it": (
        lambda e, s, x: filled(with_constant(torch.ones(5, 4), -1.0).double(), x),
        S,
        True,
    ),
    "e in a buffer of zeros": (lambda e, s, x: filled(torch.zeros(5, 4).double(), e), N, False),
    "e in a buffer of either sign": (lambda e, s, x: filled(MIXED.repeat(5, 1), e), S, False),
    "s in a buffer": (lambda e, s, x: filled(MIXED.repeat(5, 1), s), S, False),
    "e beside a constant": (lambda e, s, x: with_constant(e, 0.5), N, False),
    "e beside a constant below 0": (lambda e, s, x: with_constant(e, -0.5), S, False),
    "s beside a constant": (lambda e, s, x: with_constant(s, 0.5), S, False),
    "x times a tensor of one number": (lambda e, s, x: x * torch.tensor(2.0).double(), B, True),
    "e times a tensor of minus one": (lambda e, s, x: e * torch.tensor(-1.0).double(), S, False),
    "s and e in a buffer": (lambda e, s, x: filled(torch.zeros(5, 4).double(), s, e), S, False),
    "e and x in a buffer": (lambda e, s, x: filled(torch.zeros(5, 4).double(), e, x), S, True),
    "e beside a negative constant": (
        lambda e, s, x: torch.cat([e[:, :2], -ONES[:2].repeat(5, 1)], 1),
        f"{N} and {S}",
        False,
    ),
    "tanh e": (lambda e, s, x: torch.tanh(e), N, False),
    "tanh s": (lambda e, s, x: torch.tanh(s), S, False),
    "tanh x": (lambda e, s, x: torch.tanh(x), S, False),
    "relu x": (lambda e, s, x: torch.relu(x), N, False),
    "sigmoid s": (lambda e, s, x: torch.sigmoid(s), N, False),
    "hardsigmoid s": (lambda e, s, x: F.hardsigmoid(s), N, False),
    "relu6 s": (lambda e, s, x: F.relu6(s), N, False),
    "softplus s": (lambda e, s, x: F.softplus(s), N, False),
    "gelu s": (lambda e, s, x: F.gelu(s), S, False),
    "a gate of e": (lambda e, s, x: torch.sigmoid(s) * e, N, False),
    "e by a gate": (lambda e, s, x: e * torch.sigmoid(s), N, False),
    "a gate of s": (lambda e, s, x: torch.sigmoid(s) * s, S, False),
    "a gate of ones": (lambda e, s, x: torch.sigmoid(s) * ONES, N, False),
    "a gate of zeros": (lambda e, s, x: torch.sigmoid(s) * (0 * ONES), N, False),
    "a gate of mixed": (lambda e, s, x: torch.sigmoid(s) * MIXED, S, False),
    "a gate of a gate": (lambda e, s, x: torch.sigmoid(s) * torch.sigmoid(-s), N, False),
    "a gate less 1": (lambda e, s, x: torch.sigmoid(s) - 1, S, False),
    "1 - a gate": (lambda e, s, x: 1 - torch.sigmoid(s), N, False),
    "1/2 - a gate": (lambda e, s, x: 0.5 - torch.sigmoid(s), S, False),
    "pooled e": (lambda e, s, x: F.avg_pool1d(e, 1), N, False),
    "pooled s": (lambda e, s, x: F.avg_pool1d(s, 1), S, False),
    "pooled x": (lambda e, s, x: F.avg_pool1d(x, 1), B, False),
    "mean of e": (lambda e, s, x: torch.stack([e, e]).mean(0), N, False),
    "flipped x": (lambda e, s, x: x.flip(1), B, True),
    "e beside s": (lambda e, s, x: torch.cat([e[:, :2], s[:, 2:]], 1), f"{N} and {S}", False),
    "x beside e": (lambda e, s, x: torch.cat([x[:, :2], e[:, 2:]], 1), f"{B} and {N}", True),
    "x beside x": (lambda e, s, x: torch.cat([x[:, :2], x[:, 2:]], 1), B, True),
    "e beside s, stacked": (lambda e, s, x: torch.stack([e[:, 0], s[:, 1], e[:, 2], e[:, 3]], 1), S, False),
    "e beside ones": (lambda e, s, x: torch.cat([e[:, :2], ONES[:2].expand(len(e), 2)], 1), N, False),
    "e padded": (lambda e, s, x: F.pad(e[:, 1:], (1, 0)), N, False),
    "x padded": (lambda e, s, x: F.pad(x[:, 1:], (1, 0)), B, True),
}


@pytest.mark.parametrize("name", READS)
def test_domains(name):
    form, reads, is_input = READS[name]
    net, x = between(form)
    rules = {"input": "lrp-flat", "*": "lrp-w2"}
    table = check(net, x, "lrp", bounds=(0.0, 1.0), rules=rules)
    last = table[table.layer == "out"].iloc[0]
    assert (last.reads, last.rule) == (reads, "flat" if is_input else "w^2")


PADDED = {
    (0.0, 1.0): B,
    (-1.0, 1.0): B,
    (-2.0, 1.0): B,
    (0.0, 1.5): B,
    (-1.0, 0.0): B,
    (0.5, 3.0): S,
    (-2.0, -0.5): S,
}


def test_pixels_that_are_never_negative_stay_so_when_pooled():
    net, x = between(lambda e, s, x: F.avg_pool1d(x, 1))
    table = check(net, x, "lrp-eps", bounds=(0, INF))
    assert table[table.layer == "out"].iloc[0].reads == N


@pytest.mark.parametrize("bounds", PADDED)
def test_zeros_beside_pixels_may_be_beyond_their_range(bounds):
    net, x = between(lambda e, s, x: F.pad(x[:, 1:], (1, 0)))
    x = bounds[0] + (bounds[1] - bounds[0]) * x
    table = check(net, x, "lrp-eps", bounds=bounds)
    assert table[table.layer == "out"].iloc[0].reads == PADDED[bounds]


# Kinds of layers


class Kinds(nn.Module):
    """One layer of each kind, the recurrent ones in all forms; inputs (N, 4, 4)."""

    def __init__(self):
        super().__init__()
        self.convolution, self.scaling = nn.Conv1d(4, 4, 1), nn.BatchNorm1d(4)
        self.rnn, self.gru = nn.RNN(4, 4, batch_first=True), nn.GRU(4, 4, batch_first=True)
        self.lstm = nn.LSTM(4, 4, batch_first=True, proj_size=3)
        self.dense = nn.Linear(3, 3)

    def forward(self, x):
        e = torch.relu(self.convolution(x))
        e = F.avg_pool1d(self.scaling(e), 1)
        e = e + self.rnn(e)[0]
        return self.dense(self.lstm(self.gru(e)[0])[0].mean(1))


KINDS = [
    # layer, its kind, how often it is used, what it reads
    ("convolution", "convolution", 1, "unknown"),
    ("scaling", "scaling", 1, N),
    ("avg_pool1d", "pooling", 1, S),
    ("rnn.l0", "recurrent", 4, f"{N} and {S}"),
    ("add", "sum", 1, S),
    ("gru.l0", "recurrent", 4, f"{N} and {S}"),
    ("gru.l0", "sum", 8, f"{N} and {S}"),
    ("lstm.l0", "recurrent", 4, f"{N} and {S}"),
    ("lstm.l0", "sum", 4, f"{N} and {S}"),
    ("lstm.l0.projection", "recurrent", 4, S),
    ("mean", "pooling", 1, S),
    ("dense", "dense", 1, S),
]


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_kinds_of_layers():
    table = check(Kinds().eval(), torch.rand(2, 4, 4), "lrp-eps")
    rows = table[["layer", "kind", "uses", "reads"]].itertuples(index=False, name=None)
    assert list(rows) == KINDS


def test_recurrent_weights_that_no_module_holds():
    """Weights that are computed have no name and no layer of their own, and are the same layer otherwise."""
    plain, x = (
        nn.RNNCell(4, 4).double(),
        torch.rand(3, 2, 4, generator=torch.Generator().manual_seed(0)).double(),
    )
    out = nn.Linear(4, 3).double()

    class Twice(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.plain, self.out, self.factor = plain, out, factor

        def forward(self, x):
            h = x.new_zeros(len(x), 4)
            for step in range(2):
                weights = plain.weight_ih, plain.weight_hh, plain.bias_ih, plain.bias_hh
                if self.factor:
                    weights = tuple(self.factor * weight for weight in weights)
                h = torch.rnn_tanh_cell(x[:, step], h, *weights)
            return self.out(h)

    for method in ("lrp-eps", "lrp-gamma", "lrp-w2", "taylor"):
        named, computed = (rnnxai.explain(Twice(factor), x, 0, method) for factor in (None, 1.0))
        torch.testing.assert_close(named, computed)
    _, ledger = rnnxai.explain(Twice(1.0), x, 0, "lrp-eps", return_ledger=True)
    assert {"recurrent", "out"} <= set(ledger.table().layer)


# The books of recurrent modules


class Unrolled(nn.Module):
    """A recurrent module, or its cell with the same weights called step by step; inputs (N, T, 4)."""

    def __init__(self, kind, *, by_cell, first=None):
        super().__init__()
        torch.manual_seed(0)
        self.recurrent = getattr(nn, kind)(4, 4, batch_first=True)
        self.out, self.kind, self.by_cell, self.first = nn.Linear(4, 3), kind, by_cell, first
        if by_cell:
            cell = getattr(nn, kind + "Cell")(4, 4)
            cell.load_state_dict({k.removesuffix("_l0"): v for k, v in self.recurrent.state_dict().items()})
            self.recurrent = cell

    def forward(self, x):
        h = x.new_full((len(x), 4), 0.5)
        state = (h, h) if self.kind == "LSTM" else h
        if not self.by_cell:
            given = tuple(s[None] for s in state) if self.kind == "LSTM" else state[None]
            return self.out(self.recurrent(x, given)[0][:, -1])
        for step in x.unbind(1):
            state = self.recurrent(step, state)
        return self.out(state[0] if self.kind == "LSTM" else state)


@pytest.mark.parametrize("gates", ["all", "half"])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_books_of_a_module_and_of_its_cell(kind, gates):
    x = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = {}
    for by_cell in (False, True):
        net = Unrolled(kind, by_cell=by_cell).double().eval()
        relevance, ledger = rnnxai.explain(net, x, 0, "lrp-eps", gates=gates, return_ledger=True)
        table = ledger.table()
        lost = table[["outgoing", "bias", "stabiliser", "dropped", "initial_state"]].sum(axis=1)
        scale = table.incoming.abs().max()
        weighted = table[(table.layer != "out")].assign(kept=lost)
        steps = weighted.groupby("step")[["incoming", "kept", "bias", "initial_state"]].sum()
        assert steps.index.tolist() == [0, 1, 2, 3]
        assert (steps.incoming - steps.kept).abs().max() < 1e-10 * scale
        assert steps.initial_state[0] != 0
        assert not steps.initial_state[2:].any()
        found[by_cell] = relevance, steps
    torch.testing.assert_close(found[False][0], found[True][0])
    assert (found[False][1] - found[True][1]).abs().max().max() < 1e-10 * scale


class Early(nn.Module):
    """Read the output of a recurrent module at one step."""

    def __init__(self, kind, step):
        super().__init__()
        torch.manual_seed(0)
        self.recurrent, self.step = getattr(nn, kind)(4, 4, batch_first=True), step
        self.out = nn.Linear(4, 3)

    def forward(self, x):
        return self.out(self.recurrent(x)[0][:, self.step])


@pytest.mark.parametrize("method", ["lrp-eps", "lrp-w2", "taylor"])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_steps_after_the_last_that_is_read_get_nothing(kind, method):
    net = Early(kind, 1).double()
    x = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = rnnxai.explain(net, x, 0, method)
    assert not found[:, 2:].any()
    torch.testing.assert_close(found[:, :2], rnnxai.explain(net, x[:, :2], 0, method))


class FirstStep(Shallow):
    """Shallow, but only the first of the projected steps is read."""

    def step(self, prepared, state):
        return torch.relu(self.hidden.complete(prepared)) if state is None else state


@pytest.mark.parametrize("method", ["dtd", "lrp-eps", "lrp-w2", "taylor"])
def test_projected_steps_that_nothing_reads_get_nothing(method):
    options = {"patch": (3, 2), "classes": 3, "dropout": 0.0, "bias": "plain", "hidden": 5, "recurrent": 4}
    cell = FirstStep(folds=1, **options)
    long, short = (Classifier(cell, (3, 2 * steps), steps).double().eval() for steps in (4, 1))
    rng = torch.Generator().manual_seed(2)
    for layer in long.affine_layers().values():
        layer.initialise([rng], scale=3)
    images = 2 * torch.rand(3, 1, 3, 8, generator=rng, dtype=torch.float64) - 1
    for targets in range(3):
        found = rnnxai.explain(long, images, targets, method)
        assert not found[..., 2:].any()
        torch.testing.assert_close(found[..., :2], rnnxai.explain(short, images[..., :2], targets, method))


class Constant(Shallow):
    """Shallow, but what it projects is a constant."""

    def prepare(self, patches):
        return self.hidden.project(torch.ones_like(patches))


def test_a_projected_constant_is_named():
    options = {"patch": (3, 2), "classes": 3, "dropout": 0.0, "bias": "plain"}
    net = Classifier(Constant(folds=1, **options), (3, 8), 4)
    with pytest.raises(rnnxai.Error, match="'hidden' projects a constant"):
        rnnxai.explain(net, torch.zeros(2, 1, 3, 8), 0, "lrp-eps")


class ByReading:
    """Different rules for the same layer, as it reads: the first state, of zeros, has no sign."""

    def channels(self, domains, reader):
        return (WSquare() if Domain.SIGNED in domains else Flat()).channels(domains, reader)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_steps_of_a_projection_may_have_rules_of_their_own(kind):
    x = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    strategy = Strategy(rule=ByReading(), gates="half")
    maps = []
    for by_cell in (False, True):
        net = Unrolled(kind, by_cell=by_cell).double().eval()
        _, found = explain_batch(Plan(net, (0, INF)), x, torch.zeros(3, dtype=torch.long), {"": strategy})
        maps.append(found[""].relevance)
    torch.testing.assert_close(*maps)


# The gradient of every activation

ACTIVATIONS = {
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hardsigmoid": F.hardsigmoid,
    "relu6": F.relu6,
    "softplus": F.softplus,
    "celu": F.celu,
    "elu": F.elu,
    "gelu": F.gelu,
    "hardshrink": F.hardshrink,
    "hardswish": F.hardswish,
    "leaky relu": F.leaky_relu,
    "leaky relu of another slope": lambda z: F.leaky_relu(z, 0.3),
    "leaky relu, slope by name": lambda z: F.leaky_relu(z, negative_slope=0.3),
    "mish": F.mish,
    "selu": F.selu,
    "silu": F.silu,
    "softshrink": F.softshrink,
    "softsign": F.softsign,
    "tanhshrink": F.tanhshrink,
    "atan": torch.atan,
    "asinh": lambda z: z.asinh(),
    "erf": torch.erf,
    "hardtanh": F.hardtanh,
    "hardtanh of other ends": lambda z: F.hardtanh(z, -3.0, 2.0),
    "relu in place": nn.ReLU(inplace=True),
    "leaky relu in place": nn.LeakyReLU(0.3, inplace=True),
    "elu in place": nn.ELU(inplace=True),
    "hardtanh in place": nn.Hardtanh(-3.0, 2.0, inplace=True),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_of_activations(name):
    activation = ACTIVATIONS[name]
    net, x = between(lambda e, s, x: activation(1.0 * s))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    assert gradient.any()
    found = rnnxai.explain(net, x, 1, "taylor", bounds=(0, 1))
    torch.testing.assert_close(found, x * gradient, rtol=1e-10, atol=1e-12)


# Sums, differences and products with every kind of operand: LRP-0 is the gradient times the input


FORMS = {
    "rsub of a number": lambda e, s, x: torch.rsub(e, 1.5),
    "rsub of signals": lambda e, s, x: torch.rsub(e, s, alpha=2),
    "rsub of a constant": lambda e, s, x: torch.rsub(ONES, e, alpha=2),
    "rsub from a constant": lambda e, s, x: torch.rsub(e, ONES, alpha=2),
    "sub from a constant": lambda e, s, x: torch.sub(ONES, e, alpha=2),
    "sub of a constant": lambda e, s, x: torch.sub(e, ONES, alpha=2),
    "sub of signals": lambda e, s, x: torch.sub(e, s, alpha=2),
    "add to a constant": lambda e, s, x: torch.add(ONES, e, alpha=2),
    "add of a constant": lambda e, s, x: torch.add(e, ONES, alpha=2),
    "add of signals": lambda e, s, x: torch.add(e, s, alpha=-2),
    "constants added": lambda e, s, x: e + torch.add(ONES, MIXED, alpha=3),
    "constants subtracted": lambda e, s, x: e + torch.sub(ONES, MIXED, alpha=3) + (ONES - MIXED),
    "constants multiplied": lambda e, s, x: e * (MIXED * (ONES + MIXED)),
    "constants divided": lambda e, s, x: e * (MIXED / (3 * ONES)),
    "a constant negated": lambda e, s, x: e * -MIXED,
    "a constant activated": lambda e, s, x: e * torch.relu(MIXED) + torch.tanh(MIXED),
    "a tensor of one number": lambda e, s, x: e * torch.tensor(-3.0).double() + torch.tensor(2.0).double(),
    "divided by a tensor": lambda e, s, x: e / (MIXED - 5),
    "addmm": lambda e, s, x: torch.addmm(MIXED, e, SQUARE),
    "addmm, a bias of one": lambda e, s, x: torch.addmm(ONES[:1], e, SQUARE),
    "matmul": lambda e, s, x: e @ SQUARE,
    "constants in addmm": lambda e, s, x: e + torch.addmm(MIXED, SQUARE, SQUARE)[0],
    "constants in matmul": lambda e, s, x: e + (SQUARE @ SQUARE)[1],
    "clamped below": lambda e, s, x: s.clamp(min=0),
    "clamped below and above": lambda e, s, x: s.clamp(0.0, 100.0),
    "pooled to one": lambda e, s, x: torch.cat([F.avg_pool1d(s, 4), e[:, 1:]], 1),
    "pooled to one, by axes": lambda e, s, x: torch.cat([F.avg_pool1d(s, 4, 1), e[:, 1:]], 1),
    "pooled beyond the edge": lambda e, s, x: F.avg_pool1d(torch.cat([s, e[:, :1]], 1), 3, 1, 1)[:, :4],
    "a mean by numpy's name": lambda e, s, x: s + s.mean(axis=1, keepdim=True),
    "a mean by position": lambda e, s, x: s + s.mean(1, True),
    "a mean without its axis": lambda e, s, x: s + s.mean(1)[:, None],
    "a padded constant": lambda e, s, x: s + F.pad(ONES[:3], (0, 1)),
    "the larger signal": lambda e, s, x: torch.maximum(s, e.flip(1)),
    "the smaller signal": lambda e, s, x: torch.minimum(s, e.flip(1)),
    "the larger, by max": lambda e, s, x: torch.max(s, e.flip(1)),
    "the smaller, by min": lambda e, s, x: torch.min(s, e.flip(1)),
    "the larger of a constant": lambda e, s, x: torch.maximum(s, MIXED),
    "the smaller of a constant": lambda e, s, x: torch.minimum(MIXED, s),
    "the larger of zeros": lambda e, s, x: torch.maximum(s, 0 * ONES),
    "the larger of constants": lambda e, s, x: s + torch.maximum(ONES, MIXED) + torch.max(ONES, MIXED),
    "a copy": lambda e, s, x: torch.zeros_like(s).copy_(s),
    "a buffer filled with signals": lambda e, s, x: filled(torch.zeros_like(s), s, e),
    "a buffer of constants": lambda e, s, x: filled(MIXED.expand(len(s), 4).clone(), s, e[:, :0]),
    "the largest of constants": lambda e, s, x: s + SQUARE.max(1).values + MIXED.max() + SQUARE.min(0)[0],
    "the larger of a signal of zeros": lambda e, s, x: torch.maximum(s, 0 * e),
    "a mean by position, without its axis": lambda e, s, x: s + s.mean(1, False)[:, None],
    "activated in place": lambda e, s, x: activated_in_place(1.0 * s),
    "a keyword after a write in place": lambda e, s, x: by_keyword(1.0 * s, e),
    "samples under each other": lambda e, s, x: (torch.cat([e, s]) @ SQUARE)[: len(e)] + s,
    "samples under each other, by name": lambda e, s, x: (torch.cat([e, s], dim=0) @ SQUARE)[len(e) :],
    "beside each other, from the end": lambda e, s, x: torch.cat([e, s], dim=-1) @ torch.cat([SQUARE] * 2),
    "padded samples": lambda e, s, x: F.pad(s, (0, 0, 1, 2))[1:-2],
    "padded and cut": lambda e, s, x: F.pad(s, (2, 1))[:, 2:-1],
    "padded on two axes": lambda e, s, x: F.pad(s.view(-1, 2, 2), (1, 0, 0, 2))[:, :2, 1:].flatten(1),
    "repeated samples": lambda e, s, x: F.pad(s[:, None], (1, 1), mode="replicate")[:, 0, 1:-1],
    "a column beside a row": lambda e, s, x: e[:, :1] + s[:, 1:2] * MIXED,
}


@pytest.mark.parametrize("name", FORMS)
def test_forms(name):
    net, x = between(FORMS[name])
    leaf = x.clone().requires_grad_()
    score = net(leaf)[:, 1]
    (gradient,) = torch.autograd.grad(score.sum(), leaf)
    assert gradient.any()
    for method in ("taylor", "lrp-0"):
        found = rnnxai.explain(net, x, 1, method, bounds=(0, 1))
        torch.testing.assert_close(found, x * gradient, rtol=1e-9, atol=1e-10)
    _, ledger = rnnxai.explain(net, x, 1, "lrp-0", bounds=(0, 1), return_ledger=True)
    assert abs(ledger.residual).max() < 1e-10
    torch.testing.assert_close(torch.from_numpy(ledger.start), score.detach())


CONSTANT_GATE = torch.sigmoid(MIXED)
GATED = {
    # the same with gates, whose gradient is followed
    "a gate first": lambda e, s, x: torch.sigmoid(s) * e,
    "a gate last": lambda e, s, x: e * torch.sigmoid(s),
    "a gate of a gate": lambda e, s, x: torch.sigmoid(s) * torch.sigmoid(-e) * e,
    "a gate of a constant": lambda e, s, x: torch.sigmoid(s) * MIXED,
    "a gate of a tensor of one number": lambda e, s, x: torch.sigmoid(s) * torch.tensor(2.0).double() * e,
    "a gate of a number": lambda e, s, x: 2 * torch.sigmoid(s) * e,
    "one minus a gate": lambda e, s, x: (1 - torch.sigmoid(s)) * e,
    "a gate that is constant": lambda e, s, x: CONSTANT_GATE * e,
    "a gate for all units": lambda e, s, x: torch.sigmoid(s[:, :1]) * e,
    "an outer product": lambda e, s, x: (torch.sigmoid(s)[:, :, None] * e[:, None]).sum(1),
    "no gate at all": lambda e, s, x: s * e,
}


@pytest.mark.parametrize("name", GATED)
def test_gradients_of_gated_forms(name):
    net, x = between(GATED[name])
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    assert gradient.any()
    found = rnnxai.explain(net, x, 1, "taylor", bounds=(0, 1))
    torch.testing.assert_close(found, x * gradient, rtol=1e-9, atol=1e-10)


TWO_GATES = {
    "a product of gates": lambda e, s, x: torch.sigmoid(s) * torch.sigmoid(-s),
    "in place of a state": lambda e, s, x: torch.sigmoid(s) * (1 - torch.sigmoid(s)) + e,
}


@pytest.mark.parametrize("name", TWO_GATES)
def test_a_product_of_gates_needs_a_gate_rule(name):
    net, x = between(TWO_GATES[name])
    with torch.no_grad():
        net.out.weight[1, 0] = 0  # so nothing arrives at one of the products
    options = {"bounds": (0, 1), "return_ledger": True}
    with pytest.raises(rnnxai.Error, match="multiplies two gates"):
        rnnxai.explain(net, x, 1, "lrp-0", **options)
    for gates in ("half", "prop", "abs"):
        _, ledger = rnnxai.explain(net, x, 1, "lrp-0", gates=gates, **options)
        assert_closed(ledger)
    with torch.no_grad():
        net.out.weight[1] = 0
    relevance, ledger = rnnxai.explain(net, x, 1, "lrp-0", **options)
    assert not relevance.any()


def assert_closed(ledger):
    """Every row of the books closes, and they do as a whole."""
    table = ledger.table()
    kept = table[["outgoing", "bias", "stabiliser", "dropped", "initial_state"]].sum(axis=1)
    scale = max(table.incoming.abs().max(), abs(ledger.start).max())
    assert (table.incoming - kept).abs().max() < 1e-10 * scale
    assert (table.step >= 0).all()
    assert abs(ledger.residual).max() < 1e-10 * scale


@pytest.mark.parametrize("gates", ["all", "half", "abs"])
@pytest.mark.parametrize("method", ["lrp-eps", "lrp-w2"])
@pytest.mark.parametrize("name", [name for name in GATED if name not in ("no gate at all",)])
def test_books_of_gated_forms_close(name, method, gates):
    net, x = between(GATED[name])
    try:
        _, ledger = rnnxai.explain(net, x, 1, method, bounds=(0, 1), gates=gates, return_ledger=True)
    except rnnxai.Error as error:
        assert "two gates" in str(error)
        assert (name, gates) == ("a gate of a gate", "all")
    else:
        assert_closed(ledger)


@pytest.mark.parametrize("gates", ["all", "half", "abs"])
def test_a_constant_takes_nothing_from_its_gate(gates):
    """What a gate of a constant holds passes through its sigmoid into the layer that computed it."""
    net, x = between(lambda e, s, x: torch.sigmoid(s) * MIXED)
    found = at_layers(net, x, 1, "lrp-0", layers=["a"], bounds=(0, 1), gates=gates)["a"]
    gate = torch.sigmoid(net.a(x)).detach()
    torch.testing.assert_close(found, gate * MIXED * net.out.weight[1].detach())  # LRP-0: x w z / z


@pytest.mark.parametrize("gates, share", [("all", 1.0), ("half", 0.5), ("abs", None)])
def test_what_a_learned_state_takes_beside_its_gate(gates, share):
    net, x = between(lambda e, s, x: torch.sigmoid(s) * net.state)
    net.state = nn.Parameter(MIXED.clone())
    options = {"bounds": (0, 1), "gates": gates, "return_ledger": True}
    _, ledger = rnnxai.explain(net, x, 1, "lrp-0", **options)
    gate = torch.sigmoid(net.a(x)).detach()
    arrived = gate * MIXED * net.out.weight[1].detach()  # LRP-0: x w z / z
    right = arrived * (MIXED.abs() / (MIXED.abs() + gate) if share is None else share)
    for sample in range(len(x)):
        rows = ledger.table(sample).set_index("layer")
        assert rows.loc["mul"].initial_state == pytest.approx(right[sample].sum().item())
        assert rows.loc["mul"].incoming == rows.loc["mul"].initial_state
        assert rows.loc["mul"].step == 0
    assert_closed(ledger)


def test_sums_that_lose_nothing_have_no_rows():
    net, x = between(lambda e, s, x: s + e.flip(1))
    for method, lost in (("lrp-0", False), ("lrp-eps", True)):
        _, ledger = rnnxai.explain(net, x, 1, method, bounds=(0, 1), return_ledger=True)
        assert ("add" in set(ledger.table().layer)) == lost
        assert_closed(ledger)


def test_a_batch_norm_without_statistics_has_a_gradient_alone():
    net, x = between(lambda e, s, x: net.norm(s))
    net.norm = nn.BatchNorm1d(4, track_running_stats=False).double().eval()
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(rnnxai.explain(net, x, 1, "taylor", bounds=(0, 1)), x * gradient)
    with pytest.raises(rnnxai.Error, match="mixes the samples"):
        rnnxai.explain(net, x, 1, "lrp-0", bounds=(0, 1))


def test_what_stands_on_padding_is_dropped():
    net, x = between(lambda e, s, x: F.pad(s[:, 1:], (1, 0)))
    _, ledger = rnnxai.explain(net, x, 1, "lrp-w2", bounds=(0, 1), return_ledger=True)
    squares = net.out.weight[1].detach() ** 2
    for sample, start in enumerate(ledger.start):
        row = ledger.table(sample).set_index("layer").loc["pad"]
        assert row.dropped == pytest.approx(start * (squares[0] / squares.sum()).item())
        assert (row.incoming, row.step, row.outgoing) == (row.dropped, 0, 0)
    assert_closed(ledger)
    _, ledger = rnnxai.explain(net, x, 1, "lrp-0", bounds=(0, 1), return_ledger=True)
    assert "pad" not in set(ledger.table().layer)  # nothing is there, so it has no row


JOINED = {
    # where the books show it: a constant that is cut off again is read by the layer itself
    "cat": ("out", lambda e, s: torch.cat([ONES[:1].expand(len(e), 1), s[:, 1:]], 1)),
    "stack": ("stack", lambda e, s: torch.stack([ONES[0].expand(len(e)), s[:, 1], s[:, 2], s[:, 3]], 1)),
}


@pytest.mark.parametrize("name", JOINED)
def test_what_a_constant_takes_beside_a_signal(name):
    layer, form = JOINED[name]
    net, x = between(lambda e, s, x: form(e, s))
    _, ledger = rnnxai.explain(net, x, 1, "lrp-w2", bounds=(0, 1), return_ledger=True)
    squares = net.out.weight[1].detach() ** 2
    for sample, start in enumerate(ledger.start):
        row = ledger.table(sample).set_index("layer").loc[layer]
        assert row.initial_state == pytest.approx(start * (squares[0] / squares.sum()).item())
        assert row.incoming == pytest.approx(start if layer == "out" else row.initial_state)
        assert row.step == 0
    assert_closed(ledger)


def test_guided_backprop_stops_at_relus_alone():
    for form in (
        lambda e, s, x: torch.tanh(s),
        lambda e, s, x: 0.5 * s + 1,
        lambda e, s, x: -s / 3,
        lambda e, s, x: F.softplus(s),
    ):
        net, x = between(form)
        gradient = rnnxai.explain(net, x, 1, "sa", bounds=(0, 1))
        torch.testing.assert_close(rnnxai.explain(net, x, 1, "gb", bounds=(0, 1)), gradient)
    for relu in (
        lambda e, s, x: s.clamp(min=0),
        lambda e, s, x: torch.maximum(s, 0 * ONES),
        lambda e, s, x: torch.relu(s),
    ):
        net, x = between(relu)
        cotangent = net.out.weight[1].detach().clamp(min=0) * (net.a(x) > 0)
        right = (cotangent @ net.a.weight.detach()).square()
        torch.testing.assert_close(rnnxai.explain(net, x, 1, "gb", bounds=(0, 1)), right)


@pytest.mark.parametrize("bounds", [(0.5, 3.0), (-2.0, 3.0), (-3.0, -0.5)])
@pytest.mark.parametrize("pool", [nn.AvgPool1d(3, 1, 1), nn.AvgPool1d(4)], ids=str)
def test_the_range_of_pooled_pixels(pool, bounds):
    """Where padding is averaged in, a window's values lie nearer to 0."""
    low, high = bounds
    net = nn.Sequential(pool, nn.Flatten(), nn.LazyLinear(2)).double()
    rng = torch.Generator().manual_seed(0)
    x = low + (high - low) * torch.rand(3, 1, 4, generator=rng, dtype=torch.float64)
    net(x)
    with torch.no_grad():
        net[2].weight.copy_(torch.randn(net[2].weight.shape, generator=rng, dtype=torch.float64))
    least, most = (2 / 3, 1.0) if pool.padding[0] else (1.0, 1.0)
    w, p = net[2].weight[0].detach(), pool(x)[:, 0]
    z = (
        p * w
        - min(low * least, low * most) * w.clamp(min=0)
        - max(high * least, high * most) * w.clamp(max=0)
    )
    score = net(x)[:, :1].detach()
    right = z / z.sum(1, keepdim=True) * score
    found = at_layers(net, x, 0, "lrp-zplus", layers="0", bounds=bounds)["0"]
    torch.testing.assert_close(found[:, 0], right)
    _, ledger = rnnxai.explain(net, x, 0, "lrp-zplus", bounds=bounds, return_ledger=True)
    assert_closed(ledger)
    assert {"0", "2"} & set(ledger.table().layer) == {"2"}


def test_a_batch_norm_along_another_axis_than_the_units():
    """Behind a dense layer with outputs (N, L, C) it scales along L, so it stays a layer of its own."""
    net = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(15, 3)).double().eval()
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 4, generator=rng, dtype=torch.float64)
    with torch.no_grad():
        for values in [*net.parameters(), net[1].running_mean, net[1].running_var]:
            values.copy_(torch.rand(values.shape, generator=rng, dtype=torch.float64) + 0.1)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 0].sum(), leaf)
    torch.testing.assert_close(rnnxai.explain(net, x, 0, "lrp-0"), x * gradient)
    kinds = check(net, x, "lrp-0")
    assert kinds.kind.tolist() == ["dense", "scaling", "dense"]


CONVOLUTIONS = {
    "plain": (nn.Conv1d(2, 4, 3), (6,)),
    "valid": (nn.Conv1d(2, 4, 3, padding="valid"), (6,)),
    "valid, two axes": (nn.Conv2d(2, 4, (3, 2), padding="valid"), (5, 4)),
    "same, odd": (nn.Conv1d(2, 4, 3, padding="same"), (6,)),
    "same, even": (nn.Conv1d(2, 4, 2, padding="same"), (6,)),
    "same, dilated": (nn.Conv1d(2, 4, 4, padding="same", dilation=3), (12,)),
    "same, even and odd": (nn.Conv2d(2, 4, (2, 3), padding="same"), (4, 5)),
    "same, odd and even": (nn.Conv2d(2, 4, (3, 4), padding="same", dilation=(1, 3)), (4, 10)),
    "steps that do not fit": (nn.Conv1d(2, 4, 3, stride=2, padding=1), (6,)),
    "groups": (nn.Conv1d(2, 4, 3, groups=2), (6,)),
    "three axes": (nn.Conv3d(2, 4, 2, stride=(1, 2, 1), padding=(1, 0, 1)), (3, 4, 3)),
}


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name):
    convolution, shape = CONVOLUTIONS[name]
    net = nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)).double()
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(2, 2, *shape, generator=rng, dtype=torch.float64)
    net(x)
    with torch.no_grad():
        for values in net.parameters():
            values.copy_(torch.randn(values.shape, generator=rng, dtype=torch.float64))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    for method in ("taylor", "lrp-0"):
        torch.testing.assert_close(rnnxai.explain(net, x, 1, method), x * gradient)
    with torch.no_grad():
        convolution.weight.zero_()  # nobody but the inputs' values says who gets what
        if convolution.bias is not None:
            convolution.bias.fill_(1.0)
    rules = {"convolution": "lrp-w2", "*": "lrp-0"}
    found, ledger = rnnxai.explain(net, x, 1, "lrp", rules=rules, bounds=(0, INF), return_ledger=True)
    assert_closed(ledger)
    # Each unit holds its weight above, and spreads it over its window in proportion to the values.
    ones = nn.Sequential(type(convolution)(**options_of(convolution)), nn.Flatten()).double()
    with torch.no_grad():
        ones[0].weight.fill_(1.0)
    leaf = x.clone().requires_grad_()
    mass = ones(leaf)
    share = net[3].weight[1].detach() / mass.detach()
    (spread,) = torch.autograd.grad(mass, leaf, share)
    torch.testing.assert_close(found, x * spread)


def options_of(convolution):
    """Return the arguments of a convolution, without a bias."""
    names = ["in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups"]
    return {name: getattr(convolution, name) for name in names} | {"bias": False}


def test_a_batch_norm_of_a_sum_is_a_layer_of_its_own():
    net, x = between(lambda e, s, x: net.norm(e + s))
    net.norm = nn.BatchNorm1d(4).double().eval()
    assert check(net, x, "lrp-0", bounds=(0, 1)).kind.tolist() == ["dense", "sum", "scaling", "dense"]


def test_a_batch_norm_behind_a_layer_with_parts():
    net, x = between(lambda e, s, x: net.norm(net.join(torch.cat([x, e], 1))))
    net.norm, net.join = nn.BatchNorm1d(4).double().eval(), nn.Linear(8, 4).double()
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for values in [*net.norm.parameters(), net.norm.running_mean, net.norm.running_var]:
            values.copy_(torch.rand(values.shape, generator=rng, dtype=torch.float64) + 0.1)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(rnnxai.explain(net, x, 1, "lrp-0", bounds=(0, 1)), x * gradient)
    _, ledger = rnnxai.explain(net, x, 1, "lrp-eps", bounds=(0, 1), return_ledger=True)
    assert_closed(ledger)


def test_books_of_packed_sequences_are_kept_by_sample():
    net = Packed().double()
    x = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for lengths in ([4, 3, 1], [1, 4, 3]):
        ordered = lengths == sorted(lengths, reverse=True)
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=ordered)
        found, ledger = rnnxai.explain(net, packed, 0, "lrp-eps", return_ledger=True)
        rows, _ = nn.utils.rnn.pad_packed_sequence(found, batch_first=True)
        torch.testing.assert_close(torch.from_numpy(ledger.inputs), rows.sum((1, 2)))
        torch.testing.assert_close(torch.from_numpy(ledger.start), net(packed)[:, 0].detach())
        for sample, length in enumerate(lengths):
            alone = x[sample : sample + 1, :length]
            alone = nn.utils.rnn.pack_padded_sequence(alone, [length], batch_first=True)
            _, own = rnnxai.explain(net, alone, 0, "lrp-eps", return_ledger=True)
            assert ledger.lost[sample] == pytest.approx(own.lost[0])
            columns = ["incoming", "outgoing", "bias", "initial_state"]
            left, right = (
                table.groupby(["layer", "step"])[columns].sum()
                for table in (ledger.table(sample), own.table())
            )
            assert (left.loc[right.index] - right).abs().max().max() < 1e-12


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.recurrent, self.out = nn.GRU(4, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, packed):
        return self.out(self.recurrent(packed)[1][-1])


RECURRENT = [
    {},
    {"bias": False},
    {"num_layers": 2},
    {"num_layers": 2, "bias": False},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "bias": False},
    {"batch_first": True},
]


@pytest.mark.parametrize("options", RECURRENT, ids=str)
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_gradients_of_recurrent_modules(kind, options):
    torch.manual_seed(0)
    module = getattr(nn, kind)(4, 3, **options).double()
    net = Both(module, nn.Linear(6 if options.get("bidirectional") else 3, 3)).double()
    x = torch.randn(3, 3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(rnnxai.explain(net, x, 1, "taylor"), x * gradient)


class Both(nn.Module):
    """A recurrent module whose first axis is the batch, and a layer that reads the mean of its outputs."""

    def __init__(self, module, out):
        super().__init__()
        self.module, self.out = module, out

    def forward(self, x):
        x = x if self.module.batch_first else x.transpose(0, 1)
        outputs = self.module(x)[0]
        return self.out(outputs.mean(1 if self.module.batch_first else 0))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_cell_that_reads_constants_is_constant(kind):
    torch.manual_seed(0)
    cell = getattr(nn, kind + "Cell")(4, 4).double()

    def first(h):
        return h[0] if kind == "LSTM" else h

    net, x = between(lambda e, s, x: e + first(cell(ONES[None])))
    plain, _ = between(lambda e, s, x: e + first(cell(ONES[None])).detach())
    found, right = (rnnxai.explain(model, x, 1, "lrp-eps", bounds=(0, 1)) for model in (net, plain))
    torch.testing.assert_close(found, right)


def test_several_methods_on_one_plan_are_each_as_alone():
    net, x = between(lambda e, s, x: e + net.state * torch.sigmoid(s))
    net.state = nn.Parameter(MIXED.clone())
    methods = ["lrp-0", "lrp-w2", "lrp-gamma", "lrp-flat", "sa", "lrp-eps"]
    strategies = {method: make_strategy(method) for method in methods}
    targets = torch.zeros(5, dtype=torch.long)
    _, found = explain_batch(Plan(net, (0.0, 1.0)), Inputs(x), Target(targets), strategies)
    for method in methods:
        alone = rnnxai.explain(net, x, 0, method, bounds=(0, 1))
        torch.testing.assert_close(found[method].relevance, alone)


def test_what_is_no_score_is_refused():
    net, x = between(lambda e, s, x: e)
    pair = Pair(net)
    with pytest.raises(rnnxai.Error, match="the model returns tuple"):
        explain_batch(Plan(pair, (0.0, 1.0)), x, torch.zeros(5, dtype=torch.long), {"": make_strategy("sa")})


class Pair(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, *more):
        scores = self.net(x)
        return (scores, scores) if not more else scores + more[0]


def test_further_arguments_may_be_a_list():
    net, x = between(lambda e, s, x: e)
    right = rnnxai.explain(net, x, 0, "lrp-eps", bounds=(0, 1))
    for given in ([1.0], (1.0,)):
        found, ledger = rnnxai.explain(
            Pair(net), x, 0, "lrp-eps", bounds=(0, 1), forward_args=given, return_ledger=True
        )
        assert found.shape == right.shape
        assert ledger.start[0] == pytest.approx(net(x)[0, 0].item() + 1)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_books_of_tokens(dtype):
    """They are whole numbers of either size; each sample has books of its own."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(12, 3)).double()
    tokens = torch.tensor([[1, 2, 3], [3, 2, 2]], dtype=dtype)
    found, ledger = rnnxai.explain(net, tokens, 0, "lrp-eps", return_ledger=True)
    embedded = net[0](tokens).detach()
    right = (embedded.flatten(1) * net[2].weight[0].detach()).view(2, 3, 4).sum(2)
    torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(torch.from_numpy(ledger.inputs), found.sum(1))
    assert_closed(ledger)
    with pytest.raises(rnnxai.Error, match=r"needs inputs between which .* torch.int"):
        rnnxai.explain(net, tokens, 0, "smoothgrad")


def test_a_packed_input_has_no_noisy_copies():
    packed = nn.utils.rnn.pack_padded_sequence(torch.rand(2, 3, 4).double(), [3, 2], batch_first=True)
    with pytest.raises(rnnxai.Error, match=r"torch\.float64, packed"):
        rnnxai.explain(Packed().double(), packed, 0, "smoothgrad")
    inputs = Inputs(packed)
    assert inputs.numbers(packed.data).dtype == torch.float64


def test_a_layer_that_is_used_twice_has_two_steps_in_the_books():
    net, x = between(lambda e, s, x: net.again(torch.relu(net.again(e))))
    net.again = nn.Linear(4, 4).double()
    _, ledger = rnnxai.explain(net, x, 1, "lrp-eps", bounds=(0, 1), return_ledger=True)
    table = ledger.table()
    assert sorted(table[table.layer == "again"].step) == [0, 1]
    assert_closed(ledger)


def test_the_steps_of_our_own_networks():
    """The recurrent layer first acts at the second step."""
    net = rnnxai.build_model("shallow", image_size=(3, 8), steps=4, classes=3, hidden=7, recurrent=5, seed=0)
    images = torch.rand(2, 1, 3, 8, generator=torch.Generator().manual_seed(0))
    _, ledger = rnnxai.explain(net, images, 0, "lrp-eps", return_ledger=True)
    table = ledger.table()
    steps = {layer: sorted(rows.step) for layer, rows in table.groupby("layer")}
    assert steps["hidden"] == [0, 1, 2, 3]
    assert steps["recurrent"] == [1, 2, 3]


class Kernels(Cell):
    """Convolutions whose kernels are of even and different sides."""

    def __init__(self, padding):
        super().__init__()
        self.convolution = Convolution(1, (1,), 3, (2, 5), padding, "plain")
        self.out = Affine(1, (3 * 24 if padding == "same" else 3 * 8,), 3, "plain")

    def prepare(self, patches):
        return patches.unbind(1)

    def step(self, prepared, state):
        return torch.relu(self.convolution(prepared.reshape(1, -1, 1, 3, 8)))

    def readout(self, state):
        return self.out(state.flatten(2))


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_kernels_of_any_sides(padding):
    net = Classifier(Kernels(padding), (3, 8), 1).double().eval()
    rng = torch.Generator().manual_seed(2)
    for layer in net.affine_layers().values():
        layer.initialise([rng], scale=3)
        with torch.no_grad():
            layer.bias.copy_(torch.randn(layer.bias.shape, generator=rng, dtype=torch.float64))
    images = 2 * torch.rand(3, 1, 3, 8, generator=rng, dtype=torch.float64) - 1
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    for method in ("taylor", "lrp-0"):
        torch.testing.assert_close(rnnxai.explain(net, images, 1, method), images * gradient)
    _, ledger = rnnxai.explain(net, images, 1, "lrp-0", return_ledger=True)
    assert_closed(ledger)


def test_layers_of_the_same_short_name_are_told_apart():
    net, x = between(lambda e, s, x: net.cell.a(e))
    net.cell = nn.Module()
    net.cell.a, net.cell.only = nn.Linear(4, 4).double(), nn.Linear(4, 4).double()
    assert check(net, x, "lrp-eps", bounds=(0, 1)).layer.tolist() == ["a", "cell.a", "out"]


def test_weights_in_a_buffer_have_a_name():
    net, x = between(lambda e, s, x: F.linear(e, net.fixed))
    net.register_buffer("fixed", SQUARE)
    assert check(net, x, "lrp-eps", bounds=(0, 1)).layer.tolist() == ["a", "fixed", "out"]


def test_addmm_is_a_dense_layer():
    net, x = between(lambda e, s, x: torch.addmm(MIXED, e, SQUARE))
    assert check(net, x, "lrp-eps", bounds=(0, 1)).kind.tolist() == ["dense"] * 3


@pytest.mark.parametrize("name", ["a buffer filled with signals", "a buffer of constants", "a turned buffer"])
def test_books_of_buffers_are_kept_by_sample(name):
    turned = lambda e, s, x: filled(MIXED[:, None].repeat(1, len(s)).T, s, e[:, :0]) + turn(s)  # noqa: E731
    net, x = between(turned if name == "a turned buffer" else FORMS[name])
    for count in (1, 2, 3):
        _, ledger = rnnxai.explain(net, x[:count], 1, "lrp-w2", bounds=(0, 1), return_ledger=True)
        assert_closed(ledger)
        for sample in range(count):
            alone = x[sample : sample + 1]
            _, own = rnnxai.explain(net, alone, 1, "lrp-w2", bounds=(0, 1), return_ledger=True)
            assert ledger.lost[sample] == pytest.approx(own.lost[0])
            assert ledger.inputs[sample] == pytest.approx(own.inputs[0])


def turn(s):
    """Write a signal into a buffer whose second axis is the batch, beside a constant."""
    buffer = torch.ones(4, len(s), dtype=s.dtype)
    buffer[1] = s[:, 1]
    return buffer.T


def test_targets_of_another_batch_are_refused():
    net, x = between(lambda e, s, x: e)
    strategies = {"lrp-0": make_strategy("lrp-0")}
    for targets in (torch.zeros(4, dtype=torch.long), torch.zeros(6, dtype=torch.long)):
        with pytest.raises(rnnxai.Error, match=rf"for {len(targets)} targets"):
            explain_batch(Plan(net, (0.0, 1.0)), x, targets, strategies)


def test_a_model_that_drifts_is_refused():
    """The recording has to compute what the model does; 1e-4 of the score is too far."""

    class Drifting(Between):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return super().forward(x) * (1 + 1e-4 * self.calls)

    net = Drifting(lambda e, s, x: e).double()
    with pytest.raises(rnnxai.Error, match="away from the model's own"):
        rnnxai.explain(net, torch.rand(5, 4).double(), 0, "lrp-0", bounds=(0, 1))


def test_sums_of_samples_are_exact_to_double_precision():
    values = torch.tensor([[1e8, 1.0, -1e8], [2.0, 3.0, 4.0]])
    numbers = number(values)
    assert numbers.dtype == torch.float64
    assert numbers.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert per_sample(values, numbers, 2).tolist() == [1, 9]
    assert per_sample(values.T, numbers.T, 2).tolist() == [1, 9]
    assert per_sample(values[:, :1], numbers, 3).tolist() == [1e8, 2, 0]
    whole = numbers.contiguous()
    assert per_sample(values[:, :1], whole, 2).tolist() == [1e8, 2]
    assert per_sample(values.T[:1], whole.T.contiguous(), 2).tolist() == [1e8, 2]
    mixed = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]).double()
    assert per_sample(values, mixed, 2).tolist() == [4, 6]


def test_a_tensor_of_one_number_is_a_number():
    """A gate is scaled by it; it is no signal, which would take relevance."""
    (number, x), (tensor, _) = (
        between(lambda e, s, x, factor=factor: torch.sigmoid(s) * factor)
        for factor in (2.0, torch.tensor(2.0).double())
    )
    options = {"bounds": (0, 1), "gates": "half", "return_ledger": True}
    one, one_ledger = rnnxai.explain(number, x, 1, "lrp-eps", **options)
    other, other_ledger = rnnxai.explain(tensor, x, 1, "lrp-eps", **options)
    torch.testing.assert_close(one, other)
    assert not other_ledger.table().initial_state.any()
    assert one_ledger.table().equals(other_ledger.table())


REFUSED = {
    "two signals": lambda e, s, x: e * s,
    "a matrix product of signals": lambda e, s, x: e @ (s.mT @ s),
    "a stack of matrices": lambda e, s, x: (e[:, None] @ torch.eye(4).double().expand(len(e), 4, 4))[:, 0],
    "division by a signal": lambda e, s, x: s / (1 + e),
    "rounded division": lambda e, s, x: torch.div(s, 0.1, rounding_mode="floor"),
    "division of a constant by a signal": lambda e, s, x: ONES / (1 + e),
    "addmm of a signal for a bias": lambda e, s, x: torch.addmm(e, s, SQUARE),
    "addmm of a signal for a matrix": lambda e, s, x: torch.addmm(MIXED[:1], ONES.expand(5, 4)[:, :1], s[:1]),
    "addmm with factors": lambda e, s, x: torch.addmm(MIXED, s, SQUARE, alpha=2),
    "the largest of all": lambda e, s, x: e + e.max(),
    "a signal for a bias": lambda e, s, x: F.linear(e, SQUARE, s[0]),
    "a buffer filled with one": lambda e, s, x: torch.zeros_like(s).fill_(s[0, 0]),
    "a sum over all": lambda e, s, x: e + s.sum(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    net, x = between(REFUSED[name])
    with pytest.raises(rnnxai.Error, match="relevance cannot be propagated"):
        rnnxai.explain(net, x, 1, "lrp-eps", bounds=(0, 1))


DROPPED = {
    "by evaluation": lambda e, s, x: F.dropout(e, 0.5, False),
    "nothing": lambda e, s, x: F.dropout(e, 0.0, True),
    "all of a constant": lambda e, s, x: e + F.dropout(ONES, 1.0, True),
    "a constant in evaluation": lambda e, s, x: e + F.dropout(MIXED, 0.5, False),
}


@pytest.mark.parametrize("name", DROPPED)
def test_dropout_that_is_none(name):
    net, x = between(DROPPED[name])
    found = rnnxai.explain(net, x, 1, "lrp-0", bounds=(0, 1))
    plain, _ = between(lambda e, s, x: e + (MIXED if "evaluation" in name and "constant" in name else 0))
    torch.testing.assert_close(found, rnnxai.explain(plain, x, 1, "lrp-0", bounds=(0, 1)))


# Denominators


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


def dense(first, bias, last, last_bias):
    net = nn.Sequential(nn.Linear(2, len(first), bias is not None), nn.Linear(len(first), len(last))).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor(first))
        if bias is not None:
            net[0].bias.copy_(torch.tensor(bias))
        net[1].weight.copy_(torch.tensor(last))
        net[1].bias.fill_(last_bias)
    return net


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


@pytest.mark.parametrize("rule, right", [("lrp-w2", 9 / 25), ("lrp-flat", 1 / 2), ("lrp-0", 0.0)])
def test_what_an_initial_state_of_zeros_takes(rule, right):
    """h = 4 x + 3 h_0, of which h_0 = 0 takes its part by the rules that ignore values."""
    net = nn.Sequential(nn.RNN(1, 1, nonlinearity="relu", bias=False, batch_first=True), Output()).double()
    with torch.no_grad():
        net[0].weight_ih_l0.fill_(4.0)
        net[0].weight_hh_l0.fill_(3.0)
    x = torch.tensor([[[0.5]]]).double()
    rules = {"recurrent": rule, "*": "lrp-flat"}
    found, ledger = rnnxai.explain(net, x, 0, "lrp", rules=rules, return_ledger=True)
    assert ledger.start.item() == 2
    assert found.item() == pytest.approx(2 * (1 - right))
    assert ledger.table().initial_state.sum() == pytest.approx(2 * right)


class Output(nn.Module):
    def forward(self, pair):
        return pair[0][:, -1]


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


# Options

BAD = {
    "a negative epsilon": ("lrp-eps", {"epsilon": -0.5}, "epsilon = -0.5"),
    "an infinite epsilon": ("lrp-eps", {"epsilon": INF}, "epsilon = inf"),
    "no epsilon": ("lrp-eps", {"epsilon": NAN}, "epsilon = nan"),
    "a negative gamma": ("lrp-gamma", {"gamma": -0.5}, "gamma = -0.5"),
    "an infinite gamma": ("lrp-gamma", {"gamma": INF}, "gamma = inf"),
    "no gamma": ("lrp-gamma", {"gamma": NAN}, "gamma = nan"),
    "alpha - beta of 2": ("lrp-a3b1", {}, "do not conserve"),
    "alpha - beta of 0": ("lrp-a1b1", {}, "do not conserve"),
    "no points": ("integrated-gradients", {"points": 0}, "points = 0"),
    "half a point": ("integrated-gradients", {"points": 1.5}, "points = 1.5"),
    "points by truth": ("integrated-gradients", {"points": True}, "points = True"),
    "an infinite baseline": ("integrated-gradients", {"baseline": INF}, "baseline = inf"),
    "no samples": ("smoothgrad", {"samples": 0}, "samples = 0"),
    "a negative seed": ("smoothgrad", {"seed": -1}, "seed = -1"),
    "half a seed": ("smoothgrad", {"seed": 0.5}, "seed = 0.5"),
    "negative noise": ("smoothgrad", {"noise": -0.1}, "noise = -0.1"),
    "infinite noise": ("smoothgrad", {"noise": INF}, "noise = inf"),
    "no steps": ("occlusion", {"steps": 0}, "steps = 0"),
    "an infinite value": ("occlusion", {"value": INF, "steps": 2}, "value = inf"),
    "an unknown gate rule": ("lrp-0", {"gates": "none"}, "all, half, prop, abs"),
    "a gate rule of a gradient": ("gb", {"gates": "all"}, "follow, constant"),
    "no rules": ("lrp", {"rules": {}}, "without rules"),
    "rules that are none": ("lrp", {"rules": "lrp-0"}, "a mapping such as"),
    "a rule that is none": ("lrp", {"rules": {"*": 3}}, "3 is no rule"),
    "a mapping without a rule": ("lrp", {"rules": {"*": {"epsilon": 1.0}}}, "is no rule"),
    "a gradient for a rule": ("lrp", {"rules": {"*": "sa"}}, "walks back with the gradient"),
    "z-b with options": ("lrp", {"rules": {"*": {"rule": "z-b", "low": 0}}}, "takes no options"),
    "rules that do not fit": ("lrp", {"rules": {"convolution": "lrp-0", "b*": "lrp-0"}}, "convolution, b*"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_options(name):
    method, options, message = BAD[name]
    net, x = between(lambda e, s, x: e)
    with pytest.raises(rnnxai.Error) as raised:
        rnnxai.explain(net, x, 0, method, bounds=(0, 1), **options)
    assert message in str(raised.value)


@pytest.mark.parametrize("alpha, beta", [(0.5, -0.5), (3, 1), (1 + 1.5e-9, 0), (NAN, 0), (NAN, NAN)])
def test_alpha_and_beta_that_do_not_conserve(alpha, beta):
    with pytest.raises(rnnxai.Error, match="do not conserve"):
        AlphaBeta(alpha, beta)


def test_what_the_box_rule_refuses_is_named():
    net, x = between(lambda e, s, x: torch.cat([x[:, :2], e[:, 2:]], 1))
    with pytest.raises(rnnxai.Error, match="'out' reads bounded values and non-negative values, but"):
        rnnxai.explain(net, x, 0, "lrp", bounds=(0, 1), rules={"out": "z-b", "*": "lrp-0"})


STRATEGIES = {
    # method: start, gates, heatmap
    "sa": ("score", "follow", "squared"),
    "gb": ("score", "constant", "squared"),
    "taylor": ("score", "follow", "times input"),
    "integrated-gradients": ("score", "follow", "as is"),
    "smoothgrad": ("score", "follow", "as is"),
    "occlusion": ("score", "follow", "as is"),
    "dtd": ("positive score", "all", "as is"),
    "lrp-a2b1": ("positive score", "all", "as is"),
    "lrp-0": ("score", "all", "as is"),
    "lrp-eps": ("score", "all", "as is"),
    "lrp-gamma": ("score", "all", "as is"),
    "lrp-zplus": ("score", "all", "as is"),
    "lrp-w2": ("score", "all", "as is"),
    "lrp-flat": ("score", "all", "as is"),
    "lrp-eps-plus": ("score", "all", "as is"),
    "lrp-eps-plus-flat": ("score", "all", "as is"),
    "lrp-eps-a2b1": ("score", "all", "as is"),
    "lrp-eps-gamma-box": ("score", "all", "as is"),
}


@pytest.mark.parametrize("method", STRATEGIES)
def test_what_a_method_is(method):
    strategy = make_strategy(method)
    assert (strategy.start, strategy.gates, strategy.heatmap) == STRATEGIES[method]


def test_what_is_no_method():
    with pytest.raises(rnnxai.Error, match="Strategy would be right"):
        make_strategy("os:getcwd")
    with pytest.raises(rnnxai.Error, match="does not take the options"):
        make_strategy("sa", {"epsilon": 1})
    with pytest.raises(rnnxai.Error, match="does not take the options"):
        make_strategy("lrp")  # without rules


def test_what_a_strategy_is_unless_told():
    assert (Strategy().gates, Strategy(rule=Flat()).gates) == ("constant", "all")


GOOD = {
    "epsilon 0 is LRP-0": ("lrp-eps", {"epsilon": 0.0}, "lrp-0", {}),
    "gamma 0 is LRP-0": ("lrp-gamma", {"gamma": 0.0}, "lrp-0", {}),
    "seed 0 is a seed": ("smoothgrad", {"seed": 0}, "smoothgrad", {}),
    "one sample": ("smoothgrad", {"samples": 1, "noise": 0}, "smoothgrad", {"noise": 0.0}),
}


@pytest.mark.parametrize("name", GOOD)
def test_options_at_their_ends(name):
    method, options, other, others = GOOD[name]
    net, x = between(lambda e, s, x: e)
    found = rnnxai.explain(net, x, 0, method, bounds=(0, 1), **options)
    torch.testing.assert_close(found, rnnxai.explain(net, x, 0, other, bounds=(0, 1), **others))
