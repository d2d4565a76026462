"""Where zennit and captum differ from this package: one test for each item of docs/where-libraries-differ.md.

Each test shows how far the library is off, and that the explanation here is not. Should a new version of a
library mend something, its test fails, and the item leaves the list.
"""

import copy

import numpy as np
import plain_reference
import pytest
import recurrent_reference
import torch
from captum.attr import (
    LRP,
    DeepLift,
    FeatureAblation,
    GuidedBackprop,
    IntegratedGradients,
    Occlusion,
    Saliency,
)
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule
from torch import nn

import rnnxai
from rnnxai.data._torchvision import import_datasets

import_datasets()  # zennit needs a torchvision that can be imported

from zennit.canonizers import SequentialMergeBatchNorm  # noqa: E402
from zennit.composites import NameMapComposite  # noqa: E402
from zennit.rules import AlphaBeta, Epsilon, Gamma, Pass, WSquare, ZPlus  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU:UserWarning"),
    pytest.mark.filterwarnings("ignore:Setting forward, backward hooks:UserWarning"),
    pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients:UserWarning"),
]
TINY = 1e-100
POSITIVE = (0, float("inf"))
TARGETS = torch.tensor([0, 1, 2])


def randomised(net, seed=0):
    rng = torch.Generator().manual_seed(seed)
    net = net.double().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng, dtype=torch.float64) / 2)
    return net


def inputs(*shape):
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_zennit(net, x, targets, rule, canonizers=None):
    """Propagate the scores with one rule on all linear modules, and Pass on all activations."""
    of = {nn.Linear: rule, nn.ReLU: Pass, nn.Tanh: Pass, nn.BatchNorm1d: Pass}
    hooks = [([name], of[type(module)]()) for name, module in net.named_modules() if type(module) in of]
    x = x.clone().requires_grad_()
    with NameMapComposite(hooks, canonizers).context(net) as modified:
        scores = modified(x)
        start = torch.zeros_like(scores).scatter_(1, targets[:, None], 1) * scores.detach()
        (relevance,) = torch.autograd.grad(scores, x, start)
    return relevance


def by_captum(net, x, targets, rule):
    for module in net.modules():
        if isinstance(module, nn.Linear):
            module.rule = rule()
    return LRP(net).attribute(x.clone(), target=targets).detach()


def distance(found, right):
    """The L1 distance of two maps, in parts of the right one."""
    return float((found - right).abs().sum() / right.abs().sum())


def score_of(net, x, targets):
    return net(x).gather(1, targets[:, None])[:, 0].detach()


class Shared(nn.Module):
    """A recurrence written with one linear module, as most people would."""

    def __init__(self):
        super().__init__()
        self.cell, self.out, self.act = nn.Linear(9, 5), nn.Linear(5, 3), nn.ReLU()

    def forward(self, x):
        h = x.new_zeros(len(x), 5)
        for step in x.unbind(1):
            h = self.act(self.cell(torch.cat([step, h], 1)))
        return self.out(h)


def fused(shared):
    """The same as ``nn.RNN``, for the reference."""
    module = nn.RNN(4, 5, nonlinearity="relu", bias=True, batch_first=True).double()
    with torch.no_grad():
        module.weight_ih_l0.copy_(shared.cell.weight[:, :4])
        module.weight_hh_l0.copy_(shared.cell.weight[:, 4:])
        module.bias_ih_l0.copy_(shared.cell.bias)
        module.bias_hh_l0.zero_()
    return module


def reference_map(shared, x, targets, method):
    rule = recurrent_reference.Rule(method, {})
    domain = ("N",) if method == "lrp-zplus" else ("S",)
    maps = [
        recurrent_reference.explain(
            fused(shared), shared.out, "last output", one.numpy(), int(target), rule, input_domain=domain
        )[0]
        for one, target in zip(x, targets, strict=True)
    ]
    return torch.from_numpy(np.array(maps))


class Classified(nn.Module):
    """The last output of a recurrent module, classified."""

    def __init__(self, kind, **options):
        super().__init__()
        self.cell, self.out = getattr(nn, kind)(4, 6, batch_first=True, **options), nn.Linear(6, 3)

    def forward(self, x):
        return self.out(self.cell(x)[0][:, -1])


# zennit


def test_zennit_keeps_the_last_input_of_a_shared_module():
    """Without a warning: a module that serves all time steps is divided by its last input each time."""
    net, x = randomised(Shared()), inputs(4, 4).abs()
    with torch.no_grad():
        net.cell.weight[:, 4:].abs_().mul_(2)  # so that steps before the last matter
    targets = net(x).argmax(1)
    right = reference_map(net, x, targets, "lrp-zplus")
    off = by_zennit(net, x, targets, lambda: ZPlus(stabilizer=TINY, zero_params="bias"))
    assert distance(off, right) > 0.1
    found = rnnxai.explain(net, x, targets, "lrp-zplus", bounds=POSITIVE)
    assert distance(found, right) < 1e-12


def test_zennit_has_no_rule_for_recurrent_modules():
    """A map of rules to modules passes them by, and what comes back is the gradient's, not relevance."""
    net, x = randomised(Classified("LSTM")), inputs(5, 4)
    off = by_zennit(net, x, TARGETS, lambda: Epsilon(TINY))
    start = score_of(net, x, TARGETS)
    assert ((off.sum((1, 2)) - start).abs() > 0.5 * start.abs()).any()
    found, ledger = rnnxai.explain(net, x, TARGETS, "lrp-0", return_ledger=True)
    assert (np.abs(ledger.residual) <= 1e-11 * found.abs().sum((1, 2)).numpy()).all()
    for n in range(3):
        rule = recurrent_reference.Rule("lrp-0", {})
        right, _, _ = recurrent_reference.explain(net.cell, net.out, "last output", x[n].numpy(), n, rule)
        assert distance(found[n], torch.from_numpy(right)) < 1e-10


def one_sided(sign):
    net = randomised(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)))
    with torch.no_grad():
        net[0].weight[::2].abs_().mul_(sign)
        net[0].bias.fill_(3)
        net[2].weight.abs_()
        net[2].weight[:, 1] *= -1
        net[2].bias.zero_()
    return net, inputs(4).abs()


@pytest.mark.parametrize(
    "method, sign, rule",
    [
        ("lrp-zplus", -1, lambda: ZPlus(stabilizer=TINY, zero_params="bias")),
        ("lrp-a2b1", 1, lambda: AlphaBeta(2, 1, stabilizer=TINY, zero_params="bias")),
    ],
)
def test_zennit_loses_what_one_sided_units_hold(method, sign, rule):
    """A unit without positive (negative) weights has nothing to divide by, and its share vanishes."""
    net, x = one_sided(sign)
    targets = net(x).argmax(1)
    start = score_of(net, x, targets)
    off = by_zennit(net, x, targets, rule)
    assert ((off.sum(1) / start - 1).abs() > 0.1).all()
    found = rnnxai.explain(net, x, targets, method, bounds=POSITIVE)
    torch.testing.assert_close(found.sum(1), start, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "method, rule",
    [("lrp-w2", WSquare), ("lrp-a2b1", lambda: AlphaBeta(2, 1))],
    ids=["w2", "alpha-beta"],
)
def test_zennit_lets_the_bias_keep_relevance_of_rules_without_bias(method, rule):
    """Squared, or as a negative contribution; ``zero_params="bias"`` is the rule of the papers."""
    net, x = randomised(nn.Sequential(nn.Linear(8, 20), nn.ReLU(), nn.Linear(20, 3))), inputs(8).abs()
    with torch.no_grad():
        net[0].bias.abs_().neg_()
        net[2].bias.fill_(4)
    targets = net(x).argmax(1)
    start = score_of(net, x, targets)
    off = by_zennit(net, x, targets, rule)
    assert ((off.sum(1) / start - 1).abs() > 0.02).all()
    found = rnnxai.explain(net, x, targets, method, bounds=POSITIVE)
    torch.testing.assert_close(found.sum(1), start, rtol=1e-12, atol=0)


def test_zennit_drops_what_a_unit_at_zero_holds():
    """A sigmoid is 1/2 at z = 0, so its unit holds relevance; zennit's gamma rule hands nothing down."""
    net = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid(), nn.Linear(1, 1)).double().eval()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[2.0, 1.0]]))
        net[0].bias.zero_()
        net[2].weight.fill_(2)
        net[2].bias.zero_()
    x, target = torch.tensor([[1.0, -2.0]], dtype=torch.float64), torch.tensor([0])
    assert not by_zennit(net, x, target, lambda: Gamma(1, stabilizer=TINY)).any()
    assert rnnxai.explain(net, x, target, "lrp-gamma", gamma=1).tolist() == [[2, -1]]


def test_zennit_counts_the_epsilon_of_a_merged_normalisation_twice():
    """Merging leaves a module behind that divides by sqrt(1 + epsilon)."""
    modules = [nn.Linear(8, 9), nn.BatchNorm1d(9, eps=0.1), nn.ReLU(), nn.Linear(9, 3)]
    net, x = randomised(nn.Sequential(*modules)), inputs(8)
    chain = [
        plain_reference.Affine(
            plain_reference.merged(plain_reference.dense(net[0], (8,)), plain_reference.dense(net[1], (9,)))
        ),
        plain_reference.Activation(plain_reference.positive, "N"),
        plain_reference.Affine(plain_reference.dense(net[3], (9,))),
    ]
    maps = [plain_reference.explain(chain, x[n].numpy(), n, "lrp-0")[0] for n in range(3)]
    right = torch.from_numpy(np.array(maps))
    off = by_zennit(net, x, TARGETS, lambda: Epsilon(TINY), [SequentialMergeBatchNorm()])
    assert distance(off, right) > 0.01
    assert distance(rnnxai.explain(net, x, TARGETS, "lrp-0"), right) < 1e-12


class Residual(nn.Module):
    """x + branch(x), as a plus."""

    def __init__(self):
        super().__init__()
        self.enter, self.branch, self.out = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)
        self.first, self.second = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        x = self.first(self.enter(x))
        return self.out(x + self.second(self.branch(x)))


@pytest.mark.parametrize("library", [by_zennit, by_captum])
def test_both_give_each_branch_of_a_sum_all_of_it(library):
    """A plus is no module, so the whole relevance walks down both branches."""
    net, x = randomised(Residual()), inputs(4)
    with torch.no_grad():
        for layer in (net.enter, net.branch, net.out):
            layer.weight.abs_()
            layer.bias.zero_()
    x = x.abs()
    start = score_of(net, x, TARGETS)
    rule = (lambda: Epsilon(TINY)) if library is by_zennit else (lambda: EpsilonRule(1e-12))
    off = library(copy.deepcopy(net), x, TARGETS, rule)
    assert (off.sum(1) > 1.5 * start).all()
    if library is by_zennit:
        torch.testing.assert_close(off.sum(1), 2 * start, rtol=1e-12, atol=0)
    found = rnnxai.explain(net, x, TARGETS, "lrp-0")
    torch.testing.assert_close(found.sum(1), start, rtol=1e-12, atol=0)


class Gated(nn.Module):
    """sigmoid(a x) * relu(b x), as a star."""

    def __init__(self):
        super().__init__()
        self.gate, self.signal, self.out = nn.Linear(4, 5), nn.Linear(4, 5), nn.Linear(5, 3)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.out(torch.sigmoid(self.gate(x)) * self.act(self.signal(x)))


@pytest.mark.parametrize("library", [by_zennit, by_captum])
def test_both_scale_relevance_by_the_gates_it_passes(library):
    """A star is no module either: relevance is multiplied as if it were a gradient."""
    net, x = randomised(Gated()), inputs(4)
    with torch.no_grad():
        net.signal.bias.zero_()
        net.out.bias.zero_()
    start = score_of(net, x, TARGETS)
    rule = (lambda: Epsilon(TINY)) if library is by_zennit else (lambda: EpsilonRule(1e-12))
    off = library(copy.deepcopy(net), x, TARGETS, rule)
    assert ((off.sum(1) / start - 1).abs() > 0.1).all()
    found = rnnxai.explain(net, x, TARGETS, "lrp-0", gates="all")
    torch.testing.assert_close(found.sum(1), start, rtol=1e-11, atol=0)


class Functional(nn.Module):
    """A tanh that is not a module."""

    def __init__(self):
        super().__init__()
        self.enter, self.out = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.out(torch.tanh(self.enter(x)))


@pytest.mark.parametrize("library", [by_zennit, by_captum])
def test_both_take_a_function_for_a_factor(library):
    """Relevance through torch.tanh is multiplied by its slope; through nn.Tanh it passes."""
    net, x = randomised(Functional()), inputs(4)
    modules = nn.Sequential(net.enter, nn.Tanh(), net.out)
    rule = (lambda: Epsilon(1e-12)) if library is by_zennit else (lambda: EpsilonRule(1e-12))
    right = library(copy.deepcopy(modules), x, TARGETS, rule)
    assert distance(library(copy.deepcopy(net), x, TARGETS, rule), right) > 0.1
    assert distance(rnnxai.explain(net, x, TARGETS, "lrp-0"), right) < 1e-9
    assert distance(rnnxai.explain(modules, x, TARGETS, "lrp-0"), right) < 1e-9


# captum


def test_captum_refuses_recurrent_and_shared_modules():
    x = inputs(5, 4)
    for kind in ("RNN", "LSTM", "GRU"):
        net = randomised(Classified(kind))
        with pytest.raises(TypeError, match="no rule defined"):
            LRP(net).attribute(x.clone(), target=TARGETS)
        found, ledger = rnnxai.explain(net, x, TARGETS, "lrp-eps", return_ledger=True)
        assert (np.abs(ledger.residual) <= 1e-11 * found.abs().sum((1, 2)).numpy()).all()
    shared = randomised(Shared())
    with pytest.raises(RuntimeError, match="more than once"):
        LRP(shared).attribute(x.clone(), target=TARGETS)
    right = reference_map(shared, x, TARGETS, "lrp-0")
    assert distance(rnnxai.explain(shared, x, TARGETS, "lrp-0"), right) < 1e-10


def test_captum_refuses_to_flatten():
    net, x = randomised(nn.Sequential(nn.Flatten(), nn.Linear(8, 3))), inputs(2, 4)
    with pytest.raises(TypeError, match="Flatten"):
        LRP(net).attribute(x.clone(), target=TARGETS)
    right = x * net[1].weight[TARGETS].detach().unflatten(1, (2, 4))
    torch.testing.assert_close(rnnxai.explain(net, x, TARGETS, "lrp-0"), right, rtol=1e-12, atol=1e-15)


def test_captum_keeps_the_bias_in_its_z_plus_rule():
    """By default, with its sign: denominators may vanish and change theirs."""
    net, x = randomised(nn.Sequential(nn.Linear(8, 20), nn.ReLU(), nn.Linear(20, 3))), inputs(8).abs()
    with torch.no_grad():
        net[0].bias.abs_().neg_()
        net[2].bias.fill_(4)
    targets = net(x).argmax(1)
    start = score_of(net, x, targets)
    off = by_captum(copy.deepcopy(net), x, targets, Alpha1_Beta0_Rule)
    assert ((off.sum(1) / start - 1).abs() > 0.1).any()
    found = rnnxai.explain(net, x, targets, "lrp-zplus", bounds=POSITIVE)
    torch.testing.assert_close(found.sum(1), start, rtol=1e-12, atol=0)
    right = by_captum(net, x, targets, lambda: Alpha1_Beta0_Rule(set_bias_to_zero=True))
    assert distance(found, right) < 1e-6


def test_captum_forgets_the_rules_of_its_user():
    """After one call they are gone from the modules, and the next call has others."""
    net, x = randomised(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))), inputs(4)
    first = by_captum(net, x, TARGETS, lambda: EpsilonRule(0.5))
    second = LRP(net).attribute(x.clone(), target=TARGETS).detach()
    assert distance(second, first) > 0.01
    for _ in range(2):
        found = rnnxai.explain(net, x, TARGETS, "lrp-eps", epsilon=0.5)
        assert distance(found, first) < 1e-9


def test_captum_guides_nothing_inside_a_recurrent_module():
    """No ReLU module, no guidance: without a warning it is the gradient."""
    net, x = randomised(Classified("RNN", nonlinearity="relu")), inputs(5, 4)
    gradient = Saliency(net).attribute(x.clone(), TARGETS, abs=False)
    off = GuidedBackprop(net).attribute(x.clone(), TARGETS).detach()
    assert torch.equal(off, gradient)
    found = rnnxai.explain(net, x, TARGETS, "gb")
    assert distance(found, gradient**2) > 0.1
    torch.testing.assert_close(rnnxai.explain(net, x, TARGETS, "sa"), gradient**2, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_captum_deep_lift_on_recurrent_modules_is_not_complete(kind):
    """It treats them as linear, so contributions do not sum to the difference of scores."""
    net, x = randomised(Classified(kind)), inputs(5, 4)
    baseline = torch.zeros_like(x)
    difference = score_of(net, x, TARGETS) - score_of(net, baseline, TARGETS)
    off = DeepLift(net).attribute(x.clone(), baseline, TARGETS).detach().sum((1, 2))
    assert (off - difference).abs().max() > 0.03 * difference.abs().max()
    found = rnnxai.explain(net, x, TARGETS, "integrated-gradients", points=64, baseline=0.0)
    assert (found.sum((1, 2)) - difference).abs().max() < 1e-9 * difference.abs().max()


def test_captum_rounds_to_float32():
    """Occlusion returns float32 whatever the network has; the weights of a path are rounded to it."""
    net, x = randomised(Classified("LSTM")), inputs(5, 4)
    assert Occlusion(net).attribute(x.clone(), (1, 4), target=TARGETS).dtype == torch.float32
    assert rnnxai.explain(net, x, TARGETS, "occlusion", steps=5, axis=1, value=0.0).dtype == torch.float64

    line = randomised(nn.Sequential(nn.Linear(4, 3, bias=False)))
    exact = inputs(4) * line[0].weight[TARGETS].detach()
    other = IntegratedGradients(line).attribute(inputs(4), 0.0, TARGETS, n_steps=32, method="gausslegendre")
    assert 1e-10 < distance(other, exact) < 1e-7
    assert distance(rnnxai.explain(line, inputs(4), TARGETS, "integrated-gradients"), exact) < 1e-15


def test_captum_gives_every_input_of_a_blotted_region_the_whole_drop():
    """A difference of convention: here the region's inputs share it, so that maps sum to drops."""
    net, x = randomised(Classified("LSTM")), inputs(5, 4)
    steps = torch.arange(5)[None, :, None].expand(1, 5, 4)
    other = FeatureAblation(net).attribute(x.clone(), 0.0, TARGETS, feature_mask=steps).detach()
    found = rnnxai.explain(net, x, TARGETS, "occlusion", steps=5, axis=1, value=0.0)
    assert distance(4 * found, other) < 1e-12
    for step in range(5):
        blotted = x.clone()
        blotted[:, step] = 0
        drop = score_of(net, x, TARGETS) - score_of(net, blotted, TARGETS)
        torch.testing.assert_close(found[:, step].sum(1), drop, rtol=1e-10, atol=1e-13)
