"""What methods are, and which options they refuse."""

import pytest
import torch
from small import INF, NAN, between

import rnnxai
from rnnxai.explain.rules import AlphaBeta, Flat
from rnnxai.explain.strategy import Strategy, make_strategy

BAD = {
    "a negative epsilon": ("lrp-eps", {"epsilon": -0.5}, "epsilon = -0.5"),
    "an infinite epsilon": ("lrp-eps", {"epsilon": INF}, "epsilon = inf"),
    "no epsilon": ("lrp-eps", {"epsilon": NAN}, "epsilon = nan"),
    "a negative gamma": ("lrp-gamma", {"gamma": -0.5}, "gamma = -0.5"),
    "an infinite gamma": ("lrp-gamma", {"gamma": INF}, "gamma = inf"),
    "no gamma": ("lrp-gamma", {"gamma": NAN}, "gamma = nan"),
    "alpha - beta of 2": ("lrp-a3b1", {}, "do not conserve"),
    "alpha - beta of 0": ("lrp-a1b1", {}, "do not conserve"),
    "no points": ("integrated-gradients", {"points": 0}, "points = 0"),
    "half a point": ("integrated-gradients", {"points": 1.5}, "points = 1.5"),
    "points by truth": ("integrated-gradients", {"points": True}, "points = True"),
    "an infinite baseline": ("integrated-gradients", {"baseline": INF}, "baseline = inf"),
    "no samples": ("smoothgrad", {"samples": 0}, "samples = 0"),
    "a negative seed": ("smoothgrad", {"seed": -1}, "seed = -1"),
    "half a seed": ("smoothgrad", {"seed": 0.5}, "seed = 0.5"),
    "negative noise": ("smoothgrad", {"noise": -0.1}, "noise = -0.1"),
    "infinite noise": ("smoothgrad", {"noise": INF}, "noise = inf"),
    "no steps": ("occlusion", {"steps": 0}, "steps = 0"),
    "an infinite value": ("occlusion", {"value": INF, "steps": 2}, "value = inf"),
    "an unknown gate rule": ("lrp-0", {"gates": "none"}, "all, half, prop, abs"),
    "a gate rule of a gradient": ("gb", {"gates": "all"}, "follow, constant"),
    "no rules": ("lrp", {"rules": {}}, "without rules"),
    "rules that are none": ("lrp", {"rules": "lrp-0"}, "a mapping such as"),
    "a rule that is none": ("lrp", {"rules": {"*": 3}}, "3 is no rule"),
    "a mapping without a rule": ("lrp", {"rules": {"*": {"epsilon": 1.0}}}, "is no rule"),
    "a gradient for a rule": ("lrp", {"rules": {"*": "sa"}}, "walks back with the gradient"),
    "z-b with options": ("lrp", {"rules": {"*": {"rule": "z-b", "low": 0}}}, "takes no options"),
    "rules that do not fit": ("lrp", {"rules": {"convolution": "lrp-0", "b*": "lrp-0"}}, "convolution, b*"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_options(name):
    method, options, message = BAD[name]
    net, x = between(lambda e, s, x: e)
    with pytest.raises(rnnxai.Error) as raised:
        rnnxai.explain(net, x, 0, method, bounds=(0, 1), **options)
    assert message in str(raised.value)


@pytest.mark.parametrize("alpha, beta", [(0.5, -0.5), (3, 1), (1 + 1.5e-9, 0), (NAN, 0), (NAN, NAN)])
def test_alpha_and_beta_that_do_not_conserve(alpha, beta):
    with pytest.raises(rnnxai.Error, match="do not conserve"):
        AlphaBeta(alpha, beta)


@pytest.mark.parametrize("bounds", [(-INF, 1), (0.5, INF), (-1, INF)])
def test_half_a_range_is_no_range(bounds):
    net, x = between(lambda e, s, x: e)
    with pytest.raises(rnnxai.Error, match="with an infinite end only"):
        rnnxai.explain(net, x + 0.5 * (bounds[0] == 0.5), 0, "dtd", bounds=bounds)


def test_what_the_box_rule_refuses_is_named():
    net, x = between(lambda e, s, x: torch.cat([x[:, :2], e[:, 2:]], 1))
    with pytest.raises(rnnxai.Error, match="'out' reads bounded values and non-negative values, but"):
        rnnxai.explain(net, x, 0, "lrp", bounds=(0, 1), rules={"out": "z-b", "*": "lrp-0"})


STRATEGIES = {
    # method: start, gates, heatmap
    "sa": ("score", "follow", "squared"),
    "gb": ("score", "constant", "squared"),
    "taylor": ("score", "follow", "times input"),
    "integrated-gradients": ("score", "follow", "as is"),
    "smoothgrad": ("score", "follow", "as is"),
    "occlusion": ("score", "follow", "as is"),
    "dtd": ("positive score", "all", "as is"),
    "lrp-a2b1": ("positive score", "all", "as is"),
    "lrp-0": ("score", "all", "as is"),
    "lrp-eps": ("score", "all", "as is"),
    "lrp-gamma": ("score", "all", "as is"),
    "lrp-zplus": ("score", "all", "as is"),
    "lrp-w2": ("score", "all", "as is"),
    "lrp-flat": ("score", "all", "as is"),
    "lrp-eps-plus": ("score", "all", "as is"),
    "lrp-eps-plus-flat": ("score", "all", "as is"),
    "lrp-eps-a2b1": ("score", "all", "as is"),
    "lrp-eps-gamma-box": ("score", "all", "as is"),
}


@pytest.mark.parametrize("method", STRATEGIES)
def test_what_a_method_is(method):
    strategy = make_strategy(method)
    assert (strategy.start, strategy.gates, strategy.heatmap) == STRATEGIES[method]


def test_what_is_no_method():
    with pytest.raises(rnnxai.Error, match="Strategy would be right"):
        make_strategy("os:getcwd")
    with pytest.raises(rnnxai.Error, match="does not take the options"):
        make_strategy("sa", {"epsilon": 1})
    with pytest.raises(rnnxai.Error, match="does not take the options"):
        make_strategy("lrp")  # without rules


def test_what_a_strategy_is_unless_told():
    assert (Strategy().gates, Strategy(rule=Flat()).gates) == ("constant", "all")


GOOD = {
    "epsilon 0 is LRP-0": ("lrp-eps", {"epsilon": 0.0}, "lrp-0", {}),
    "gamma 0 is LRP-0": ("lrp-gamma", {"gamma": 0.0}, "lrp-0", {}),
    "seed 0 is a seed": ("smoothgrad", {"seed": 0}, "smoothgrad", {}),
    "an epsilon that nobody names": ("lrp-eps", {}, "lrp-eps", {"epsilon": 1e-6}),
    "a gamma that nobody names": ("lrp-gamma", {}, "lrp-gamma", {"gamma": 0.25}),
    "one sample": ("smoothgrad", {"samples": 1, "noise": 0}, "smoothgrad", {"noise": 0.0}),
}


@pytest.mark.parametrize("name", GOOD)
def test_options_at_their_ends(name):
    method, options, other, others = GOOD[name]
    net, x = between(lambda e, s, x: e)
    found = rnnxai.explain(net, x, 0, method, bounds=(0, 1), **options)
    torch.testing.assert_close(found, rnnxai.explain(net, x, 0, other, bounds=(0, 1), **others))


def test_noise_is_what_the_seed_draws():
    """SmoothGrad is the mean gradient at x + noise times the range times what torch's generator draws."""
    net, x = between(lambda e, s, x: torch.tanh(3 * s))
    found = rnnxai.explain(net, x, 1, "smoothgrad", bounds=(0, 2), samples=2, noise=0.3, seed=5)
    rng = torch.Generator().manual_seed(5)
    right = torch.zeros_like(x)
    for _ in range(2):
        leaf = (x + 0.3 * 2 * torch.randn(x.shape, generator=rng, dtype=x.dtype)).requires_grad_()
        right += torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)[0] / 2
    torch.testing.assert_close(found, right)
