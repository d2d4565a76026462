"""Convolutions, pooling and batch norms of every form."""

import pytest
import torch
from small import INF, assert_closed, between
from torch import nn

import rnnxai
from rnnxai.explain import at_layers, check


def test_a_batch_norm_without_statistics_has_a_gradient_alone():
    net, x = between(lambda e, s, x: net.norm(s))
    net.norm = nn.BatchNorm1d(4, track_running_stats=False).double().eval()
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(rnnxai.explain(net, x, 1, "taylor", bounds=(0, 1)), x * gradient)
    with pytest.raises(rnnxai.Error, match="mixes the samples"):
        rnnxai.explain(net, x, 1, "lrp-0", bounds=(0, 1))


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
    assert set(ledger.table().layer) == {"2"}  # nothing is lost in the pooling


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
    "single cells, one of two": (nn.Conv1d(2, 4, 1, stride=2), (6,)),
    "padding beyond the kernel": (nn.Conv1d(2, 4, 1, padding=1), (6,)),
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


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", [name for name in CONVOLUTIONS if name != "padding beyond the kernel"])
def test_a_convolution_is_a_dense_layer_of_many_zeros(name):
    """By rules of several terms too: positive and negative inputs, distances to both bounds.

    Units that read nothing but padding are left out: of a dense layer every unit reads every input.
    """
    convolution, shape = CONVOLUTIONS[name]
    rng = torch.Generator().manual_seed(0)
    x = 3 * torch.rand(2, 2, *shape, generator=rng, dtype=torch.float64) - 1
    convolution = convolution.double()
    with torch.no_grad():
        for values in convolution.parameters():
            values.copy_(torch.randn(values.shape, generator=rng, dtype=torch.float64))
    matrix = torch.func.jacrev(lambda x: convolution(x[None]).flatten())(x[0]).flatten(1)
    dense, out = nn.Linear(*matrix.T.shape).double(), nn.Linear(len(matrix), 2).double()
    with torch.no_grad():
        dense.weight.copy_(matrix)
        dense.bias.copy_(convolution(torch.zeros_like(x[:1])).flatten())
    nets = nn.Sequential(convolution, nn.Flatten(), out), nn.Sequential(nn.Flatten(), dense, out)
    for rule, bounds in (("lrp-gamma", None), ("z-b", (-1, 2))):
        rules = {"input": rule, "*": "lrp-0"}
        found, right = (rnnxai.explain(net, x, 1, "lrp", rules=rules, bounds=bounds) for net in nets)
        torch.testing.assert_close(found, right)


def options_of(convolution):
    """Return the arguments of a convolution, without a bias."""
    names = ["in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups"]
    return {name: getattr(convolution, name) for name in names} | {"bias": False}


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
