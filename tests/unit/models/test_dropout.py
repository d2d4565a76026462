"""Masks, and dropout after a ReLU."""

import math

import pytest
import torch

from rnnxai.models.dropout import Dropout, masked_relu
from rnnxai.models.unrolling import unrolling


def streams(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_dropout_keeps_the_mean_and_the_share():
    dropout = Dropout(0.2)
    dropout.generators = streams(0, 1)
    mask = dropout.mask(torch.ones(2, 1000, 301))
    keep = round(0.8 * 2**16) / 2**16
    assert mask.unique().tolist() == pytest.approx([0, 1 / keep], rel=1e-6)
    for fold in mask:
        assert (fold > 0).float().mean().item() == pytest.approx(0.8, abs=0.003)
        assert fold.mean().item() == pytest.approx(1, abs=0.004)
    each_unit = (mask > 0).float().mean((0, 1))
    assert (each_unit - 0.8).abs().max() < 5 * math.sqrt(0.16 / 2000)


def test_dropout_draws_neighbours_independently():
    """Four elements share one random word."""
    dropout = Dropout(0.5)
    dropout.generators = streams(0)
    kept = (dropout.mask(torch.ones(1, 40_000)) > 0).double().view(-1, 4)
    correlation = torch.corrcoef(kept.T) - torch.eye(4)
    assert correlation.abs().max() < 0.05


def test_dropout_of_a_fold_does_not_depend_on_its_neighbours():
    x = torch.ones(3, 6, 5)
    together, alone = Dropout(0.5), Dropout(0.5)
    together.generators, alone.generators = streams(3, 4, 5), streams(4)
    for _ in range(3):
        assert together(x)[1:2].equal(alone(x[:1]))
    masks = together.mask(x)
    assert not masks[0].equal(masks[2])
    assert not masks.equal(together.mask(x))


def test_dropout_without_generators_follows_torchs_seed():
    dropout, x = Dropout(0.5), torch.ones(2, 6, 5)
    torch.manual_seed(3)
    first = dropout(x)
    torch.manual_seed(3)
    assert dropout(x).equal(first)
    assert not dropout(x).equal(first)


@pytest.mark.parametrize("p, training", [(0.5, False), (0.0, True)])
def test_dropout_that_does_nothing(p, training):
    dropout, x = Dropout(p).train(training), torch.ones(2, 6, 5)
    state = torch.get_rng_state()
    assert dropout(x) is x
    assert torch.get_rng_state().equal(state)


def test_dropout_in_double_precision_scales_exactly():
    mask = Dropout(0.2).mask(torch.ones(1, 1000, dtype=torch.float64))
    assert mask.max().item() == 2**16 / round(0.8 * 2**16)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_mask_of_two_drops_keeps_what_both_would(dtype):
    mask = Dropout(0.2).mask(torch.ones(1, 1000, 300, dtype=dtype), times=2)
    assert mask.dtype == dtype
    assert (mask > 0).float().mean().item() == pytest.approx(0.64, abs=0.004)
    assert mask.max().item() == pytest.approx(1 / 0.64, rel=4e-3 if dtype == torch.bfloat16 else 2e-5)


@pytest.mark.parametrize("times", [1, 2])
def test_dropout_after_a_relu_is_the_product_of_both(torch_rng, times):
    z, g = (torch.randn(2, 3, 7, 5, generator=torch_rng, dtype=torch.float64) for _ in range(2))
    dropout, again = Dropout(0.5), Dropout(0.5)
    dropout.generators, again.generators = streams(1, 2), streams(1, 2)
    z.requires_grad_()
    found = dropout.after_relu(z, times)
    right = torch.relu(z) * again.mask(z, times)
    assert found.equal(right)
    assert (right == 0).any() and (right > 0).any()
    for a, b in zip(*(torch.autograd.grad(y, z, g) for y in (found, right)), strict=True):
        assert a.equal(b)


def test_masked_relu_has_the_gradient_of_its_values(torch_rng):
    z = torch.randn(2, 3, 4, 5, generator=torch_rng, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([0.0, 1.25, 1.25, 0.0, 1.25], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: masked_relu(z, mask.expand(2, 1, 4, 5)), z)


def test_without_dropout_a_relu_is_left():
    z = torch.tensor([[-1.0, 2.0]])
    for dropout in (Dropout(0.5).eval(), Dropout(0.0)):
        assert not dropout.acts
        assert dropout.after_relu(z, times=2).tolist() == [[0.0, 2.0]]


def test_masks_of_all_steps_are_drawn_at_once():
    """And are those that as many draws of whole words would have made."""
    dropout, x = Dropout(0.5), torch.ones(2, 6, 4)
    dropout.generators = streams(3, 4)
    with unrolling() as present:
        present.steps_left = 3
        masks = [dropout.mask(x)]
        state = dropout.generators[0].get_state()
        masks += [dropout.mask(x), dropout.mask(x)]
        assert dropout.generators[0].get_state().equal(state)
        dropout.mask(x)
        assert not dropout.generators[0].get_state().equal(state)
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) == 3
    dropout.generators = streams(3, 4)
    assert torch.stack(masks).equal(torch.stack([dropout.mask(x) for _ in masks]))


def test_masks_that_were_not_used_are_not_kept():
    """So where a stream stands between two passes says all, and a run can go on from there."""
    dropout, x = Dropout(0.5), torch.ones(1, 6, 4)
    dropout.generators = streams(3)
    with unrolling() as present:
        present.steps_left = 5
        first = dropout.mask(x)
    stands = dropout.generators[0].get_state()
    with unrolling():
        second = dropout.mask(x)
    dropout.generators[0].set_state(stands)
    with unrolling():
        assert dropout.mask(x).equal(second)
    assert not first.equal(second)


def test_each_number_of_drops_has_masks_of_its_own():
    dropout, x = Dropout(0.5), torch.ones(1, 50, 40)
    with unrolling() as present:
        present.steps_left = 2
        assert dropout.mask(x).max() == 2
        assert dropout.mask(x, times=2).max() == 4
        assert dropout.mask(x[:, :20]).shape == (1, 20, 40)
