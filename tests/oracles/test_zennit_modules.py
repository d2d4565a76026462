"""Plain and recurrent modules against zennit, where zennit is right.

To the conditions of ``test_zennit.py`` come two more. A rule that takes the bias out of a denominator has
to be told so (``zero_params``), since that is not always what it does. And a recurrent module is unrolled
into linear modules, one for each use, that read input and state side by side; a sum is such a module too.
"""

import copy

import pytest
import torch
from torch import nn

import rnnxai
from rnnxai.data._torchvision import import_datasets

import_datasets()  # zennit needs a torchvision that can be imported

from zennit.canonizers import SequentialMergeBatchNorm  # noqa: E402
from zennit.composites import (  # noqa: E402
    EpsilonAlpha2Beta1,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
    NameMapComposite,
)
from zennit.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, WSquare, ZBox, ZPlus  # noqa: E402

TINY, TOLERANCE = 1e-100, 1e-9
POSITIVE, PIXELS = (0, float("inf")), (-1, 1)


class Scale(nn.Module):
    """A product with a gate, which is an attribute so that the module has one input."""

    def forward(self, x):
        return self.gate * x


PASSED = (nn.ReLU, nn.Tanh, Scale)

# method, options, zennit's rule, zennit's rule of the first layer, bounds
RULES = {
    "eps": ("lrp-eps", {"epsilon": 1e-6}, lambda: Epsilon(1e-6), None, None),
    "eps, large": ("lrp-eps", {"epsilon": 0.25}, lambda: Epsilon(0.25), None, None),
    "0": ("lrp-0", {}, lambda: Epsilon(TINY), None, None),
    "gamma": ("lrp-gamma", {}, lambda: Gamma(0.25, stabilizer=TINY), None, None),
    "gamma, large": ("lrp-gamma", {"gamma": 3}, lambda: Gamma(3, stabilizer=TINY), None, None),
    "w2": ("lrp-w2", {}, lambda: WSquare(stabilizer=TINY, zero_params="bias"), None, None),
    "flat": ("lrp-flat", {}, lambda: Flat(stabilizer=TINY), None, None),
    "z+": ("lrp-zplus", {}, lambda: ZPlus(stabilizer=TINY, zero_params="bias"), None, POSITIVE),
    "a2b1": ("lrp-a2b1", {}, lambda: AlphaBeta(2, 1, stabilizer=TINY, zero_params="bias"), None, POSITIVE),
    "a1.5b0.5": (
        "lrp-a1.5b0.5",
        {},
        lambda: AlphaBeta(1.5, 0.5, stabilizer=TINY, zero_params="bias"),
        lambda: ZBox(-1.0, 1.0, stabilizer=TINY, zero_params="bias"),
        PIXELS,
    ),
    "dtd": (
        "dtd",
        {},
        lambda: ZPlus(stabilizer=TINY, zero_params="bias"),
        lambda: ZBox(-1.0, 1.0, stabilizer=TINY, zero_params="bias"),
        PIXELS,
    ),
}
ANY_SIGN = ["eps", "eps, large", "0", "gamma", "gamma, large", "w2", "flat"]


def randomised(net, seed=0):
    """Give a network parameters and running statistics, and a last layer whose scores are positive."""
    rng = torch.Generator().manual_seed(seed)
    net = net.double().eval()
    with torch.no_grad():
        for name, values in [*net.named_parameters(), *net.named_buffers()]:
            if values.is_floating_point():
                scale = 0.2 if "bias" in name else 0.5
                values.copy_(scale * torch.randn(values.shape, generator=rng, dtype=torch.float64))
                if "running_var" in name:
                    values.abs_().add_(0.2)
        [*net.modules()][-1].bias.add_(5)
    return net


def inputs(*shape, bounds=None):
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return x if bounds is None else x.abs() if bounds == POSITIVE else x.clamp(*bounds)


def by_zennit(net, x, targets, composite):
    x = x.clone().requires_grad_()
    with composite.context(net) as modified:
        scores = modified(x)
        start = torch.zeros_like(scores).scatter_(1, targets[:, None], 1) * scores.detach()
        (relevance,) = torch.autograd.grad(scores, x, start)
    return relevance


def each_its_own(net, rule, first=None, canonizers=None):
    """Return a composite in which every module has a hook of its own."""
    names = [
        name for name, module in net.named_modules() if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d))
    ]
    hooks = [([name], (first if first and n == 0 else rule)()) for n, name in enumerate(names)]
    passed = [name for name, module in net.named_modules() if isinstance(module, PASSED)]
    return NameMapComposite([*hooks, *(([name], Pass()) for name in passed)], canonizers)


def assert_same(found, right):
    error = (found - right).abs().flatten(1).amax(1) / right.abs().flatten(1).amax(1)
    assert error.max() < TOLERANCE


NETS = {
    "linear": ([nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 3)], (12,)),
    "tanh": ([nn.Linear(12, 20), nn.Tanh(), nn.Linear(20, 3)], (12,)),
    "conv1d": (
        [nn.Conv1d(4, 6, 3, stride=2, dilation=2), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3)],
        (4, 11),
    ),
    "conv2d": (
        [
            nn.Conv2d(4, 8, 3, padding=1, groups=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 6, 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(24, 10),
            nn.ReLU(),
            nn.Linear(10, 3),
        ],
        (4, 6, 6),
    ),
}


@pytest.mark.parametrize(
    "name, rule", [(name, rule) for name in NETS for rule in (ANY_SIGN if name == "tanh" else RULES)]
)
def test_rules(name, rule):
    method, options, hook, first, bounds = RULES[rule]
    modules, shape = NETS[name]
    net, x = randomised(nn.Sequential(*copy.deepcopy(modules))), inputs(*shape, bounds=bounds)
    targets = net(x).argmax(1)
    right = by_zennit(net, x, targets, each_its_own(net, hook, first))
    assert_same(rnnxai.explain(net, x, targets, method, bounds=bounds, **options), right)


@pytest.mark.parametrize("rule", ["eps", "gamma", "w2", "flat", "z+", "a2b1"])
def test_batch_normalisation(rule):
    """Zennit merges it too, but adds its epsilon a second time; so that is next to nothing here."""
    method, options, hook, _, bounds = RULES[rule]
    modules = [nn.Conv2d(3, 5, 2), nn.BatchNorm2d(5, eps=1e-15), nn.ReLU(), nn.Flatten(), nn.Linear(60, 3)]
    net, x = randomised(nn.Sequential(*modules)), inputs(3, 4, 5, bounds=bounds)
    targets = net(x).argmax(1)
    right = by_zennit(net, x, targets, each_its_own(net, hook, canonizers=[SequentialMergeBatchNorm()]))
    assert_same(rnnxai.explain(net, x, targets, method, bounds=bounds, **options), right)


# Composites. Zennit has one stabiliser for all rules and one wish for all biases, so convolutions have
# none here, and the images are not negative where z+ and alpha-beta read them.
COMPOSITES = {
    "lrp-eps-plus": (lambda x: EpsilonPlus(stabilizer=TINY), POSITIVE),
    "lrp-eps-plus-flat": (lambda x: EpsilonPlusFlat(stabilizer=TINY), None),
    "lrp-eps-a2b1": (lambda x: EpsilonAlpha2Beta1(stabilizer=TINY), POSITIVE),
    "lrp-eps-gamma-box": (
        lambda x: EpsilonGammaBox(torch.full_like(x, -1), torch.full_like(x, 1), stabilizer=TINY),
        PIXELS,
    ),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_composites(name):
    composite, bounds = COMPOSITES[name]
    modules = [
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 6, 2, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24, 10),
        nn.ReLU(),
        nn.Linear(10, 3),
    ]
    net, x = randomised(nn.Sequential(*modules)), inputs(3, 6, 6, bounds=bounds)
    targets = net(x).argmax(1)
    right = by_zennit(net, x, targets, composite(x[:1]))
    assert_same(rnnxai.explain(net, x, targets, name, bounds=bounds), right)


# Recurrent modules, one module object for each use of a layer

STEPS, INPUTS, HIDDEN = 4, 9, 11


class Recurrent(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module, self.head = module, nn.Linear(HIDDEN, 3)

    def forward(self, x):
        return self.head(self.module(x)[0][:, -1])


def linear(weight, bias=None):
    module = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(weight)
        if bias is not None:
            module.bias.copy_(bias)
    return module


class Unrolled(nn.Module):
    """The same network as linear modules; modules are made once, and then used in the same order."""

    def __init__(self, net):
        super().__init__()
        self.net, self.uses = [net], nn.ModuleList()
        self.forward(torch.zeros(1, STEPS, INPUTS, dtype=torch.float64))
        self.made = True

    def use(self, make, x, gate=None):
        if not hasattr(self, "made"):
            self.uses.append(make())
        module = next(self.unused) if hasattr(self, "made") else self.uses[-1]
        module.gate = gate
        return module(x)

    def forward(self, x):
        self.unused = iter(self.uses)
        (net,) = self.net
        h = c = x.new_zeros(len(x), HIDDEN)
        for step in x.unbind(1):
            h, c = getattr(self, type(net.module).__name__.lower())(net.module, step, h, c)
        return self.use(lambda: copy.deepcopy(net.head), h)

    def both(self, module, x, h, rows=slice(None)):
        weight = torch.cat([module.weight_ih_l0, module.weight_hh_l0], 1)[rows]
        bias = (module.bias_ih_l0 + module.bias_hh_l0)[rows]
        return self.use(lambda: linear(weight, bias), torch.cat([x, h], 1))

    def scaled(self, gate, x):
        return self.use(Scale, x, gate)

    def add(self, one, two):
        eye = torch.eye(HIDDEN, dtype=torch.float64)
        return self.use(lambda: linear(torch.cat([eye, eye], 1)), torch.cat([one, two], 1))

    def rnn(self, module, x, h, c):
        act = nn.Tanh if module.nonlinearity == "tanh" else nn.ReLU
        return self.use(act, self.both(module, x, h)), c

    def lstm(self, module, x, h, c):
        """All four gates stand in one layer, of which only the candidate holds relevance."""
        i, f, g, o = self.both(module, x, h).chunk(4, 1)
        i, f, o = (torch.sigmoid(gate).detach() for gate in (i, f, o))
        c = self.add(self.scaled(f, c), self.scaled(i, self.use(nn.Tanh, g)))
        return self.scaled(o, self.use(nn.Tanh, c)), c

    def gru(self, module, x, h, c):
        with torch.no_grad():
            gates = (
                x @ module.weight_ih_l0.T + h @ module.weight_hh_l0.T + module.bias_ih_l0 + module.bias_hh_l0
            )
            r, z, _ = torch.sigmoid(gates).chunk(3, 1)
        new = slice(2 * HIDDEN, None)
        of_x = self.use(lambda: linear(module.weight_ih_l0[new], module.bias_ih_l0[new]), x)
        of_h = self.use(lambda: linear(module.weight_hh_l0[new], module.bias_hh_l0[new]), h)
        n = self.use(nn.Tanh, self.add(of_x, self.scaled(r, of_h)))
        return self.add(self.scaled(1 - z, n), self.scaled(z, h)), c


KINDS = {
    "tanh": (nn.RNN, {}, [*ANY_SIGN]),
    "relu": (nn.RNN, {"nonlinearity": "relu"}, [*ANY_SIGN, "z+", "a2b1"]),
    # A flat sum has two inputs, and zennit's would have all that a matrix could read.
    "LSTM": (nn.LSTM, {}, [rule for rule in ANY_SIGN if rule != "flat"]),
    "GRU": (nn.GRU, {}, [rule for rule in ANY_SIGN if rule != "flat"]),
}


@pytest.mark.parametrize("kind, rule", [(kind, rule) for kind in KINDS for rule in KINDS[kind][2]])
def test_recurrent_modules(kind, rule):
    build, given, _ = KINDS[kind]
    method, options, hook, _, bounds = RULES[rule]
    net = randomised(Recurrent(build(INPUTS, HIDDEN, batch_first=True, **given)))
    copies = Unrolled(net).eval()
    x = inputs(STEPS, INPUTS, bounds=bounds)
    torch.testing.assert_close(copies(x), net(x), rtol=1e-12, atol=1e-12)
    targets = net(x).argmax(1)
    right = by_zennit(copies, x, targets, each_its_own(copies, hook))
    options = options if kind in ("tanh", "relu") else {**options, "gates": "all"}
    assert_same(rnnxai.explain(net, x, targets, method, bounds=bounds, **options), right)
