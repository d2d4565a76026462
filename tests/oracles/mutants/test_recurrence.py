"""Recurrent modules and their cells: gradients, steps in the books, packed sequences, first states."""

import pytest
import torch
from small import INF, ONES, Output, Packed, assert_closed, between
from torch import nn

import rnnxai
from rnnxai.explain.channels import Domain
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.rules import Flat, WSquare
from rnnxai.explain.strategy import Strategy


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


RECURRENT = [
    {},
    {"bias": False},
    {"num_layers": 2},
    {"num_layers": 2, "bias": False},
    {"num_layers": 3},
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


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_gradients_of_packed_sequences_read_both_ways(kind):
    """Going backward, the longest sequence begins first and the others join it."""
    torch.manual_seed(0)
    net = PackedBoth(kind).double()
    x = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    leaf = x.clone().requires_grad_()
    packed = [nn.utils.rnn.pack_padded_sequence(v, [4, 3, 1], batch_first=True) for v in (x, leaf)]
    (gradient,) = torch.autograd.grad(net(packed[1])[:, 1].sum(), leaf)
    found = rnnxai.explain(net, packed[0], 1, "taylor")
    rows, _ = nn.utils.rnn.pad_packed_sequence(found, batch_first=True)
    torch.testing.assert_close(rows, x * gradient)


class PackedBoth(nn.Module):
    """Read all outputs of two layers in both directions, and their last states."""

    def __init__(self, kind):
        super().__init__()
        self.recurrent = getattr(nn, kind)(4, 3, 2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(6, 3)

    def forward(self, packed):
        outputs, last = self.recurrent(packed)
        outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
        hidden = last[0] if isinstance(last, tuple) else last
        return self.out(outputs.sum(1)) + hidden.mean(0)


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


class Called(nn.Module):
    """Two recurrent layers called by torch's own function, packed or not; inputs (N, 4, 4)."""

    def __init__(self, kind, *, bias=True, packed=False, dropout=0.0, training=False):
        super().__init__()
        torch.manual_seed(0)
        self.recurrent, self.out = getattr(nn, kind)(4, 4, 2, bias=bias, batch_first=True), nn.Linear(4, 3)
        self.function = torch.rnn_tanh if kind == "RNN" else getattr(torch, kind.lower())
        self.kind, self.packed = kind, packed
        self.options = bias, 2, dropout, training, False

    def forward(self, x):
        h = x.new_full((2, len(x), 4), 0.5)
        state = (h, h) if self.kind == "LSTM" else h
        flat = list(self.recurrent.parameters())
        if not self.packed:
            return self.out(self.function(x, state, flat, *self.options, True)[1][-1])
        rows, sizes = x.transpose(0, 1).flatten(0, 1), torch.tensor([len(x)] * x.shape[1])
        return self.out(self.function(rows, sizes, state, flat, *self.options)[1][-1])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_recurrent_layer_may_drop_nothing_while_it_is_explained(kind, bias, packed):
    x = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    made = {"bias": bias, "packed": packed}
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(Called(kind, bias=bias).double()(leaf)[:, 1].sum(), leaf)
    for dropout, training in ((0.5, False), (0.0, True), (0.0, False)):
        net = Called(kind, dropout=dropout, training=training, **made).double()
        torch.testing.assert_close(rnnxai.explain(net, x, 1, "taylor"), x * gradient)
    with pytest.raises(rnnxai.Error, match=r"with dropout = 0\.5 is in training mode"):
        rnnxai.explain(Called(kind, dropout=0.5, training=True, **made).double(), x, 1, "taylor")


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_layer_that_reads_constants_is_constant(kind):
    torch.manual_seed(0)
    module = getattr(nn, kind)(4, 4).double()
    net, x = between(lambda e, s, x: e + module(ONES[None, None])[0][0])
    plain, _ = between(lambda e, s, x: e + module(ONES[None, None])[0][0].detach())
    found, right = (rnnxai.explain(model, x, 1, "lrp-eps", bounds=(0, 1)) for model in (net, plain))
    torch.testing.assert_close(found, right)


@pytest.mark.parametrize("nonlinearity", ["relu", "tanh"])
@pytest.mark.parametrize("by_cell", [False, True])
def test_gradients_of_plain_recurrence(by_cell, nonlinearity):
    torch.manual_seed(0)
    options = {"nonlinearity": nonlinearity}
    module = (nn.RNNCell(4, 4, **options) if by_cell else nn.RNN(4, 4, **options)).double()
    net, x = between(lambda e, s, x: module(e) if by_cell else module(e[None])[0][0])
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(rnnxai.explain(net, x, 1, "taylor", bounds=(0, 1)), x * gradient)
    relevance, ledger = rnnxai.explain(net, x, 1, "lrp-eps", bounds=(0, 1), return_ledger=True)
    assert relevance.any()
    assert_closed(ledger)


class Given(nn.Module):
    """Two layers in both directions, each of which begins with a state of its own."""

    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(0)
        self.recurrent = getattr(nn, kind)(4, 3, 2, batch_first=True, bidirectional=True)
        self.out, self.kind = nn.Linear(6, 3), kind
        self.register_buffer("first", torch.randn(2, 4, 1, 3))

    def forward(self, x):
        h, c = self.first.expand(2, 4, len(x), 3)
        return self.out(self.recurrent(x, (h, c) if self.kind == "LSTM" else h)[0].mean(1))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_each_layer_and_direction_begins_with_its_own_state(kind):
    net = Given(kind).double()
    x = torch.randn(3, 3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(rnnxai.explain(net, x, 1, "taylor"), x * gradient)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_cell_may_read_constants_and_begin_with_the_inputs(kind):
    torch.manual_seed(0)
    cell = getattr(nn, kind + "Cell")(4, 4).double()

    def next_of(h):
        found = cell(ONES.expand(len(h), 4), (h, 2 * h) if kind == "LSTM" else h)
        return found[0] if kind == "LSTM" else found

    net, x = between(lambda e, s, x: next_of(x))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(rnnxai.explain(net, x, 1, "taylor", bounds=(0, 1)), x * gradient)
    _, ledger = rnnxai.explain(net, x, 1, "lrp-eps", bounds=(0, 1), return_ledger=True)
    assert_closed(ledger)
    assert ledger.table().initial_state.any()


class Begun(nn.Module):
    """The inputs are where a recurrent module begins; it reads ones, packed if there are lengths."""

    def __init__(self, kind, layers, lengths=None):
        super().__init__()
        torch.manual_seed(0)
        self.recurrent, self.out = getattr(nn, kind)(5, 4, layers, batch_first=True), nn.Linear(4, 3)
        self.kind, self.layers, self.lengths = kind, layers, lengths

    def forward(self, x):
        h = x.expand(self.layers, *x.shape)
        state = (h, 2 * h) if self.kind == "LSTM" else h
        ones = torch.ones(len(x), 3, 5).to(x)
        if self.lengths is None:
            return self.out(self.recurrent(ones, state)[0][:, -1])
        packed = nn.utils.rnn.pack_padded_sequence(ones, self.lengths, batch_first=True, enforce_sorted=False)
        last = self.recurrent(packed, state)[1]
        return self.out((last[0] if self.kind == "LSTM" else last)[-1])


@pytest.mark.parametrize("lengths", [None, (2, 3, 1)], ids=["padded", "packed"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_constants_that_a_recurrent_layer_reads_are_booked_where_they_enter(kind, layers, lengths):
    net = Begun(kind, layers, lengths).double()
    x = torch.rand(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    relevance, ledger = rnnxai.explain(net, x, 0, "lrp-eps", return_ledger=True)
    assert abs(ledger.residual).max() < 1e-12
    torch.testing.assert_close(relevance, rnnxai.explain(net, x, 0, "lrp-eps"))
    for sample in range(3):
        alone = Begun(kind, layers, lengths and lengths[sample : sample + 1]).double()  # of equal weights
        _, own = rnnxai.explain(alone, x[sample : sample + 1], 0, "lrp-eps", return_ledger=True)
        left, right = (
            table.groupby(["layer", "step"]).initial_state.sum()
            for table in (ledger.table(sample), own.table())
        )
        assert (left - right).abs().max() < 1e-12
        assert set(left[left != 0].index.get_level_values("layer")) == {"recurrent.l0"}
