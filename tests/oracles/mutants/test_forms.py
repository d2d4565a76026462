"""Activations, sums, differences and products with every kind of operand."""

import pytest
import torch
from small import MIXED, ONES, SQUARE, assert_closed, between, filled
from torch import nn
from torch.nn import functional as F

import rnnxai


def activated_in_place(x):
    F.leaky_relu(x, 0.3, inplace=True)
    return x


def cut_in_place(x):
    F.threshold(x, 0.1, 0.05, inplace=True)
    return x


def convolved(x, **options):
    """Convolve four units as an image of 2 x 2 pixels."""
    return F.conv2d(x.view(-1, 1, 2, 2), SQUARE[None, None, :3, :3], **options).flatten(1)


def by_keyword(x, other):
    x.relu_()
    return torch.add(input=x, other=other) + torch.cat(tensors=[x[:, :2], other[:, :2]], dim=1)


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
    "prelu": lambda z: F.prelu(z, MIXED),
    "rrelu": F.rrelu,
    "selu": F.selu,
    "silu": F.silu,
    "softshrink": F.softshrink,
    "softsign": F.softsign,
    "tanhshrink": F.tanhshrink,
    "atan": torch.atan,
    "arctan": lambda z: z.arctan(),
    "asinh": lambda z: z.asinh(),
    "erf": torch.erf,
    "expit": torch.special.expit,
    "celu of torch": torch.celu,
    "prelu of torch": lambda z: torch.prelu(z, MIXED),
    "rrelu of torch": torch.rrelu,
    "selu of torch": torch.selu,
    "hardtanh": F.hardtanh,
    "hardtanh of other ends": lambda z: F.hardtanh(z, -3.0, 2.0),
    "relu in place": nn.ReLU(inplace=True),
    "leaky relu in place": nn.LeakyReLU(0.3, inplace=True),
    "elu in place": nn.ELU(inplace=True),
    "hardtanh in place": nn.Hardtanh(-3.0, 2.0, inplace=True),
    "clamped": lambda z: torch.clamp(z, -1.0, 1.0),
    "clamped by a method": lambda z: z.clamp(-1.0, 1.0),
    "clipped": lambda z: torch.clip(z, -1.0, 1.0),
    "clipped by a method": lambda z: z.clip(-1.0, 1.0),
}
UNKNOWN = {"threshold in place": lambda z: cut_in_place(z)}  # it has a gradient, but no relevance


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_relevance_passes_activations(name):
    net, x = between(lambda e, s, x: ACTIVATIONS[name](1.0 * s))
    z = net.a(x).detach()
    relevance = ACTIVATIONS[name](z.clone()) * net.out.weight[1].detach()
    right = x * ((relevance / z) @ net.a.weight.detach())
    assert right.any()
    found = rnnxai.explain(net, x, 1, "lrp-0", bounds=(0, 1))
    torch.testing.assert_close(found, right, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ACTIVATIONS | UNKNOWN)
def test_gradients_of_activations(name):
    activation = (ACTIVATIONS | UNKNOWN)[name]
    net, x = between(lambda e, s, x: activation(1.0 * s))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    assert gradient.any()
    found = rnnxai.explain(net, x, 1, "taylor", bounds=(0, 1))
    torch.testing.assert_close(found, x * gradient, rtol=1e-10, atol=1e-12)


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
    "addmm by a method": lambda e, s, x: MIXED.addmm(e, SQUARE),
    "addmm, a bias of one": lambda e, s, x: torch.addmm(ONES[:1], e, SQUARE),
    "matmul": lambda e, s, x: e @ SQUARE,
    "matmul of torch": lambda e, s, x: torch.matmul(e, SQUARE) + torch.mm(s, SQUARE),
    "matmul by a method": lambda e, s, x: e.matmul(SQUARE) + s.mm(SQUARE),
    "constants in addmm": lambda e, s, x: e + torch.addmm(MIXED, SQUARE, SQUARE)[0],
    "constants in matmul": lambda e, s, x: e + (SQUARE @ SQUARE)[1],
    "clamped below": lambda e, s, x: s.clamp(min=0),
    "clamped below and above": lambda e, s, x: s.clamp(0.0, 100.0),
    "pooled to one": lambda e, s, x: torch.cat([F.avg_pool1d(s, 4), e[:, 1:]], 1),
    "pooled to one, by axes": lambda e, s, x: torch.cat([F.avg_pool1d(s, 4, 1), e[:, 1:]], 1),
    "pooled beyond the edge": lambda e, s, x: F.avg_pool1d(torch.cat([s, e[:, :1]], 1), 3, 1, 1)[:, :4],
    "the largest pixel": lambda e, s, x: s + F.max_pool2d(s.view(-1, 1, 2, 2), 2).flatten(1),
    "the largest pixel, of torch": lambda e, s, x: s + torch.max_pool2d(s.view(-1, 1, 2, 2), 2).flatten(1),
    "the largest of a row, of torch": lambda e, s, x: torch.max_pool1d(s, 2).repeat(1, 2),
    "the largest voxel, of torch": lambda e, s, x: (
        s + torch.max_pool3d(s.view(-1, 1, 1, 2, 2), (1, 2, 2)).flatten(1)
    ),
    "images pooled": lambda e, s, x: s + F.avg_pool2d(s.view(-1, 1, 2, 2), 2).flatten(1),
    "images pooled with their edges": lambda e, s, x: F.avg_pool2d(s.view(-1, 1, 2, 2), 2, 2, 1).flatten(1),
    "images pooled without their edges": lambda e, s, x: F.avg_pool2d(
        s.view(-1, 1, 2, 2), 2, 1, 1, count_include_pad=False
    ).flatten(1)[:, :4],
    "images added up": lambda e, s, x: (
        F.avg_pool2d(s.view(-1, 1, 2, 2), 2, divisor_override=1).flatten(1) + s
    ),
    "images pooled to a size": lambda e, s, x: s + F.adaptive_avg_pool2d(s.view(-1, 1, 2, 2), 1).flatten(1),
    "columns pooled to a size": lambda e, s, x: F.adaptive_avg_pool1d(s[:, :3], 2).repeat(1, 2),
    "a mean by numpy's name": lambda e, s, x: s + s.mean(axis=1, keepdim=True),
    "a mean by position": lambda e, s, x: s + s.mean(1, True),
    "a mean of torch": lambda e, s, x: s + torch.mean(s, 1, keepdim=True),
    "a sum of torch": lambda e, s, x: s + torch.sum(s, 1, keepdim=True),
    "a sum by a method": lambda e, s, x: s + s.sum(1, keepdim=True),
    "a mean without its axis": lambda e, s, x: s + s.mean(1)[:, None],
    "a padded constant": lambda e, s, x: s + F.pad(ONES[:3], (0, 1)),
    "the larger signal": lambda e, s, x: torch.maximum(s, e.flip(1)),
    "the smaller signal": lambda e, s, x: torch.minimum(s, e.flip(1)),
    "the larger, by a method": lambda e, s, x: s.maximum(e.flip(1)),
    "the smaller, by a method": lambda e, s, x: s.minimum(e.flip(1)),
    "the larger, by the method max": lambda e, s, x: s.max(e.flip(1)),
    "the smaller, by the method min": lambda e, s, x: s.min(e.flip(1)),
    "the largest along an axis": lambda e, s, x: s + torch.max(s, 1, keepdim=True).values,
    "the smallest along an axis": lambda e, s, x: s + torch.min(s, 1, keepdim=True).values,
    "the largest along an axis, by a method": lambda e, s, x: s + s.max(1, keepdim=True)[0],
    "the smallest along an axis, by a method": lambda e, s, x: s + s.min(1, keepdim=True)[0],
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
    "a row beside columns": lambda e, s, x: (s[:, 0] + e.mT).mT,
    "a column divided by a row": lambda e, s, x: (s[:, :1] / (MIXED + 3)).view(-1, 2, 2).flatten(1),
    "convolved by a function": lambda e, s, x: convolved(e, padding="same", dilation=2) + s,
    "convolved by a function, two axes": lambda e, s, x: convolved(e, padding="same", dilation=(2, 1)),
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
    options = {"epsilon": 0.5, "bounds": (0, 1), "return_ledger": True}
    assert_closed(rnnxai.explain(net, x, 1, "lrp-eps", **options)[1])  # here sums lose something too


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


class Untold(torch.autograd.Function):
    """A function that torch does not announce."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


REFUSED = {
    # name: what is between, what the refusal says
    "two signals": (lambda e, s, x: e * s, "a product of two signals"),
    "a shifted gate": (lambda e, s, x: (torch.sigmoid(s) + 1) * e, "a product of two signals"),
    "one less twice a gate": (lambda e, s, x: (1 - 4 * torch.sigmoid(s)) * e, "a product of two signals"),
    "a pooled signal": (lambda e, s, x: F.avg_pool1d(e, 1) * s, "a product of two signals"),
    "a matrix product of signals": (lambda e, s, x: e @ (s.mT @ s), "multiplies two signals"),
    "a stack of matrices": (
        lambda e, s, x: (e[:, None] @ torch.eye(4).double().expand(len(e), 4, 4))[:, 0],
        "a stack of matrices",
    ),
    "division by a signal": (lambda e, s, x: s / (1 + e), "divides by a signal"),
    "rounded division": (lambda e, s, x: torch.div(s, 0.1, rounding_mode="floor"), "or rounds one"),
    "division of a constant by a signal": (lambda e, s, x: ONES / (1 + e), "divides by a signal"),
    "addmm of a signal for a bias": (lambda e, s, x: torch.addmm(e, s, SQUARE), "multiplies two signals"),
    "addmm of a signal for a matrix": (
        lambda e, s, x: torch.addmm(MIXED[:1], ONES.expand(5, 4)[:, :1], s[:1]),
        "multiplies two signals",
    ),
    "addmm with factors": (lambda e, s, x: torch.addmm(MIXED, s, SQUARE, alpha=2), "multiplies two signals"),
    "the largest of all": (lambda e, s, x: e + e.max(), "without an axis"),
    "a signal for a bias": (lambda e, s, x: F.linear(e, SQUARE, s[0]), "multiplies two signals"),
    "a buffer filled with one": (lambda e, s, x: torch.zeros_like(s).fill_(s[0, 0]), "writes in place"),
    "a sum over all": (lambda e, s, x: e + s.sum(), "without an axis"),
    "sorted": (lambda e, s, x: s.sort(1).values, "sort cannot be explained"),
    "a function without a public name": (
        lambda e, s, x: torch._softmax(s, 1, False),
        "_softmax cannot be explained",
    ),
    "a function that is not announced": (lambda e, s, x: Untold.apply(s), "a custom autograd function"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    form, says = REFUSED[name]
    net, x = between(form)
    with pytest.raises(rnnxai.Error, match="relevance cannot be propagated") as raised:
        rnnxai.explain(net, x, 1, "lrp-eps", bounds=(0, 1))
    assert says in str(raised.value)


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
