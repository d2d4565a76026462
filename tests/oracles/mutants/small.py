"""The smallest networks, and what the tests beside it share.

The tests in this folder say what nothing else would notice if it were wrong: found by `make mutate`, kept by
hand. Each is so small that the right answer is in the line that states it.
"""

import torch
from torch import nn

INF, NAN = float("inf"), float("nan")
N, S, B = "non-negative", "signed", "bounded"
SQUARE = torch.randn(4, 4, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
ONES, MIXED = torch.ones(4).double(), torch.tensor([1.0, -1.0, 0.0, 2.0]).double()


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


def dense(first, bias, last, last_bias):
    net = nn.Sequential(nn.Linear(2, len(first), bias is not None), nn.Linear(len(first), len(last))).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor(first))
        if bias is not None:
            net[0].bias.copy_(torch.tensor(bias))
        net[1].weight.copy_(torch.tensor(last))
        net[1].bias.fill_(last_bias)
    return net


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.recurrent, self.out = nn.GRU(4, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, packed):
        return self.out(self.recurrent(packed)[1][-1])


class Output(nn.Module):
    def forward(self, pair):
        return pair[0][:, -1]


def filled(buffer, *signals):
    """Write a column of each signal into a buffer, as far as it has one."""
    for column, signal in enumerate(signals):
        if signal.shape[1]:
            buffer[:, column] = signal[:, 2]
    return buffer


def assert_closed(ledger):
    """Every row of the books closes, and they do as a whole."""
    table = ledger.table()
    kept = table[["outgoing", "bias", "stabiliser", "dropped", "initial_state"]].sum(axis=1)
    scale = max(table.incoming.abs().max(), abs(ledger.start).max())
    assert (table.incoming - kept).abs().max() < 1e-10 * scale
    assert (table.step >= 0).all()
    assert abs(ledger.residual).max() < 1e-10 * scale
