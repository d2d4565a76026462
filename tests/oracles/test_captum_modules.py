"""Plain and recurrent modules against captum, where captum is right.

Captum hooks modules, so every use of a layer or a ReLU is a module of its own; its LRP knows sums only as
linear modules. Its z+ rule has to be told to leave the bias out, and stabilises denominators with 1e-9.
"""

import copy

import pytest
import torch
from captum.attr import (
    LRP,
    FeatureAblation,
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
    NoiseTunnel,
    Occlusion,
    Saliency,
)
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule
from torch import nn

import rnnxai

# Captum says with each call that it hooks ReLUs and asks the input for its gradient.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU:UserWarning"),
    pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients:UserWarning"),
]
STEPS, INPUTS, HIDDEN = 4, 5, 9
POSITIVE = (0, float("inf"))
TARGETS = torch.tensor([0, 1, 2])


def randomised(net, bias=0.2):
    rng = torch.Generator().manual_seed(0)
    net = net.double().eval()
    with torch.no_grad():
        for name, values in net.named_parameters():
            scale = bias if "bias" in name else 0.5
            values.copy_(scale * torch.randn(values.shape, generator=rng, dtype=torch.float64))
    return net


def inputs(*shape):
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def assert_same(found, right, tolerance=1e-9):
    assert right.any()
    assert (found - right).abs().max() < tolerance * right.abs().max()


# Relevance


def by_captum(net, x, rule):
    for module in net.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            module.rule = rule()
    return LRP(net).attribute(x.clone(), target=TARGETS).detach()


class ConvNet(nn.Module):
    """A small image network; captum's LRP has no rule for ``nn.Flatten``, so a function flattens."""

    def __init__(self):
        super().__init__()
        self.lower = nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 2), nn.ReLU()
        )
        self.upper = nn.Sequential(nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 3))

    def forward(self, x):
        return self.upper(torch.flatten(self.lower(x), 1))


def conv_net():
    return randomised(ConvNet())


class Recurrent(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module, self.head = module, nn.Linear(HIDDEN, 3)

    def forward(self, x):
        return self.head(self.module(x)[0][:, -1])


class Unrolled(nn.Module):
    """A plain recurrence whose steps are modules of their own, and read input and state side by side."""

    def __init__(self, net):
        super().__init__()
        module = net.module
        layer = nn.Linear(INPUTS + HIDDEN, HIDDEN, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.cat([module.weight_ih_l0, module.weight_hh_l0], 1))
            layer.bias.copy_(module.bias_ih_l0 + module.bias_hh_l0)
        act = nn.Tanh if module.nonlinearity == "tanh" else nn.ReLU
        self.layers = nn.ModuleList(copy.deepcopy(layer) for _ in range(STEPS))
        self.activations = nn.ModuleList(act() for _ in range(STEPS))
        self.head = copy.deepcopy(net.head)

    def forward(self, x):
        h = x.new_zeros(len(x), HIDDEN)
        for step, layer, activation in zip(x.unbind(1), self.layers, self.activations, strict=True):
            h = activation(layer(torch.cat([step, h], 1)))
        return self.head(h)


@pytest.mark.parametrize("epsilon", [1e-9, 0.1])
def test_epsilon_rule_on_a_convolutional_network(epsilon):
    net, x = conv_net(), inputs(2, 6, 6)
    found = rnnxai.explain(net, x, TARGETS, "lrp-eps", epsilon=epsilon)
    assert_same(found, by_captum(net, x, lambda: EpsilonRule(epsilon)))


def test_z_plus_rule_on_a_convolutional_network():
    net, x = conv_net(), inputs(2, 6, 6).abs()
    found = rnnxai.explain(net, x, TARGETS, "lrp-zplus", bounds=POSITIVE)
    assert_same(found, by_captum(net, x, lambda: Alpha1_Beta0_Rule(set_bias_to_zero=True)), 1e-6)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("epsilon", [1e-9, 0.1])
def test_epsilon_rule_on_a_recurrent_network(nonlinearity, epsilon):
    net = randomised(Recurrent(nn.RNN(INPUTS, HIDDEN, nonlinearity=nonlinearity, batch_first=True)))
    copies, x = Unrolled(net).eval(), inputs(STEPS, INPUTS)
    found = rnnxai.explain(net, x, TARGETS, "lrp-eps", epsilon=epsilon)
    assert_same(found, by_captum(copies, x, lambda: EpsilonRule(epsilon)))


def test_z_plus_rule_on_a_recurrent_network():
    net = randomised(Recurrent(nn.RNN(INPUTS, HIDDEN, nonlinearity="relu", batch_first=True)))
    copies, x = Unrolled(net).eval(), inputs(STEPS, INPUTS).abs()
    found = rnnxai.explain(net, x, TARGETS, "lrp-zplus", bounds=POSITIVE)
    assert_same(found, by_captum(copies, x, lambda: Alpha1_Beta0_Rule(set_bias_to_zero=True)), 1e-6)


# Gradients


def networks():
    return {
        "tanh": randomised(Recurrent(nn.RNN(INPUTS, HIDDEN, batch_first=True))),
        "relu": randomised(Recurrent(nn.RNN(INPUTS, HIDDEN, nonlinearity="relu", batch_first=True))),
        "LSTM": randomised(Recurrent(nn.LSTM(INPUTS, HIDDEN, batch_first=True))),
        "GRU": randomised(Recurrent(nn.GRU(INPUTS, HIDDEN, batch_first=True))),
        "conv": conv_net(),
    }


@pytest.fixture(params=["tanh", "relu", "LSTM", "GRU", "conv"])
def network(request):
    """Return a network and an input of it."""
    return networks()[request.param], inputs(2, 6, 6) if request.param == "conv" else inputs(STEPS, INPUTS)


def test_saliency(network):
    net, x = network
    assert_same(rnnxai.explain(net, x, TARGETS, "sa"), Saliency(net).attribute(x.clone(), TARGETS) ** 2)


def test_input_times_gradient(network):
    net, x = network
    right = InputXGradient(net).attribute(x.clone(), TARGETS).detach()
    assert_same(rnnxai.explain(net, x, TARGETS, "taylor"), right)
    assert_same(rnnxai.explain(net, x, TARGETS, "gradient-x-input"), right)


@pytest.mark.parametrize("points", [1, 2, 32])
def test_integrated_gradients(network, points):
    """Captum's weights of the points are float32."""
    net, x = network
    captum = IntegratedGradients(net)
    for baseline in (0.0, 0.5):
        right = captum.attribute(x.clone(), baseline, TARGETS, n_steps=points, method="gausslegendre")
        found = rnnxai.explain(net, x, TARGETS, "integrated-gradients", points=points, baseline=baseline)
        assert_same(found, right, 1e-7)
    found = rnnxai.explain(net, x, TARGETS, "integrated-gradients", points=points)
    right = captum.attribute(x.clone(), 0, TARGETS, n_steps=points, method="gausslegendre")
    assert_same(found, right, 1e-7)


def test_smoothgrad_without_noise(network):
    """The noise itself cannot be the same; without any, both are the gradient."""
    net, x = network
    tunnel = NoiseTunnel(Saliency(net))
    right = tunnel.attribute(x.clone(), nt_samples=2, stdevs=0.0, target=TARGETS, abs=False)
    assert_same(rnnxai.explain(net, x, TARGETS, "smoothgrad", noise=0.0, samples=2), right)


def test_guided_backprop():
    net, x = conv_net(), inputs(2, 6, 6)
    right = GuidedBackprop(net).attribute(x.clone(), TARGETS).detach() ** 2
    assert_same(rnnxai.explain(net, x, TARGETS, "gb"), right)
    net = networks()["relu"]
    x = inputs(STEPS, INPUTS)
    right = GuidedBackprop(Unrolled(net).eval()).attribute(x.clone(), TARGETS).detach() ** 2
    assert_same(rnnxai.explain(net, x, TARGETS, "gb"), right)


@pytest.mark.parametrize("kind", ["tanh", "relu", "LSTM", "GRU"])
@pytest.mark.parametrize("value", [0.0, 0.7])
def test_occlusion_of_steps(kind, value):
    """Captum gives every input of a step the whole drop of the score; here they share it."""
    net, x = networks()[kind], inputs(STEPS, INPUTS)
    steps = torch.arange(STEPS)[None, :, None].expand(1, STEPS, INPUTS)
    found = rnnxai.explain(net, x, TARGETS, "occlusion", steps=STEPS, axis=1, value=value)
    ablated = FeatureAblation(net).attribute(x.clone(), value, TARGETS, feature_mask=steps)
    assert_same(found, ablated.detach() / INPUTS)
    window = Occlusion(net).attribute(x.clone(), (1, INPUTS), target=TARGETS, baselines=value)
    assert_same(found, window.detach() / INPUTS, 1e-6)  # these are float32
    for step in range(STEPS):
        blotted = x.clone()
        blotted[:, step] = value
        drop = (net(x) - net(blotted)).gather(1, TARGETS[:, None])[:, 0].detach()
        torch.testing.assert_close(found[:, step].sum(1), drop, rtol=0, atol=1e-12)
