"""The gradient methods against captum, on networks unrolled by hand from torch's own modules.

Captum hooks each ReLU module, so every use of one is a module of its own. Its saliency and guided
backpropagation are first powers; the maps here are their squares.
"""

import pytest
import reference
import torch
from captum.attr import FeatureAblation, GuidedBackprop, InputXGradient, IntegratedGradients, Saliency
from torch import nn

import rnnxai

# Captum says with each call that it hooks ReLUs and asks the input for its gradient.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU:UserWarning"),
    pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients:UserWarning"),
]
STEPS = [1, 2, 4]


class Unrolled(nn.Module):
    """A network without shared modules: each use of a layer or a ReLU is a module."""

    def __init__(self, model, architecture, detached_gates=False):
        super().__init__()
        self.layers = reference.layers_of(model)
        self.steps = model.steps
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(3 * model.steps + 1))
        self.run = getattr(self, architecture.replace("-", "_"))
        self.detached_gates = detached_gates

    def forward(self, images):
        self.unused = iter(self.relus)
        return self.run([patch.flatten(1) for patch in images.chunk(self.steps, -1)])

    def linear(self, name, *inputs):
        w, b = (torch.from_numpy(array) for array in self.layers[name])
        return nn.functional.linear(torch.cat(inputs, 1), w, b)

    def active(self, name, *inputs):
        return next(self.unused)(self.linear(name, *inputs))

    def past(self, h, x):
        if h is None:
            return x.new_zeros(len(x), len(self.layers["recurrent"].w))
        return self.active("recurrent", h)

    def shallow(self, xs):
        h = None
        for x in xs:
            h = self.active("hidden", x, self.past(h, x))
        return self.linear("output", h)

    def deep(self, xs):
        h = None
        for x in xs:
            h = self.active("hidden", self.active("encoder", x), self.past(h, x))
        return self.linear("output", self.active("decoder", h))

    def r_lstm(self, xs):
        c = h = xs[0].new_zeros(len(xs[0]), len(self.layers["candidate"].w))
        for x in xs:
            e = self.active("encoder", x)
            gates = torch.sigmoid(self.linear("gates", e, h))
            i, f, o = (gates.detach() if self.detached_gates else gates).chunk(3, 1)
            c = f * c + i * self.active("candidate", e, h)
            h = o * c
        return self.linear("output", h)


def assert_same(found, right, tolerance=1e-12):
    assert right.any()
    torch.testing.assert_close(found, right, rtol=1e-10, atol=tolerance * float(right.abs().max()))


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("architecture", ["shallow", "deep", "r-lstm"])
def test_same_map_as_captum(make_net, images, architecture, steps):
    model = make_net(architecture, steps, "wide")
    targets = torch.tensor([0, 1, 3])
    net = Unrolled(model, architecture)
    torch.testing.assert_close(net(images), model(images).detach(), rtol=1e-12, atol=1e-12)
    saliency = Saliency(net).attribute(images.clone(), target=targets)
    assert_same(rnnxai.explain(model, images, targets, "sa"), saliency**2)
    for gates in ("constant", "follow"):
        net = Unrolled(model, architecture, detached_gates=gates == "constant")
        guided = GuidedBackprop(net).attribute(images.clone(), target=targets)
        assert_same(rnnxai.explain(model, images, targets, "gb", gates=gates), guided.detach() ** 2)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("architecture", ["shallow", "deep", "r-lstm"])
def test_methods_that_start_from_the_darkest_image(make_net, images, architecture, steps):
    """The low end of the pixels' range is the baseline, and what a blotted step shows."""
    model = make_net(architecture, steps, "wide")
    targets = torch.tensor([0, 1, 3])
    net = Unrolled(model, architecture)
    right = InputXGradient(net).attribute(images.clone(), target=targets).detach()
    assert_same(rnnxai.explain(model, images, targets, "taylor"), right)

    right = IntegratedGradients(net).attribute(
        images.clone(), -1.0, targets, n_steps=32, method="gausslegendre"
    )
    found = rnnxai.explain(model, images, targets, "integrated-gradients")
    assert_same(found, right, tolerance=1e-7)  # captum's weights of the points are float32

    width = images.shape[-1] // steps
    blocks = torch.arange(steps).repeat_interleave(width).expand(1, *images.shape[1:])
    right = FeatureAblation(net).attribute(images.clone(), -1.0, targets, feature_mask=blocks).detach()
    found = rnnxai.explain(model, images, targets, "occlusion")
    assert_same(found, right / (width * images.shape[2]))
