"""LRP-0 is input times gradient of a network with constant gates and straight activations.

Hold the gates at their values, and replace every activation by the line through the origin and the point
where it stands, of slope f(z) / z. The network that results has the same scores and is homogeneous of
degree 1 in its inputs, biases and initial states together, so by Euler's theorem each of them times its
gradient sums to the score, and each is what LRP-0 gives it.
"""

import pytest
import recurrent_reference as reference
import torch
from torch import nn

import rnnxai

TOLERANCE = 1e-12
STEPS, SAMPLES, INPUTS, HIDDEN, CLASSES = 5, 3, 3, 4, 3


def straight(f, z):
    """f(z), of which the gradient is f(z) / z."""
    return z * (f(z) / z).detach()


def held(g):
    return torch.sigmoid(g).detach()


class Straight:
    """A hand-written copy of a recurrent module, in which all that LRP-0 divides among is a leaf."""

    def __init__(self, net, x, h0, c0):
        self.net, self.module = net, net.module
        self.x = x.clone().requires_grad_()
        self.h0, self.c0 = (s.clone().requires_grad_() for s in (h0, c0))
        self.biases = []

    def constant(self, bias):
        """Return a bias as an input of its own, one copy for each sample and use."""
        copy = bias.detach().expand(SAMPLES, -1).clone().requires_grad_()
        self.biases.append(copy)
        return copy

    def affine(self, x, weight, bias):
        return x @ weight.T.detach() + self.constant(bias)

    def scores(self):
        module, h, c = self.module, self.h0, self.c0
        step = getattr(self, type(module).__name__.lower())
        names = ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
        below = self.x.unbind(1)
        for layer in range(module.num_layers):
            weights = [getattr(module, f"{name}_l{layer}") for name in names]
            states, out = (h[layer], c[layer]), []
            for x in below:
                states = step(x, *states, *weights)
                out.append(states[0])
            below = out
        return self.affine(below[-1], self.net.head.weight, self.net.head.bias)

    def rnn(self, x, h, c, of_x, bias_x, of_h, bias_h):
        f = torch.tanh if self.module.nonlinearity == "tanh" else torch.relu
        return straight(f, self.affine(x, of_x, bias_x) + self.affine(h, of_h, bias_h)), c

    def lstm(self, x, h, c, of_x, bias_x, of_h, bias_h):
        i, f, g, o = (self.affine(x, of_x, bias_x) + self.affine(h, of_h, bias_h)).chunk(4, 1)
        c = held(f) * c + held(i) * straight(torch.tanh, g)
        return held(o) * straight(torch.tanh, c), c

    def gru(self, x, h, c, of_x, bias_x, of_h, bias_h):
        rx, zx, nx = self.affine(x, of_x, bias_x).chunk(3, 1)
        rh, zh, nh = self.affine(h, of_h, bias_h).chunk(3, 1)
        r, z = held(rx + rh), held(zx + zh)
        return (1 - z) * straight(torch.tanh, nx + r * nh) + z * h, c

    def explain(self, targets):
        """Return the scores, and input times gradient of x, of all biases and of both initial states."""
        scores = self.scores()
        explained = scores.gather(1, targets[:, None]).sum()
        leaves = [self.x, self.h0, self.c0, *self.biases]
        gradients = torch.autograd.grad(explained, leaves, materialize_grads=True)
        of_x, of_h0, of_c0, *of_biases = (
            (leaf * gradient).detach() for leaf, gradient in zip(leaves, gradients, strict=True)
        )
        start = (of_h0 + of_c0).sum((0, 2))
        return scores.detach(), of_x, sum(bias.sum(1) for bias in of_biases), start


class Net(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module, self.head = module, nn.Linear(HIDDEN, CLASSES)

    def forward(self, x, h0, c0):
        states = (h0, c0) if isinstance(self.module, nn.LSTM) else h0
        return self.head(self.module(x, states)[0][:, -1])


def make(kind, layers, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net(getattr(nn, kind)(INPUTS, HIDDEN, layers, batch_first=True, **options)).double().eval()
        for parameter in net.parameters():
            nn.init.normal_(parameter, std=0.7)
        x = torch.randn(SAMPLES, STEPS, INPUTS, dtype=torch.float64)
        h0, c0 = torch.randn(2, layers, SAMPLES, HIDDEN, dtype=torch.float64)
    return net, x, h0, c0


def assert_same(found, right):
    assert right.abs().max() > 1e-6
    torch.testing.assert_close(found, right, rtol=0, atol=TOLERANCE * float(right.abs().max()))


KINDS = {
    "tanh": ("RNN", {}),
    "relu": ("RNN", {"nonlinearity": "relu"}),
    "LSTM": ("LSTM", {}),
    "GRU": ("GRU", {}),
}


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_reference(kind, layers):
    name, options = KINDS[kind]
    net, x, h0, c0 = make(name, layers, **options)
    _, of_x, of_biases, of_start = Straight(net, x, h0, c0).explain(torch.tensor([0, 1, 2]))
    for n in range(SAMPLES):
        right, books, _ = reference.explain(
            net.module,
            net.head,
            "last output",
            x[n].numpy(),
            n,
            reference.Rule("lrp-0", {}),
            h0[:, n].numpy(),
            c0[:, n].numpy(),
        )
        assert_same(torch.from_numpy(right), of_x[n])
        assert_same(torch.tensor(books["bias"]), of_biases[n])
        assert_same(torch.tensor(books["initial_state"]), of_start[n])


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_recurrent_modules(kind, layers):
    name, options = KINDS[kind]
    net, x, h0, c0 = make(name, layers, **options)
    targets = torch.tensor([0, 1, 2])
    scores, of_x, of_biases, of_start = Straight(net, x, h0, c0).explain(targets)
    torch.testing.assert_close(scores, net(x, h0, c0).detach(), rtol=1e-13, atol=1e-13)
    explained = scores.gather(1, targets[:, None])[:, 0]
    assert_same(of_x.sum((1, 2)) + of_biases + of_start, explained)

    given = {"forward_args": (h0, c0), "return_ledger": True}
    options = {"gates": "all"} if name in ("LSTM", "GRU") else {}
    found, ledger = rnnxai.explain(net, x, targets, "lrp-0", **given, **options)
    assert_same(found, of_x)
    kept = [ledger.table(n)[["bias", "initial_state", "stabiliser", "dropped"]].sum() for n in range(SAMPLES)]
    assert_same(torch.tensor([row["bias"] for row in kept]), of_biases)
    assert_same(torch.tensor([row["initial_state"] for row in kept]), of_start)
    assert not any(row["stabiliser"] or row["dropped"] for row in kept)


def test_r_lstm():
    """Gates constant and ReLUs at their own slope, the R-LSTM needs no other change."""
    model = rnnxai.build_model(
        "r-lstm", image_size=(3, 12), steps=4, classes=3, encoder=6, cells=5, seed=3, bias_init="none"
    )
    model = model.double().eval()
    rng = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for layer in model.affine_layers().values():
            layer.initialise([rng], scale=2)
    images = 2 * torch.rand(SAMPLES, 1, 3, 12, generator=rng, dtype=torch.float64) - 1
    layers = {name: layer.weight[0].detach() for name, layer in model.affine_layers().items()}
    bias = model.affine_layers()["gates"].bias
    bias = 0 if bias is None else bias[0].detach()
    x = images.clone().requires_grad_()
    c = h = torch.zeros(SAMPLES, 5, dtype=torch.float64)
    for patch in x.chunk(4, -1):
        e = torch.relu(patch.flatten(1) @ layers["encoder"].T)
        both = torch.cat([e, h], 1)
        i, f, o = held(both @ layers["gates"].T + bias).chunk(3, 1)
        c = f * c + i * torch.relu(both @ layers["candidate"].T)
        h = o * c
    scores = h @ layers["output"].T
    torch.testing.assert_close(scores, model(images), rtol=1e-12, atol=1e-12)
    targets = torch.tensor([0, 1, 2])
    explained = scores.gather(1, targets[:, None])
    (gradient,) = torch.autograd.grad(explained.sum(), x)
    right = (x * gradient).detach()
    assert_same(right.sum((1, 2, 3)), explained[:, 0].detach())
    assert_same(rnnxai.explain(model, images, targets, "lrp-0", gates="all"), right)


# Networks that are the same though they are written differently

METHODS = [("lrp-0", {}), ("lrp-eps", {"epsilon": 0.1}), ("lrp-gamma", {})]
FLAT = [("lrp-w2", {}), ("lrp-flat", {})]


def zeros(layers=1):
    return torch.zeros(layers, SAMPLES, HIDDEN, dtype=torch.float64)


class Gated(nn.Module):
    """h = o tanh(c), c = f c' + i g with i = o = 1 and f = 0, so far as sigmoids can say that."""

    def __init__(self, plain):
        super().__init__()
        self.module, self.head = nn.LSTM(INPUTS, HIDDEN, batch_first=True).double(), plain.head
        with torch.no_grad():
            for name, parameter in self.module.named_parameters():
                i, f, g, o = parameter.chunk(4)
                i.zero_()
                f.zero_()
                o.zero_()
                g.copy_(getattr(plain.module, name))
            i, f, _, o = self.module.bias_ih_l0.chunk(4)
            i.fill_(50)  # sigmoid(50) is 1 in float64
            o.fill_(50)
            f.fill_(-800)  # and sigmoid(-800) is 0

    def forward(self, x):
        return self.head(self.module(x)[0][:, -1])


class Plain(nn.Module):
    """What remains of it: h = tanh(tanh(W x + V h' + b)); two activations, which LRP does not mind."""

    def __init__(self, net):
        super().__init__()
        self.module, self.head = nn.RNNCell(INPUTS, HIDDEN).double(), net.head
        with torch.no_grad():
            for name, parameter in self.module.named_parameters():
                parameter.copy_(getattr(net.module, f"{name}_l0"))

    def forward(self, x):
        h = x.new_zeros(len(x), HIDDEN)
        for step in x.unbind(1):
            h = torch.tanh(self.module(step, h))
        return self.head(h)


@pytest.mark.parametrize("method, options", METHODS)
def test_an_lstm_without_memory_is_a_plain_rnn(method, options):
    """Stabilised rules also divide c = 0 c' + 1 g, a sum of one term; that is why its epsilon is tiny."""
    net, x, _, _ = make("RNN", 1)
    gated, plain = Gated(net).eval(), Plain(net).eval()
    torch.testing.assert_close(gated(x), plain(x), rtol=1e-13, atol=1e-13)
    options = {"epsilon": 1e-14} if options else options
    found = rnnxai.explain(gated, x, 1, method, gates="all", **options)
    assert_same(found, rnnxai.explain(plain, x, 1, method, **options))


class Halves(nn.Module):
    """The same module reads both halves of a sequence; the second goes on where the first ended."""

    def __init__(self, net):
        super().__init__()
        self.module, self.head = net.module, net.head

    def forward(self, x, h0, c0):
        states = (h0, c0) if isinstance(self.module, nn.LSTM) else h0
        _, states = self.module(x[:, :2], states)
        return self.head(self.module(x[:, 2:], states)[0][:, -1])


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_two_halves_with_the_state_carried_over_are_one_sequence(kind, layers):
    name, given = KINDS[kind]
    net, x, h0, c0 = make(name, layers, **given)
    for method, options in METHODS + FLAT:
        for gates in ("all", "abs") if name in ("LSTM", "GRU") else (None,):
            given = options if gates is None else {**options, "gates": gates}
            right, books = rnnxai.explain(
                net, x, 1, method, forward_args=(h0, c0), return_ledger=True, **given
            )
            found, other = rnnxai.explain(
                Halves(net).eval(), x, 1, method, forward_args=(h0, c0), return_ledger=True, **given
            )
            assert_same(found, right)
            for column in ("bias", "initial_state") if (method, options) in METHODS else ("initial_state",):
                assert_same(
                    torch.tensor(other.table()[column].sum()), torch.tensor(books.table()[column].sum())
                )


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_one_step_is_a_feed_forward_network(activation):
    net, x, h0, c0 = make("RNN", 1, nonlinearity=activation)
    layer = nn.Linear(INPUTS, HIDDEN).double()
    with torch.no_grad():
        layer.weight.copy_(net.module.weight_ih_l0)
        layer.bias.copy_(net.module.bias_ih_l0 + net.module.bias_hh_l0)
    act = nn.Tanh() if activation == "tanh" else nn.ReLU()
    forward = nn.Sequential(layer, act, net.head).eval()
    for method, options in METHODS:
        found = rnnxai.explain(net, x[:, :1], 1, method, forward_args=(0 * h0, c0), **options)
        assert_same(found[:, 0], rnnxai.explain(forward, x[:, 0], 1, method, **options))
