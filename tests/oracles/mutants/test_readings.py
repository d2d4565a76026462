"""What each layer of a model is said to be, and to read."""

import pytest
import torch
from small import INF, MIXED, ONES, SQUARE, B, N, S, between, filled
from torch import nn
from torch.nn import functional as F

import rnnxai
from rnnxai.explain import check


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
    "the larger of e and s": (lambda e, s, x: torch.maximum(e, s), N, False),
    "the larger of s and s": (lambda e, s, x: torch.maximum(s, s.flip(1)), S, False),
    "the smaller of e and s": (lambda e, s, x: torch.minimum(e, s), S, False),
    "the smaller of e and e": (lambda e, s, x: torch.minimum(e, e.flip(1)), N, False),
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
    "e all over a buffer": (lambda e, s, x: filled(-torch.ones(5, 4).double(), e, e, e, e), N, False),
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
    "a column of x times mixed": (lambda e, s, x: x[:, :1] * MIXED, S, True),
    "pooled e": (lambda e, s, x: F.avg_pool1d(e, 1), N, False),
    "pooled s": (lambda e, s, x: F.avg_pool1d(s, 1), S, False),
    "pooled relu x": (lambda e, s, x: F.avg_pool1d(torch.relu(x), 1), N, False),
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


@pytest.mark.parametrize("name", READS)
def test_that_the_books_are_kept_changes_no_map(name):
    form, _, _ = READS[name]
    net, x = between(form)
    options = {"rules": {"input": "lrp-flat", "*": "lrp-w2"}, "bounds": (0.0, 1.0), "gates": "half"}
    found, _ = rnnxai.explain(net, x, 0, "lrp", return_ledger=True, **options)
    torch.testing.assert_close(found, rnnxai.explain(net, x, 0, "lrp", **options))


@pytest.mark.parametrize("architecture", ["deep", "r-lstm", "conv-plus-deep"])
def test_what_reads_a_state_that_is_not_there_yet_reads_no_input(architecture):
    net = rnnxai.build_model(architecture, image_size=(6, 8), steps=4, classes=3, seed=0)
    table = check(net, torch.rand(2, 1, 6, 8), "lrp", rules={"input": "lrp-flat", "*": "lrp-w2"})
    assert table.rule.tolist() == ["flat"] + ["w^2"] * (len(table) - 1)


def test_a_constant_is_no_pixel_of_any_value():
    net, x = between(lambda e, s, x: filled(torch.ones(5, 4).double(), x))
    for bounds in ((-INF, INF), None):
        table = check(net, x, "lrp-eps", bounds=bounds)
        assert table[table.layer == "out"].iloc[0].reads == S


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


def test_a_batch_norm_of_a_sum_is_a_layer_of_its_own():
    net, x = between(lambda e, s, x: net.norm(e + s))
    net.norm = nn.BatchNorm1d(4).double().eval()
    assert check(net, x, "lrp-0", bounds=(0, 1)).kind.tolist() == ["dense", "sum", "scaling", "dense"]


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
