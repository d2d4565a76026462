"""Small networks of every architecture."""

import pytest
import torch

from rnnxai import build_model

DEEP = {"encoder": 6, "hidden": 7, "recurrent": 5, "decoder": 4}
R_LSTM = {"encoder": 6, "cells": 5}
CHANNELS = {"channels1": 3, "channels2": 4}
SIZES = {
    "shallow": {"hidden": 7, "recurrent": 5},
    "deep": DEEP,
    "deep-v2": {"first": 8} | DEEP,
    "deep-sd": DEEP,
    "conv-deep": CHANNELS | DEEP,
    "conv-plus-deep": CHANNELS | DEEP,
    "r-lstm": R_LSTM,
    "r-lstm-sd": R_LSTM,
    "conv-r-lstm-sd": CHANNELS | R_LSTM,
    "conv-plus-r-lstm-sd": CHANNELS | R_LSTM,
    "lenet": CHANNELS | {"channels3": 6, "kernel1": 3, "kernel2": 2, "kernel3": 1},
    "mnist-cnn": CHANNELS | {"hidden1": 7, "hidden2": 6},
}
SINGLE_STEP = ("lenet", "mnist-cnn")


@pytest.fixture
def sizes():
    """Return the layer sizes of small networks, by architecture."""
    return SIZES


@pytest.fixture
def build():
    """Return a function that builds a small float64 stack, for images (3, 8) in 4 steps where it can.

    Initial weights are large, or some of so few units would all be silent.
    """

    def build(architecture, seeds=(0, 1, 2), steps=4, **options):
        return build_model(
            architecture,
            image_size=(3, 8),
            steps=1 if architecture in SINGLE_STEP else steps,
            classes=4,
            generators=[torch.Generator().manual_seed(seed) for seed in seeds],
            **({"initial_scale": 2.0} | SIZES[architecture] | options),
        ).double()

    return build


@pytest.fixture
def stack_images():
    """Return six images for each of three folds."""
    values = torch.rand(3, 6, 1, 3, 8, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    return 2 * values - 1
