"""The architectures: their sizes, their mathematics, and a stack of them."""

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from rnnxai import MODELS, build_model
from rnnxai.errors import Error
from rnnxai.models.layers import Dropout

ARCHITECTURES = list(MODELS)
MNIST, MAJ = (28, 28), (28, 84)


@pytest.mark.parametrize(
    "architecture, image_size, steps, count",
    [
        ("shallow", MNIST, 1, 334_858),
        ("shallow", MNIST, 4, 184_330),
        ("shallow", MNIST, 7, 162_826),
        ("shallow", MAJ, 12, 184_330),
        ("deep", MNIST, 1, 304_106),
        ("deep", MNIST, 4, 153_578),
        ("deep", MNIST, 7, 132_074),
        ("deep", MAJ, 12, 153_578),
        ("r-lstm", MAJ, 12, 145_914),
    ],
)
def test_parameters_of_the_thesis(architecture, image_size, steps, count):
    """Tables 3.3, 3.5 and 3.6."""
    assert parameters(build_model(architecture, image_size=image_size, steps=steps)) == count


@pytest.mark.parametrize(
    "architecture, count, unused", [("shallow", 269_322, "recurrent"), ("deep", 271_338, "hidden")]
)
def test_parameters_of_one_step_as_the_thesis_counts_them(architecture, count, unused):
    """Table 3.3 leaves out one recurrent block, which plays no part at T = 1."""
    model = build_model(architecture, image_size=MNIST, steps=1)
    recurrent = model.affine_layers()["hidden"].columns[1]
    block = (recurrent.stop - recurrent.start) * model.affine_layers()["hidden"].weight.shape[1]
    assert parameters(model) - block == count


def test_parameters_of_r_lstm_as_the_thesis_counts_them():
    """Table 3.6 counts the biases of each gate as one number."""
    model = build_model("r-lstm", image_size=MAJ, steps=12)
    gate_biases = model.cell.gates.bias.numel()
    assert parameters(model) - gate_biases + 3 == 145_701


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_biases_only_gates_have_them(architecture):
    model = build_model(architecture, image_size=MNIST, steps=4, bias_init="none")
    biases = [name for name, _ in model.named_parameters() if name.endswith("bias")]
    assert biases == (["cell.gates.bias"] if architecture == "r-lstm" else [])


# One network of a stack, written out with one matrix product after the other.


class Plain:
    def __init__(self, model, k, masks=None):
        self.model, self.k, self.masks = model, k, masks or {}

    def __call__(self, images):
        width = images.shape[-1] // self.model.steps
        xs = [images[..., t * width : (t + 1) * width].flatten(1) for t in range(self.model.steps)]
        return getattr(self, type(self.model.cell).__name__)(xs)

    def layer(self, name, *x):
        affine = getattr(self.model.cell, name)
        bias = affine.bias[self.k] if name == "gates" else -torch.log1p(affine.bias[self.k].exp())
        return linear(torch.cat(x, 1), affine.weight[self.k], bias)

    def drop(self, name, x, t=None):
        if name not in self.masks:
            return x
        mask = self.masks[name][self.k]
        return x * (mask if t is None else mask[t])

    def zeros(self, x, name):
        return x.new_zeros(len(x), getattr(self.model.cell, name).weight.shape[1])

    def Shallow(self, xs):  # noqa: N802
        r = self.zeros(xs[0], "recurrent")
        for t, x in enumerate(xs):
            if t:
                r = self.layer("recurrent", self.drop(f"h to r {t}", h)).relu()  # noqa: F821
            h = self.layer("hidden", x, r).relu()
        return self.layer("output", h)

    def Deep(self, xs):  # noqa: N802
        r = self.zeros(xs[0], "recurrent")
        for t, x in enumerate(xs):
            if t:
                r = self.layer("recurrent", self.drop(f"h to r {t}", h)).relu()  # noqa: F821
            e = self.drop("e", self.layer("encoder", x).relu(), t)
            h = self.layer(
                "hidden", self.drop("e in [e ; r]", e, t), self.drop(f"r in [e ; r] {t}", r)
            ).relu()
        return self.layer("output", self.layer("decoder", self.drop("last h", h)).relu())

    def RLSTM(self, xs):  # noqa: N802
        c = h = self.zeros(xs[0], "candidate")
        for t, x in enumerate(xs):
            e = self.drop("e", self.layer("encoder", x).relu(), t)
            i, f, o = torch.split(self.layer("gates", e, h).sigmoid(), c.shape[1], dim=1)
            c = f * c + i * self.layer("candidate", e, h).relu()
            h = self.drop(f"h {t}", o * c)
        return self.layer("output", h)


# The masks of a forward pass of 4 steps, in the order they are drawn.
MASKS = {
    "shallow": ["h to r 1", "h to r 2", "h to r 3"],
    "deep": [
        "e",
        "e in [e ; r]",
        *(name for t in (1, 2, 3) for name in (f"h to r {t}", f"r in [e ; r] {t}")),
        "last h",
    ],
    "r-lstm": ["e", "h 0", "h 1", "h 2", "h 3"],
}


@pytest.fixture
def build(sizes):
    def build(architecture, seeds=(0, 1, 2), steps=4, **options):
        rngs = [torch.Generator().manual_seed(seed) for seed in seeds]
        model = build_model(
            architecture,
            image_size=(3, 8),
            steps=steps,
            classes=4,
            generators=rngs,
            **sizes[architecture],
            **options,
        )
        return model.double()

    return build


@pytest.fixture
def stack_images():
    values = torch.rand(3, 6, 1, 3, 8, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    return 2 * values - 1


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_forward_pass_of_each_fold(build, stack_images, architecture, steps):
    model = build(architecture, steps=steps).eval()
    for k, found in enumerate(model(stack_images)):
        right = Plain(model, k)(stack_images[k])
        assert right.abs().max() > 1e-3
        torch.testing.assert_close(found, right, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_where_dropout_acts(build, stack_images, architecture, monkeypatch):
    model = build(architecture, dropout=0.5)
    draw, drawn = Dropout.mask, []

    def recording(dropout, x):
        drawn.append(draw(dropout, x))
        return drawn[-1]

    monkeypatch.setattr(Dropout, "mask", recording)
    found = model.train()(stack_images)
    masks = dict(zip(MASKS[architecture], drawn, strict=True))
    for k in range(3):
        right = Plain(model, k, masks)(stack_images[k])
        torch.testing.assert_close(found[k], right, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_stack_is_its_networks_side_by_side(build, stack_images, architecture):
    """Initial weights, logits, and a step of training with dropout."""
    stack = build(architecture, dropout=0.5)
    stack.draw_masks_from([torch.Generator().manual_seed(10 + k) for k in range(3)])
    labels = torch.tensor([[0, 1, 2, 3, 0, 1], [3, 2, 1, 0, 0, 0], [1, 1, 2, 2, 3, 3]])
    logits = train_a_step(stack, stack_images, labels)
    for k in range(3):
        one = build(architecture, seeds=(k,), dropout=0.5)
        one.draw_masks_from([torch.Generator().manual_seed(10 + k)])
        before = {name: value.clone() for name, value in one.state_dict().items()}
        alone = train_a_step(one, stack_images[k : k + 1], labels[k : k + 1])
        torch.testing.assert_close(logits[k], alone[0], rtol=1e-12, atol=1e-14)
        for name, value in one.state_dict().items():
            torch.testing.assert_close(stack.state_dict()[name][k], value[0], rtol=1e-10, atol=1e-12)
            assert not value.equal(before[name]), name


def train_a_step(model, images, labels):
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    logits = model.train()(images)
    losses = [cross_entropy(*pair) for pair in zip(logits, labels, strict=True)]
    sum(losses).backward()
    optimiser.step()
    return logits.detach()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equal_seeds_give_equal_networks(sizes, architecture):
    def build(seed):
        model = build_model(architecture, image_size=(3, 8), steps=4, seed=seed, **sizes[architecture])
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
