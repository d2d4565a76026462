"""Small networks for the oracles."""

import pytest
import torch

from rnnxai import build_model

SIZES = {
    "shallow": {"hidden": 7, "recurrent": 5},
    "deep": {"encoder": 6, "hidden": 7, "recurrent": 5, "decoder": 4},
    "r-lstm": {"encoder": 6, "cells": 5},
}


@pytest.fixture
def images():
    """Three images, of whose pixels a quarter is at either bound."""
    values = torch.rand(3, 1, 3, 12, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return (4 * values - 2).clamp(-1, 1)


@pytest.fixture
def make_net(images):
    """Return a function that builds a tiny float64 network, or a larger one, with weights of some kind.

    Seeds are tried in order until each image has a class with a positive score, since there is nothing to
    explain otherwise.
    """

    def make(architecture, steps, kind="fresh", bias="thesis", times=1):
        for seed in range(1000):
            rng = torch.Generator().manual_seed(seed)
            model = build_model(
                architecture,
                image_size=(3, 12),
                steps=steps,
                classes=4,
                bias_init=bias,
                generators=[rng],
                **{name: times * size for name, size in SIZES[architecture].items()},
            )
            model = model.double().eval()
            for layer in model.affine_layers().values():
                WEIGHTS[kind](layer, rng)
            if (model(images).amax(1) > 0).all():
                return model
        raise AssertionError("no seed gives positive scores")

    return make


def fresh(layer, rng):
    """Keep the weights that training starts from."""


def wide(layer, rng):
    layer.initialise([rng], scale=2)


@torch.no_grad()
def trained(layer, rng):
    """Give the weights heavy tails and dead connections, and the biases different sizes."""
    noise = torch.randn(layer.weight.shape, dtype=torch.float64, generator=rng)
    layer.weight.mul_(noise.abs().exp()).mul_(noise > -1)
    if layer.bias is not None:
        layer.bias.add_(2 * torch.randn(layer.bias.shape, dtype=torch.float64, generator=rng))


@torch.no_grad()
def positive(layer, rng):
    layer.weight.abs_()


@torch.no_grad()
def one_sided(layer, rng):
    """Leave half of the units no negative weight, and one unit none at all."""
    layer.weight[:, ::2].abs_()
    layer.weight[:, 1] = 0


WEIGHTS = {"fresh": fresh, "wide": wide, "trained": trained, "positive": positive, "one-sided": one_sided}
