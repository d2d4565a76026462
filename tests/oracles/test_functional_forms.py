"""Whatever is written around the layers: followed exactly, or refused.

In a network of pieces of lines, LRP-0 is gradient times input, and what biases keep is what is missing to
the score. No reference is needed to tell a form that is followed from one that is silently got wrong.
"""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import rnnxai
from rnnxai.errors import Error

TOLERANCE = 1e-10


class Form(nn.Module):
    """Three layers with something between them; inputs (N, 4, 6), hidden values (N, 4, 6)."""

    def __init__(self, form):
        super().__init__()
        self.a, self.b, self.out = nn.Linear(6, 6), nn.Linear(6, 6), nn.LazyLinear(3)
        self.vector = nn.Parameter(torch.ones(6))
        self.matrix = nn.Parameter(torch.ones(6, 6))
        self.rnn = nn.RNN(6, 6, 2, nonlinearity="relu", batch_first=True)
        self.both = nn.RNN(6, 6, nonlinearity="relu", batch_first=True, bidirectional=True)
        self.cell = nn.RNNCell(6, 6, nonlinearity="relu")
        self.form, self.gate = form, torch.sigmoid

    def forward(self, x):
        e = torch.relu(self.a(x))
        return self.out(self.form(self, e, x).flatten(1))


def make(form):
    net = Form(form).double().eval()
    x = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    net(x)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng, dtype=torch.float64))
    return net, x


def check(form):
    """Compare LRP-0 with gradient times input, and the books with the score."""
    net, x = make(form)
    targets = torch.tensor([0, 1, 2])
    leaf = x.clone().requires_grad_()
    net.gate = lambda z: torch.sigmoid(z).detach()
    explained = net(leaf).gather(1, targets[:, None])[:, 0]
    (gradient,) = torch.autograd.grad(explained.sum(), leaf)
    right, score = x * gradient, explained.detach().abs().max()
    assert right.any()
    net.gate = torch.sigmoid
    found, ledger = rnnxai.explain(net, x, targets, "lrp-0", return_ledger=True)
    assert (found - right).abs().max() <= TOLERANCE * right.abs().max()
    assert abs(ledger.residual).max() <= TOLERANCE * float(right.abs().sum((1, 2)).max() + score)


FOLLOWED = {
    "sum": lambda net, e, x: e + net.b(e),
    "torch.add": lambda net, e, x: torch.add(e, net.b(e)),
    "sum of three": lambda net, e, x: e + net.b(e) + net.b(torch.relu(net.b(e))),
    "sum()": lambda net, e, x: sum([e, net.b(e)]),
    "a layer's output twice": lambda net, e, x: e + e,
    "of the input": lambda net, e, x: x + e,
    "difference": lambda net, e, x: e - net.b(e),
    "reversed difference": lambda net, e, x: 1.5 - e,
    "negative": lambda net, e, x: -e,
    "constant added": lambda net, e, x: e + 0.5,
    "constant first": lambda net, e, x: 0.5 + e,
    "parameter added": lambda net, e, x: e + net.vector,
    "buffer subtracted": lambda net, e, x: e - torch.arange(6.0).to(e),
    "constant factor": lambda net, e, x: 0.5 * e,
    "negative factor": lambda net, e, x: e * -2,
    "division": lambda net, e, x: e / 3,
    "mask": lambda net, e, x: e * torch.tensor([1.0, 0, 2, 0, -1, 1]).to(e),
    "parameter factor": lambda net, e, x: e * net.vector,
    "cat": lambda net, e, x: torch.cat([e, net.b(e)], -1),
    "cat with the input": lambda net, e, x: torch.cat([x, e], 1),
    "stack": lambda net, e, x: torch.stack([e, net.b(e)], 1),
    "chunk": lambda net, e, x: torch.add(*net.b(e).chunk(2, -1)),
    "split": lambda net, e, x: net.b(e).split([2, 4], -1)[1],
    "unbind": lambda net, e, x: torch.stack(net.b(e).unbind(1)[::-1], 1),
    "slice": lambda net, e, x: net.b(e)[:, 1:3, ::2],
    "last": lambda net, e, x: net.b(e)[:, -1],
    "ellipsis": lambda net, e, x: net.b(e)[..., 2],
    "index": lambda net, e, x: net.b(e)[:, torch.tensor([2, 0, 2])],
    "index_select": lambda net, e, x: torch.index_select(net.b(e), 1, torch.tensor([3, 3, 0])),
    "flip": lambda net, e, x: net.b(e).flip(1),
    "roll": lambda net, e, x: torch.roll(net.b(e), 1, 1),
    "transpose": lambda net, e, x: net.b(e).transpose(1, 2),
    "permute": lambda net, e, x: net.b(e).permute(0, 2, 1),
    "mT": lambda net, e, x: net.b(e).mT,
    "reshape": lambda net, e, x: net.b(e).reshape(len(e), 2, 12),
    "view": lambda net, e, x: net.b(e).view(len(e), -1),
    "unflatten": lambda net, e, x: net.b(e).unflatten(-1, (2, 3)),
    "squeeze": lambda net, e, x: net.b(e).unsqueeze(1).squeeze(1),
    "expand": lambda net, e, x: net.b(e)[:, :1].expand(-1, 4, -1),
    "repeat": lambda net, e, x: net.b(e).repeat(1, 2, 1),
    "contiguous": lambda net, e, x: net.b(e).mT.contiguous(),
    "clone": lambda net, e, x: net.b(e).clone(),
    "to": lambda net, e, x: net.b(e).to(torch.float64).double(),
    "mean": lambda net, e, x: net.b(e).mean(1),
    "mean of some": lambda net, e, x: net.b(e).mean((1, 2), keepdim=True),
    "torch.mean": lambda net, e, x: torch.mean(net.b(e), dim=-1),
    "sum over an axis": lambda net, e, x: net.b(e).sum(1),
    "torch.sum": lambda net, e, x: torch.sum(net.b(e), dim=(1, 2), keepdim=True),
    "avg_pool1d": lambda net, e, x: F.avg_pool1d(net.b(e), 2),
    "padded avg_pool1d": lambda net, e, x: F.avg_pool1d(net.b(e), 3, 1, 1),
    "adaptive_avg_pool1d": lambda net, e, x: F.adaptive_avg_pool1d(net.b(e), 4),
    "avg_pool2d": lambda net, e, x: F.avg_pool2d(net.b(e)[:, None], 2),
    "adaptive_avg_pool2d": lambda net, e, x: F.adaptive_avg_pool2d(net.b(e)[:, None], (3, 4)),
    "max_pool1d": lambda net, e, x: F.max_pool1d(net.b(e), 2),
    "max_pool2d": lambda net, e, x: F.max_pool2d(net.b(e)[:, None], 2, 1),
    "adaptive_max_pool2d": lambda net, e, x: F.adaptive_max_pool2d(net.b(e)[:, None], 2),
    "amax": lambda net, e, x: net.b(e).max(1).values,
    "relu in place": lambda net, e, x: F.relu(net.b(e), inplace=True),
    "method relu": lambda net, e, x: net.b(e).relu(),
    "leaky_relu": lambda net, e, x: F.leaky_relu(net.b(e), 0.1),
    "dropout": lambda net, e, x: F.dropout(net.b(e), 0.5, net.training),
    "linear": lambda net, e, x: F.linear(e, net.matrix, net.vector),
    "conv1d": lambda net, e, x: F.conv1d(e.mT, net.matrix[:, :, None]),
    "strided conv1d": lambda net, e, x: F.conv1d(
        e, net.matrix[:4, :4, None].expand(4, 4, 3), stride=2, padding=1
    ),
    "conv2d": lambda net, e, x: F.conv2d(e[:, None], net.matrix[:2, :3][:, None, None]),
    "pad": lambda net, e, x: F.pad(net.b(e), (0, 2)),
    "pad before": lambda net, e, x: F.pad(net.b(e), (1, 0)),
    "cat with a constant": lambda net, e, x: torch.cat([net.b(e), torch.ones_like(e)], 1),
    "cat after a constant": lambda net, e, x: torch.cat([torch.ones_like(e[:, :1]), net.b(e)], 1),
    "a token first": lambda net, e, x: torch.cat([net.vector.expand(len(e), 1, 6), net.b(e)], 1),
    "a constant beside": lambda net, e, x: F.linear(
        torch.cat([e, torch.ones_like(e)], -1), torch.cat([net.matrix, net.matrix], 1)
    ),
    "stack after a constant": lambda net, e, x: torch.stack([torch.ones_like(e), net.b(e)], 1),
    "time first": lambda net, e, x: net.b(e.transpose(0, 1)).transpose(0, 1),
    "all in one batch": lambda net, e, x: net.b(e.flatten(0, 1)).unflatten(0, (3, 4)),
    "one by one": lambda net, e, x: torch.stack([net.b(one) for one in e]),
    "batch_norm": lambda net, e, x: F.batch_norm(e.mT, *norm(net), net.vector),
    "a layer on single steps": lambda net, e, x: torch.stack([net.b(step) for step in e.unbind(1)], 1),
    "a recurrence": lambda net, e, x: recurrence(net, e),
    "no relu": lambda net, e, x: net.b(net.b(net.a(x))),
}
# Followed, or refused with an error: never wrong. What is marked need not stay refused.
UNUSUAL = {
    "pad with a value": lambda net, e, x: F.pad(net.b(e), (2, 1), value=0.7),
    "matrix product": lambda net, e, x: e @ net.matrix,
    "torch.matmul": lambda net, e, x: torch.matmul(e, net.matrix),
    "product from the left": lambda net, e, x: net.matrix[:4, :4] @ e,
    "einsum": lambda net, e, x: torch.einsum("nti,ij->ntj", e, net.matrix),
    "addmm": lambda net, e, x: torch.addmm(net.vector, e.flatten(0, 1), net.matrix).view(3, 4, 6),
    "clamp": lambda net, e, x: net.b(e).clamp(min=0),
    "torch.maximum": lambda net, e, x: torch.maximum(net.b(e), torch.zeros(()).to(e)),
    "maximum of two": lambda net, e, x: torch.maximum(net.b(e), e),
    "where": lambda net, e, x: torch.where(net.b(e) > 0, net.b(e), 0.0),
    "masked_fill": lambda net, e, x: net.b(e).masked_fill(e == 0, 0.0),
    "abs": lambda net, e, x: net.b(e).abs(),
    "cumsum": lambda net, e, x: net.b(e).cumsum(1),
    "diff": lambda net, e, x: net.b(e).diff(dim=1),
    "sort": lambda net, e, x: net.b(e).sort(1).values,
    "topk": lambda net, e, x: net.b(e).topk(2, 1).values,
    "median": lambda net, e, x: net.b(e).median(1).values,
    "gather": lambda net, e, x: net.b(e).gather(1, torch.zeros(3, 1, 6, dtype=torch.long)),
    "take_along_dim": lambda net, e, x: net.b(e).take_along_dim(torch.tensor([[[1]]]), 1),
    "unfold": lambda net, e, x: net.b(e).unfold(1, 2, 1),
    "interpolate": lambda net, e, x: F.interpolate(net.b(e), 12),
    "add with a factor": lambda net, e, x: torch.add(e, net.b(e), alpha=-2),
    "lerp": lambda net, e, x: torch.lerp(e, net.b(e), 0.3),
    "addcmul": lambda net, e, x: torch.addcmul(e, net.vector, net.vector),
    "in place": lambda net, e, x: (net.b(e) * 1).add_(e),
    "in place factor": lambda net, e, x: (net.b(e) * 1).mul_(2),
    "in place item": lambda net, e, x: written(net.b(e) * 1, e),
    "detached": lambda net, e, x: e + net.b(e).detach(),
    "data": lambda net, e, x: e + net.b(e).data,
    "numpy": lambda net, e, x: e + torch.from_numpy(net.b(e).detach().numpy()),
    "no_grad": lambda net, e, x: e + without(net, e),
    "a number": lambda net, e, x: e * float(net.b(e).detach().sum()),
    "item": lambda net, e, x: e * net.b(e).sum().item(),
    "prod": lambda net, e, x: net.b(e).prod(1),
    "square": lambda net, e, x: net.b(e) ** 2,
    "product of signals": lambda net, e, x: e * net.b(e),
    "bmm": lambda net, e, x: torch.bmm(e, net.b(e).mT),
    "norm": lambda net, e, x: F.normalize(net.b(e), dim=-1),
    "layer_norm": lambda net, e, x: F.layer_norm(net.b(e), (6,)),
    "softmax": lambda net, e, x: net.b(e).softmax(-1),
    "bilinear": lambda net, e, x: F.bilinear(e, e, net.matrix.expand(5, 6, 6)),
    "attention": lambda net, e, x: F.scaled_dot_product_attention(e, e, net.b(e)),
    "std": lambda net, e, x: net.b(e).std(1),
    "logsumexp": lambda net, e, x: net.b(e).logsumexp(1),
    "complex": lambda net, e, x: torch.view_as_real(torch.fft.fft(net.b(e))),
    "custom function": lambda net, e, x: Twice.apply(net.b(e)),
    "vmap": lambda net, e, x: torch.func.vmap(net.b)(e),
    "functional_call": lambda net, e, x: torch.func.functional_call(net.b, dict(net.b.named_parameters()), e),
    "the wrong weights": lambda net, e, x: F.linear(e, net.b(e)[0]),
    "weights of the input": lambda net, e, x: F.conv1d(e, e[:, :, :1]),
    "gated input": lambda net, e, x: torch.sigmoid(net.b(e)) * torch.sigmoid(e),
}

# Torch itself has something to say.
IMPOSSIBLE = {
    "checkpoint": lambda net, e, x: torch.utils.checkpoint.checkpoint(net.b, e, use_reentrant=False),
    "gradient inside": lambda net, e, x: e + torch.autograd.grad(net.b(e).sum(), e, create_graph=True)[0],
}
# Products with gates: LRP-0 is gradient times input of the network whose gates are constants.
GATED = {
    "gate first": lambda net, e, x: net.gate(net.b(e)) * e,
    "gate last": lambda net, e, x: e * net.gate(net.b(e)),
    "torch.mul": lambda net, e, x: torch.mul(net.gate(e), net.b(e)),
    "two gates": lambda net, e, x: net.gate(e) * net.gate(net.b(e)) * e,
    "a gate of two": lambda net, e, x: (net.gate(e) * net.gate(net.b(e))) * net.b(e),
    "complement": lambda net, e, x: (1 - net.gate(net.b(e))) * e,
    "convex": lambda net, e, x: convex(net.gate(net.b(e)), e, net.b(e)),
    "complement as a difference": lambda net, e, x: e - net.gate(net.b(e)) * e,
    "a halved gate": lambda net, e, x: 0.5 * net.gate(net.b(e)) * e,
    "masked gate": lambda net, e, x: net.gate(net.b(e)) * torch.tensor([1.0, 0, 1, 1, 0, 2]).to(e) * e,
    "chunks": lambda net, e, x: chunked(net.gate(net.b(e)), e),
    "squeeze and excite": lambda net, e, x: net.gate(net.b(e.mean(1)))[:, None] * e,
    "one gate for all": lambda net, e, x: net.gate(net.b(e)[:, :1, :1]) * e,
    "gate of the input": lambda net, e, x: net.gate(x) * e,
    "gated input": lambda net, e, x: net.gate(e) * x,
    "gate of a constant": lambda net, e, x: e + net.gate(net.b(e)) * net.vector,
    "highway": lambda net, e, x: convex(net.gate(net.a(e)), torch.relu(net.b(e)), e),
    "lstm by hand": lambda net, e, x: lstm(net, e),
}
# What is done with recurrent modules; of ReLUs, so that they are pieces of lines as well.
RECURRENT = {
    "all outputs": lambda net, e, x: net.rnn(e)[0],
    "of the input": lambda net, e, x: net.rnn(x)[0],
    "last states": lambda net, e, x: net.rnn(e)[1].transpose(0, 1),
    "outputs and states": lambda net, e, x: torch.cat([net.rnn(e)[0], net.rnn(e)[1].transpose(0, 1)], 1),
    "mean over time": lambda net, e, x: net.rnn(e)[0].mean(1),
    "greatest over time": lambda net, e, x: net.rnn(e)[0].max(1).values,
    "one after the other": lambda net, e, x: net.rnn(net.rnn(e)[0])[0],
    "residual": lambda net, e, x: e + net.rnn(e)[0],
    "backward in time": lambda net, e, x: net.rnn(e.flip(1))[0].flip(1),
    "both directions": lambda net, e, x: net.both(e)[0],
    "directions added": lambda net, e, x: torch.add(*net.both(e)[0].chunk(2, -1)),
    "both ways by states": lambda net, e, x: torch.cat([*net.both(e)[1]], -1),
    "a learned state": lambda net, e, x: net.rnn(e, net.vector.expand(2, len(e), 6).contiguous())[0],
    "a computed state": lambda net, e, x: net.rnn(e, torch.stack([net.b(e[:, 0]), net.a(x[:, 1])]))[0],
    "encoder and decoder": lambda net, e, x: net.rnn(net.vector.expand(len(e), 3, 6), net.rnn(e)[1])[0],
    "carried over": lambda net, e, x: net.rnn(e[:, 2:], net.rnn(e[:, :2])[1])[0],
    "sample by sample": lambda net, e, x: torch.stack([net.rnn(one)[0] for one in e]),
    "packed": lambda net, e, x: net.rnn(pack(e))[1][-1],
    "packed and padded again": lambda net, e, x: unpack(net.rnn(pack(e))[0]),
    "packed, both directions": lambda net, e, x: unpack(net.both(pack(e))[0]),
    "packed twice": lambda net, e, x: unpack(net.rnn(net.rnn(pack(e))[0])[0]),
    "packed, last outputs": lambda net, e, x: unpack(net.rnn(pack(e))[0])[torch.arange(3), LENGTHS - 1],
    "packed after a layer": lambda net, e, x: net.rnn(pack(net.b(e)))[1][0],
    "packed with a state": lambda net, e, x: net.rnn(pack(e), torch.stack([e[:, 0], x[:, 1]]))[1][-1],
    "cells": lambda net, e, x: cells(net, e, None),
    "cells with a state": lambda net, e, x: cells(net, e, net.vector.expand(len(e), 6)),
    "cells of a layer": lambda net, e, x: cells(net, net.rnn(e)[0], net.b(e[:, 0])),
    "cells that read themselves": lambda net, e, x: feeding(net, e),
    "a cell of one sample": lambda net, e, x: torch.stack([net.cell(one[0], one[1]) for one in e]),
}
LENGTHS = torch.tensor([2, 4, 3])


def pack(x):
    return nn.utils.rnn.pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)


def unpack(packed):
    return nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)[0]


def cells(net, x, h):
    for step in x.unbind(1):
        h = net.cell(step, h)
    return h


def feeding(net, x):
    """What a cell returns is what it reads next."""
    out = [net.cell(x[:, 0])]
    for _ in range(2):
        out.append(net.cell(net.b(out[-1]), out[-1]))
    return torch.stack(out, 1)


def convex(gate, one, other):
    return gate * one + (1 - gate) * other


def chunked(gates, e):
    first, second = gates.chunk(2, -1)
    return first * e[..., :3] + second * e[..., 3:]


def lstm(net, e):
    h = c = torch.zeros_like(e[:, 0])
    for step in e.unbind(1):
        z = net.a(step) + net.b(h)
        c = net.gate(z) * c + net.gate(net.b(step)) * torch.relu(z)
        h = net.gate(net.a(h)) * c
    return h


def norm(net):
    return net.vector.detach(), net.vector.detach().abs() + 1


def recurrence(net, e):
    h = torch.zeros_like(e[:, 0])
    for step in e.unbind(1):
        h = torch.relu(net.a(step) + net.b(h))
    return h


def written(values, e):
    values[:, 0] = e[:, 1]
    return values


def without(net, e):
    with torch.no_grad():
        return net.b(e)


class Twice(torch.autograd.Function):
    """2 x, of which torch tells a mode nothing."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


@pytest.mark.parametrize("name", FOLLOWED)
def test_followed(name):
    check(FOLLOWED[name])


@pytest.mark.parametrize("name", GATED)
def test_gates(name):
    check(GATED[name])


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_modules(name):
    check(RECURRENT[name])


@pytest.mark.parametrize("name", [*FOLLOWED, *RECURRENT])
def test_gradients(name):
    """Methods that need the gradient take it from torch, and no form is in their way."""
    net, x = make((FOLLOWED | RECURRENT)[name])
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    found = rnnxai.explain(net, x, 1, "taylor")
    assert (found - x * gradient).abs().max() <= TOLERANCE * (x * gradient).abs().max()
    assert (rnnxai.explain(net, x, 1, "sa") - gradient**2).abs().max() <= TOLERANCE * (gradient**2).max()


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_refused(name):
    with pytest.raises((Error, RuntimeError)):
        check(IMPOSSIBLE[name])


@pytest.mark.parametrize("name", UNUSUAL)
def test_followed_or_refused(name):
    try:
        check(UNUSUAL[name])
    except Error as error:
        assert str(error)
