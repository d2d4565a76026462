"""The engine against zennit, where zennit is right.

Three things make it right here. Each time step has module objects of its own, because a module's hook
keeps only its last input. Biases stay out of the denominators (``zero_params``). And the layers are
large enough that each unit has inputs that excite and inputs that inhibit it, because zennit hands
nothing down for an empty part.

The rule of a layer that reads pixels and hidden activations is z^B with bounds of its own for each unit:
0 and the activation itself for a hidden one. That is the thesis' rule for alpha = 1 only, so Shallow is
compared for that alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import reference
import torch
from torch import nn

import rnnxai
from rnnxai.data._torchvision import import_datasets

import_datasets()  # zennit needs a torchvision that can be imported

from zennit.core import BasicHook  # noqa: E402
from zennit.rules import AlphaBeta, Epsilon, Gamma, Norm, Pass, ZBox  # noqa: E402

TINY = 1e-100
ARCHITECTURES = ["deep", "r-lstm", "shallow"]
STEPS = [1, 2, 4]


class Scale(nn.Module):
    """A product with a gate, which is an attribute so that the module has one input."""

    def __init__(self, gate):
        super().__init__()
        self.gate = gate

    def forward(self, x):
        return x * self.gate


class Total(nn.Module):
    """A sum over the terms that stand in the first axis."""

    def forward(self, terms):
        return terms.sum(0)


class Rules(NamedTuple):
    """What makes the hooks of layers that read hidden activations, of those that read pixels, and of sums."""

    hidden: Callable[[], BasicHook]
    pixels: Callable[[float | torch.Tensor, float | torch.Tensor], BasicHook]
    total: Callable[[], BasicHook]


def by_domain(alpha, beta):
    """Alpha-beta on hidden activations and z^B on pixels."""
    return Rules(
        lambda: AlphaBeta(alpha, beta, stabilizer=TINY, zero_params="bias"),
        lambda low, high: ZBox(low, high, stabilizer=TINY, zero_params="bias"),
        lambda: Norm(stabilizer=TINY),
    )


def everywhere(make, stabiliser=TINY):
    """One rule for all layers. Sums of what is not negative divide in proportion."""
    return Rules(make, lambda low, high: make(), lambda: Norm(stabilizer=stabiliser))


class Zennit:
    """A network unrolled by hand, in which each use of a layer is a module with its own hook."""

    def __init__(self, model, rules):
        self.layers = reference.layers_of(model)
        self.rules = rules

    def linear(self, name, hook):
        w, b = (torch.from_numpy(array) for array in self.layers[name])
        module = nn.Linear(w.shape[1], w.shape[0], dtype=torch.float64)
        module.weight.data, module.bias.data = w.clone(), b.clone()
        return self.hooked(module, hook)

    def hidden(self, name):
        return self.linear(name, self.rules.hidden())

    def pixels(self, name, low=-1.0, high=1.0):
        return self.linear(name, self.rules.pixels(low, high))

    def relu(self, z):
        return self.hooked(nn.ReLU(), Pass())(z)

    def scaled(self, x, gate):
        return self.hooked(Scale(gate.detach()), Pass())(x)

    def total(self, terms):
        return self.hooked(Total(), self.rules.total())(torch.stack(terms))

    def gates(self, *inputs):
        w, b = (torch.from_numpy(array) for array in self.layers["gates"])
        return torch.sigmoid(torch.cat(inputs, 1).detach() @ w.T + b).chunk(3, 1)

    @staticmethod
    def hooked(module, hook: BasicHook):
        hook.register(module)
        return module

    def deep(self, xs):
        h = None
        for x in xs:
            e = self.relu(self.pixels("encoder")(x))
            if h is None:
                r = e.new_zeros(len(e), len(self.layers["recurrent"].w))
            else:
                r = self.relu(self.hidden("recurrent")(h))
            h = self.relu(self.hidden("hidden")(torch.cat([e, r], 1)))
        return self.hidden("output")(self.relu(self.hidden("decoder")(h)))

    def r_lstm(self, xs):
        cells = len(self.layers["candidate"].w)
        c, h = None, xs[0].new_zeros(len(xs[0]), cells)
        for x in xs:
            e = self.relu(self.pixels("encoder")(x))
            i, f, o = self.gates(e, h)
            g = self.relu(self.hidden("candidate")(torch.cat([e, h], 1)))
            new = self.scaled(g, i)
            c = new if c is None else self.total([self.scaled(c, f), new])
            h = self.scaled(c, o)
        return self.hidden("output")(h)

    def shallow(self, xs):
        h = None
        for x in xs:
            if h is None:
                r = x.new_zeros(len(x), len(self.layers["recurrent"].w))
            else:
                r = self.relu(self.hidden("recurrent")(h))
            low = torch.cat([torch.full_like(x, -1), torch.zeros_like(r)], 1).detach()
            high = torch.cat([torch.full_like(x, 1), r], 1).detach()
            h = self.relu(self.pixels("hidden", low, high)(torch.cat([x, r], 1)))
        return self.hidden("output")(h)


def zennit_map(architecture, model, images, targets, rules, positive=True):
    images = images.clone().requires_grad_()
    xs = [step.flatten(1) for step in images.chunk(model.steps, -1)]
    scores = getattr(Zennit(model, rules), architecture.replace("-", "_"))(xs)
    held = scores.detach().clamp(min=0) if positive else scores.detach()
    start = torch.zeros_like(scores).scatter_(1, targets[:, None], 1) * held
    (relevance,) = torch.autograd.grad(scores, images, start)
    return scores.detach(), relevance


@pytest.mark.parametrize("kind", ["fresh", "trained"])
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_same_map_as_zennit(make_net, images, architecture, steps, kind):
    model = make_net(architecture, steps, kind, times=8)
    targets = model(images).argmax(1)
    for method, rule in reference.RULES.items():
        if rule.beta and architecture == "shallow":
            continue
        scores, right = zennit_map(architecture, model, images, targets, by_domain(rule.alpha, rule.beta))
        torch.testing.assert_close(model(images).detach(), scores, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(right.flatten(1).sum(1), scores.amax(1), rtol=1e-9, atol=0)
        found = rnnxai.explain(model, images, targets, method)
        error = (found - right).abs().amax((1, 2, 3)) / right.abs().amax((1, 2, 3))
        assert error.max() < 1e-9, method


ANY_SIGN = {
    "lrp-0": ({}, everywhere(lambda: Epsilon(TINY))),
    "lrp-eps": ({"epsilon": 0.05}, everywhere(lambda: Epsilon(0.05), 0.05)),
    "lrp-gamma": ({"gamma": 0.5}, everywhere(lambda: Gamma(0.5, stabilizer=TINY))),
}


@pytest.mark.parametrize("kind", ["fresh", "trained"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("method", ANY_SIGN)
def test_same_map_as_zennit_of_rules_for_any_sign(make_net, images, method, architecture, kind):
    """From the score as it is, and with what biases keep."""
    options, rules = ANY_SIGN[method]
    model = make_net(architecture, 4, kind, times=8)
    targets = torch.tensor([0, 1, 2])
    _, right = zennit_map(architecture, model, images, targets, rules, positive=False)
    found = rnnxai.explain(model, images, targets, method, gates="all", **options)
    error = (found - right).abs().amax((1, 2, 3)) / right.abs().amax((1, 2, 3))
    assert error.max() < 1e-9


def test_an_empty_part_is_why_larger_networks_are_compared(make_net, images):
    """Zennit loses what an empty negative part would hand down, and the engine does not."""
    model = make_net("deep", 2)
    scores, lossy = zennit_map("deep", model, images, model(images).argmax(1), by_domain(2, 1))
    found = rnnxai.explain(model, images, scores.argmax(1), "lrp-a2b1")
    torch.testing.assert_close(found.sum((1, 2, 3)), scores.amax(1), rtol=1e-9, atol=0)
    assert ((lossy.sum((1, 2, 3)) / scores.amax(1) - 1).abs() > 0.01).any()
