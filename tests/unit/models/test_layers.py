"""Affine maps of several parts and initial weights."""

import math

import pytest
import torch
from torch.nn.functional import linear

from rnnxai.models.layers import Affine


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def make_affine(folds=3, inputs=(4, 2), outputs=5, bias="negative"):
    layer = Affine(folds, inputs, outputs, bias).double()
    layer.initialise(generators(*range(folds)))
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias, generator=torch.Generator().manual_seed(9))
    return layer


@pytest.mark.parametrize("bias", ["negative", "plain", "none"])
def test_affine_is_a_linear_layer_per_fold(bias, torch_rng):
    layer = make_affine(bias=bias)
    x = torch.randn(3, 7, 4, generator=torch_rng, dtype=torch.float64)
    r = torch.randn(3, 7, 2, generator=torch_rng, dtype=torch.float64)
    for k, found in enumerate(layer(x, r)):
        raw = None if bias == "none" else layer.bias[k]
        offset = -(1 + raw.exp()).log() if bias == "negative" else raw
        right = linear(torch.cat([x[k], r[k]], 1), layer.weight[k], offset)
        torch.testing.assert_close(found, right, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("bias", ["negative", "plain", "none"])
def test_projecting_all_steps_at_once_changes_nothing(bias, torch_rng):
    layer = make_affine(bias=bias)
    x = torch.randn(3, 5, 7, 4, generator=torch_rng, dtype=torch.float64)
    r = torch.randn(3, 7, 2, generator=torch_rng, dtype=torch.float64)
    projected = layer.project(x)
    assert len(projected) == 5
    for t, item in enumerate(projected):
        torch.testing.assert_close(layer.complete(item, r), layer(x[:, t], r), rtol=1e-13, atol=1e-13)
        alone = layer(x[:, t], torch.zeros_like(r))
        torch.testing.assert_close(layer.complete(item), alone, rtol=1e-13, atol=1e-13)


def test_three_parts(torch_rng):
    layer = make_affine(inputs=(4, 2, 3))
    x, r, s = (torch.randn(3, 7, n, generator=torch_rng, dtype=torch.float64) for n in (4, 2, 3))
    joined = torch.cat([x, r, s], -1)
    whole = torch.stack([linear(joined[k], layer.weight[k], layer.offset()[k]) for k in range(3)])
    torch.testing.assert_close(layer(x, r, s), whole)
    torch.testing.assert_close(layer.complete(layer.project(x[:, None])[0], r, s), whole)
    torch.testing.assert_close(layer(x, r), layer(x, r, torch.zeros_like(s)))
    with pytest.raises(RuntimeError):
        layer(joined)


def test_initial_weights_are_a_normal_distribution_cut_off_at_two_sigma():
    layer = Affine(2, (300, 100), 500)
    layer.initialise(generators(0, 1))
    sigma = 1 / math.sqrt(400)
    weights = layer.weight.detach().double() / sigma
    assert 1.999 < weights.abs().max() <= 2.000001
    assert abs(weights.mean()) < 0.01
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    within = math.erf(2 / math.sqrt(2))
    assert weights.std().item() == pytest.approx(math.sqrt(1 - 4 * density / within), abs=0.005)
    assert (weights.abs() < 1).double().mean().item() == pytest.approx(0.6827 / within, abs=0.005)


def test_initial_weights_can_be_scaled():
    small, large = Affine(1, (30,), 50), Affine(1, (30,), 50)
    small.initialise(generators(0))
    large.initialise(generators(0), scale=2)
    torch.testing.assert_close(large.weight, 2 * small.weight)


@pytest.mark.parametrize("bias, value", [("negative", -0.01), ("plain", 0)])
def test_initial_biases(bias, value):
    layer = Affine(2, (3,), 5, bias)
    layer.initialise(generators(0, 1))
    torch.testing.assert_close(layer.offset(), torch.full((2, 5), float(value)), rtol=1e-5, atol=0)


def test_no_bias_is_no_parameter():
    layer = Affine(1, (3,), 5, "none")
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    assert layer.offset() is None


def test_the_negative_bias_is_negative_and_trainable(torch_rng):
    layer = make_affine()
    with torch.no_grad():
        layer.bias.uniform_(-20, 20, generator=torch_rng)
    assert (layer.offset() < 0).all()
    layer(torch.zeros(3, 1, 4, dtype=torch.float64)).sum().backward()
    torch.testing.assert_close(layer.bias.grad, -layer.bias.detach().sigmoid())


def test_folds_are_drawn_from_their_own_generators():
    together, alone = Affine(3, (4,), 5), Affine(1, (4,), 5)
    together.initialise(generators(5, 6, 7))
    alone.initialise(generators(6))
    assert together.weight[1:2].equal(alone.weight)
    assert not together.weight[0].equal(together.weight[2])
