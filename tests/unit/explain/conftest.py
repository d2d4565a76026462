"""Networks for the tests of the engine."""

import pytest
import torch
from torch import nn

from rnnxai import build_model
from rnnxai.models.cells.cell import Cell
from rnnxai.models.classifier import Classifier
from rnnxai.models.layers import Affine

SIZES = {
    "shallow": {"hidden": 7, "recurrent": 5},
    "deep": {"encoder": 6, "hidden": 7, "recurrent": 5, "decoder": 4},
    "deep-v2": {"first": 6, "encoder": 7, "hidden": 7, "recurrent": 5, "decoder": 4},
    "deep-sd": {"encoder": 6, "hidden": 7, "recurrent": 5, "decoder": 4},
    "conv-deep": {"channels1": 2, "channels2": 3, "encoder": 6, "hidden": 7, "recurrent": 5, "decoder": 4},
    "conv-plus-deep": {"channels1": 2, "channels2": 3, "encoder": 6, "hidden": 7, "recurrent": 5},
    "r-lstm": {"encoder": 6, "cells": 5},
    "r-lstm-sd": {"encoder": 6, "cells": 5},
    "conv-r-lstm-sd": {"channels1": 2, "channels2": 3, "encoder": 6, "cells": 5},
    "conv-plus-r-lstm-sd": {"channels1": 2, "channels2": 3, "encoder": 6, "cells": 5},
}


@pytest.fixture(params=SIZES)
def architecture(request):
    """Each recurrent architecture in turn."""
    return request.param


@pytest.fixture
def make_net():
    """Return a function that builds a tiny float64 network."""

    def make(architecture, steps=4, seed=0, **options):
        model = build_model(
            architecture,
            image_size=(3, 8),
            steps=steps,
            classes=3,
            seed=seed,
            **(SIZES[architecture] | options),
        )
        return model.double()

    return make


@pytest.fixture
def batch():
    """Return six images and their targets."""
    values = torch.rand(6, 1, 3, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return 2 * values - 1, torch.tensor([0, 1, 2, 0, 1, 2])


class OneCell(Cell):
    """h_t = relu(a x_t) + h_{t-1}, z = o relu(b h_T): a cell whose pieces a test may replace."""

    def __init__(self, join=None, enter=None, begin=None):
        super().__init__()
        self.a = Affine(1, (6,), 5, "none")
        self.b = Affine(1, (5,), 5, "none")
        self.o = Affine(1, (5,), 3, "none")
        self.extra = nn.Parameter(torch.ones(5))
        self.join, self.enter, self.begin = join, enter, begin

    def prepare(self, patches):
        return (self.enter(patches) if self.enter else patches).unbind(1)

    def step(self, prepared, state):
        e = torch.relu(self.a(prepared))
        if state is None:
            return e if self.begin is None else e + self.begin(e)
        return self.join(self, e, state) if self.join else e + state

    def readout(self, state):
        return self.o(torch.relu(self.b(state)))


@pytest.fixture
def one_cell():
    """Return a function that builds a classifier around :class:`OneCell`."""

    def make(cell=OneCell, **pieces):
        model = Classifier(cell(**pieces), (3, 8), 4).double()
        rng = torch.Generator().manual_seed(3)
        for layer in model.affine_layers().values():
            layer.initialise([rng], scale=3)
        return model

    return make
