"""The mathematics of every cell, where it drops units, and a stack of networks."""

import pytest
import torch
from plain_networks import Plain, masks_of
from torch.nn.functional import cross_entropy

from rnnxai import MODELS, build_model
from rnnxai.models.build import own_options
from rnnxai.models.dropout import Dropout

ARCHITECTURES = list(MODELS)
POOLING = [name for name in ARCHITECTURES if own_options(name)["pooling"]]
STATIONARY = [name for name in ARCHITECTURES if name.endswith("-sd")]


def assert_networks(model, images, found, architecture, masks=None):
    pooling = getattr(getattr(model.cell, "convolutions", model.cell), "pooling", None)
    for k in range(len(images)):
        right = Plain(model, k, masks, pooling)(images[k], architecture)
        assert right.std(0).min() > 1e-3
        torch.testing.assert_close(found[k], right, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_forward_pass_of_each_fold(build, stack_images, architecture, steps):
    model = build(architecture, steps=steps).eval()
    assert_networks(model, stack_images, model(stack_images), architecture)


@pytest.mark.parametrize("bias_init", ["thesis", "none", "plain"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_forward_pass_with_biases_that_have_moved(build, stack_images, architecture, bias_init, torch_rng):
    model = build(architecture, bias_init=bias_init).eval()
    with torch.no_grad():
        for layer in model.affine_layers().values():
            if layer.bias is not None:
                layer.bias += torch.randn(layer.bias.shape, generator=torch_rng) / 4
    assert_networks(model, stack_images, model(stack_images), architecture)


@pytest.mark.parametrize("pooling", ["thesis", "sum", "average", "max"])
@pytest.mark.parametrize("architecture", POOLING)
def test_pooling_is_a_choice(build, stack_images, architecture, pooling):
    model = build(architecture, pooling=pooling).eval()
    logits = model(stack_images)
    for k in range(3):
        right = Plain(model, k, pooling=pooling)(stack_images[k], architecture)
        torch.testing.assert_close(logits[k], right, rtol=1e-11, atol=1e-13)
    own = build(architecture).eval()(stack_images)
    assert own.equal(logits) == (pooling == own_options(architecture)["pooling"])


@pytest.fixture
def drawn(monkeypatch):
    """Return the list of all masks as they are drawn."""
    draw, masks = Dropout.mask, []

    def recording(dropout, x, times=1):
        masks.append(draw(dropout, x, times))
        return masks[-1]

    monkeypatch.setattr(Dropout, "mask", recording)
    return masks


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_where_dropout_acts(build, stack_images, architecture, drawn):
    model = build(architecture, dropout=0.5)
    draw_masks(model)
    found = model.train()(stack_images)
    masks = dict(zip(masks_of(architecture), drawn, strict=True))
    assert_networks(model, stack_images, found, architecture, masks)


@pytest.mark.parametrize("architecture", STATIONARY)
def test_stationary_masks_differ_by_fold_sample_and_forward_pass(build, stack_images, architecture, drawn):
    model = build(architecture, dropout=0.5).train()
    draw_masks(model)
    model(stack_images)
    first, drawn[:] = list(drawn), []
    model(stack_images)
    assert len(first) == len(drawn)
    for mask, again in zip(first, drawn, strict=True):
        assert mask.shape[:2] == (3, 6)
        assert mask.dim() == 3
        assert not mask[0].equal(mask[1])
        assert not mask[:, :-1].equal(mask[:, 1:])
        assert not mask.equal(again)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nothing_is_dropped_in_evaluation(build, stack_images, architecture, drawn):
    model = build(architecture, dropout=0.5)
    model.train()(stack_images)
    drawn.clear()
    logits = model.eval()(stack_images)
    assert not drawn
    assert logits.equal(build(architecture, dropout=0.0).train()(stack_images))
    assert not drawn


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_stack_is_its_networks_side_by_side(build, stack_images, architecture):
    """Initial weights, logits, and a step of training with dropout."""
    stack = build(architecture, dropout=0.5)
    draw_masks(stack)
    labels = torch.tensor([[0, 1, 2, 3, 0, 1], [3, 2, 1, 0, 0, 0], [1, 1, 2, 2, 3, 3]])
    logits = train_a_step(stack, stack_images, labels)
    for k in range(3):
        one = build(architecture, seeds=(k,), dropout=0.5)
        one.draw_masks_from([torch.Generator().manual_seed(10 + k)])
        before = {name: value.clone() for name, value in one.state_dict().items()}
        alone = train_a_step(one, stack_images[k : k + 1], labels[k : k + 1])
        torch.testing.assert_close(logits[k], alone[0], rtol=1e-12, atol=1e-14)
        for name, value in one.state_dict().items():
            torch.testing.assert_close(stack.state_dict()[name][k], value[0], rtol=1e-8, atol=1e-11)
            assert not value.equal(before[name]), name


def draw_masks(model):
    model.draw_masks_from([torch.Generator().manual_seed(10 + k) for k in range(3)])


def train_a_step(model, images, labels):
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    logits = model.train()(images)
    losses = [cross_entropy(*pair) for pair in zip(logits, labels, strict=True)]
    sum(losses).backward()
    optimiser.step()
    return logits.detach()


@pytest.mark.parametrize(
    "image_size, steps", [((28, 28), 1), ((28, 28), 4), ((28, 28), 7), ((28, 84), 12), ((28, 84), 84)]
)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_images_and_steps_of_the_thesis(sizes, architecture, image_size, steps):
    """With small layers, which cost less time."""
    if architecture in ("lenet", "mnist-cnn"):
        steps = 1
    small = {key: size for key, size in sizes[architecture].items() if not key.startswith("kernel")}
    model = build_model(architecture, image_size=image_size, steps=steps, **small).eval()
    with torch.no_grad():
        assert model(torch.rand(2, 1, *image_size)).isfinite().all()
