"""What build_model chooses, draws and refuses."""

import pytest
import torch

from rnnxai import MODELS, build_model
from rnnxai.errors import Error
from rnnxai.fingerprint import covered
from rnnxai.models.build import own_options
from rnnxai.models.dropout import Dropout

ARCHITECTURES = list(MODELS)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_biases_only_gates_have_them(build, architecture):
    model = build(architecture, bias_init="none")
    biases = [name for name, _ in model.named_parameters() if name.endswith("bias")]
    assert [name.rpartition("gates")[1:] for name in biases] == [("gates", ".bias")] * (
        "r-lstm" in architecture
    )


@pytest.mark.parametrize("bias_init, value", [("thesis", -0.01), ("plain", 0.0), (None, None)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_initial_biases(build, architecture, bias_init, value):
    """None is the architecture's own choice."""
    if value is None:
        value = 0.0 if architecture == "mnist-cnn" else -0.01
    for name, layer in build(architecture, bias_init=bias_init).affine_layers().items():
        right = 0.0 if name.endswith("gates") else value
        torch.testing.assert_close(layer.offset(), torch.full_like(layer.bias, right), rtol=1e-5, atol=0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_initial_weights_can_be_scaled(build, architecture):
    small, large = build(architecture), build(architecture, initial_scale=6.0)
    for name, layer in small.affine_layers().items():
        torch.testing.assert_close(large.affine_layers()[name].weight, 3 * layer.weight)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_an_architecture_chooses_itself(architecture):
    convolutional = architecture.startswith("conv") or architecture == "lenet"
    right = {"dropout": 0.2, "bias_init": "thesis", "pooling": "thesis" if convolutional else None}
    if architecture == "mnist-cnn":
        right = {"dropout": 0.0, "bias_init": "plain", "pooling": "average"}
    assert own_options(architecture) == right
    model = build_model(architecture, image_size=(28, 28), steps=1)
    drops = {module.p for module in model.modules() if isinstance(module, Dropout)}
    assert drops == (set() if architecture == "lenet" else {right["dropout"]})


def test_what_is_chosen_goes_before_that():
    chosen = {"dropout": 0.0, "bias_init": "none", "pooling": "max"}
    assert own_options("conv-deep", **chosen) == chosen


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training_depends_on_no_code_that_an_architecture_does_not_use(architecture):
    modules = covered("rnnxai.stages.train", MODELS.target(architecture))
    pools = own_options(architecture)["pooling"] is not None
    for module in ("convolution", "pooling"):
        assert (f"rnnxai.models.{module}" in modules) == pools
    assert ("rnnxai.models.stationary" in modules) == architecture.endswith("-sd")
    assert "rnnxai.models.cells.shallow" not in modules or architecture == "shallow"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equal_seeds_give_equal_networks(sizes, architecture):
    def build(seed):
        steps = 1 if architecture in ("lenet", "mnist-cnn") else 4
        model = build_model(architecture, image_size=(3, 8), steps=steps, seed=seed, **sizes[architecture])
        return model.state_dict()

    first, again, other = build(4), build(4), build(5)
    assert all(first[name].equal(again[name]) for name in first)
    assert not any(first[name].equal(other[name]) for name in first if name.endswith("weight"))


def test_patches_are_columns_read_row_by_row(build):
    model = build("shallow", seeds=(0,), steps=4)
    images = torch.arange(24.0).view(1, 1, 1, 3, 8)
    assert model.patches(images)[0, :, 0].tolist() == [
        [2 * t + column + 8 * row for row in range(3) for column in range(2)] for t in range(4)
    ]


def test_dropout_acts_in_training_only(build, stack_images):
    model = build("deep", dropout=0.5)
    quiet = model.eval()(stack_images)
    assert quiet.equal(model(stack_images))
    loud = model.train()(stack_images)
    assert not loud.equal(model(stack_images))
    assert not loud.equal(quiet)


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"name": "shalow"}, "unknown architecture 'shalow'.*Did you mean 'shallow'"),
        ({"steps": 3}, "steps = 3 does not divide the image width 8; allowed: 1, 2, 4, 8"),
        ({"steps": 0}, "steps = 0"),
        ({"steps": -1}, "steps = -1"),
        ({"dropout": 1.0}, "dropout = 1.0"),
        ({"dropout": -0.1}, "dropout = -0.1"),
        ({"dropout": float("nan")}, "dropout = nan"),
        ({"bias_init": "code"}, "bias_init = 'code'"),
        ({"initial_scale": 0.0}, "initial_scale = 0.0 is no factor"),
        ({"initial_scale": -1.0}, "initial_scale = -1.0"),
        ({"initial_scale": float("nan")}, "initial_scale = nan"),
        ({"initial_scale": float("inf")}, "initial_scale = inf"),
        ({"pooling": "sum"}, "pooling = 'sum', but architecture 'shallow' does not pool"),
        ({"name": "conv-deep", "pooling": "min"}, "pooling = 'min' is unknown; allowed: 'thesis', 'sum'"),
        ({"name": "lenet"}, "steps = 4, but architecture 'lenet' is not recurrent; steps = 1"),
        ({"name": "mnist-cnn"}, "steps = 4, but architecture 'mnist-cnn' is not recurrent; steps = 1"),
        ({"name": "lenet", "steps": 1}, "2 x 4 is too small for a kernel of 5 x 5 without padding"),
        ({"name": "rnnxai.models.layers:Affine"}, "Affine"),
        ({"cells": 4}, "'shallow' cannot be built with {'cells': 4}.*cells"),
    ],
)
def test_bad_requests_are_named(changed, message):
    arguments = {"name": "shallow", "image_size": (3, 8), "steps": 4} | changed
    with pytest.raises(Error, match=message):
        build_model(arguments.pop("name"), **arguments)


@pytest.mark.parametrize(
    "shape", [(6, 1, 3, 9), (6, 1, 4, 8), (6, 3, 3, 8), (6, 3, 8), (2, 6, 1, 3, 8), (1, 1, 6, 1, 3, 8)]
)
def test_images_of_another_shape_are_refused(build, shape):
    with pytest.raises(Error, match=r"images have shape .*; this model takes \(3, N, 1, 3, 8\)"):
        build("shallow")(torch.zeros(shape, dtype=torch.float64))
    with pytest.raises(Error, match=r"this model takes \(N, 1, 3, 8\)"):
        build("shallow", seeds=(0,))(torch.zeros(shape, dtype=torch.float64))
