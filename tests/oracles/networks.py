"""Tiny networks of every architecture, with weights of several kinds, for the oracles."""

import torch

from rnnxai import build_model

IMAGE_SIZE = (3, 12)
DEEP = {"encoder": 6, "hidden": 7, "recurrent": 5, "decoder": 4}
R_LSTM = {"encoder": 6, "cells": 5}
MAPS = {"channels1": 3, "channels2": 3}
SIZES = {
    "shallow": {"hidden": 7, "recurrent": 5},
    "deep": DEEP,
    "deep-v2": {"first": 8, **DEEP},
    "conv-deep": {**MAPS, **DEEP},
    "conv-plus-deep": {**MAPS, **DEEP},
    "deep-sd": DEEP,
    "r-lstm": R_LSTM,
    "r-lstm-sd": R_LSTM,
    "conv-r-lstm-sd": {**MAPS, **R_LSTM},
    "conv-plus-r-lstm-sd": {**MAPS, **R_LSTM},
    "lenet": {**MAPS, "channels3": 4},
    "mnist-cnn": {**MAPS, "hidden1": 6, "hidden2": 5},
}
# What has one size whatever `times` is.
OTHERS = {"lenet": {"image_size": (12, 14), "kernel2": 3, "kernel3": 2}}


def some_images(height=IMAGE_SIZE[0], width=IMAGE_SIZE[1]):
    """Three images, of whose pixels a quarter is at either bound."""
    rng = torch.Generator().manual_seed(5)
    return (4 * torch.rand(3, 1, height, width, generator=rng, dtype=torch.float64) - 2).clamp(-1, 1)


def make_net(architecture, steps, kind="fresh", bias="thesis", times=1, **more):
    """Build a tiny float64 network, or a larger one, with weights of some kind; `more` goes to build_model.

    Seeds are tried in order until each image has a class with a positive score, and another one than the
    other images have, since there is nothing to explain otherwise.
    """
    others = {"image_size": IMAGE_SIZE, **OTHERS.get(architecture, {}), **more}
    images = some_images(*others["image_size"])
    for seed in range(1000):
        rng = torch.Generator().manual_seed(seed)
        model = build_model(
            architecture,
            steps=steps,
            classes=4,
            bias_init=bias,
            generators=[rng],
            **others,
            **{name: times * size for name, size in SIZES[architecture].items()},
        )
        model = model.double().eval()
        for layer in model.affine_layers().values():
            WEIGHTS[kind](layer, rng)
        best = model(images).amax(1)
        if (best > 0).all() and len(best.unique()) == len(images):
            return model
    raise AssertionError("no seed gives positive scores")


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
