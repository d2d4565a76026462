"""Convolutions of several parts, with zeros around the image as TensorFlow puts them."""

import math

import numpy as np
import pytest
import torch

from rnnxai.errors import Error
from rnnxai.models.convolution import Convolution, as_images


def make(inputs=(2, 3), kernel=(3, 3), padding="same", bias="negative", folds=3):
    layer = Convolution(folds, inputs, 4, kernel, padding, bias).double()
    layer.initialise([torch.Generator().manual_seed(seed) for seed in range(folds)])
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias, generator=torch.Generator().manual_seed(9))
    return layer


def by_hand(x, weight, offset, margins):
    """Convolve images (N, C, H, W), one result at a time."""
    left, right, top, bottom = margins
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    height, width = weight.shape[-2:]
    rows, columns = x.shape[-2] - height + 1, x.shape[-1] - width + 1
    z = np.empty((len(x), len(weight), rows, columns))
    for k, u, v in np.ndindex(z.shape[1:]):
        z[:, k, u, v] = (x[:, :, u : u + height, v : v + width] * weight[k]).sum((1, 2, 3)) + offset[k]
    return z


KERNELS = {  # with the zeros at the left, right, top and bottom that keep the image's size
    (1, 1): (0, 0, 0, 0),
    (3, 3): (1, 1, 1, 1),
    (5, 5): (2, 2, 2, 2),
    (5, 3): (1, 1, 2, 2),
    (1, 3): (1, 1, 0, 0),
    (2, 2): (0, 1, 0, 1),
    (4, 4): (1, 2, 1, 2),
    (3, 2): (0, 1, 1, 1),
    (1, 4): (1, 2, 0, 0),
}


@pytest.mark.parametrize("bias", ["negative", "plain", "none"])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_convolution_is_the_double_sum(kernel, padding, bias, torch_rng):
    layer = make(kernel=kernel, padding=padding, bias=bias)
    x, r = (torch.randn(3, 2, c, 6, 5, generator=torch_rng, dtype=torch.float64) for c in (2, 3))
    margins = KERNELS[kernel] if padding == "same" else (0, 0, 0, 0)
    assert layer.margins == margins
    found = layer(x, r).detach().numpy()
    assert found.shape[-2:] == layer.size_after(6, 5)
    if padding == "same":
        assert found.shape[-2:] == (6, 5)
    for k in range(3):
        offset = np.zeros(4) if bias == "none" else layer.offset()[k].detach().numpy()
        joined = torch.cat([x[k], r[k]], 1).numpy()
        right = by_hand(joined, layer.weight[k].detach().numpy(), offset, margins)
        np.testing.assert_allclose(found[k], right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bias", ["negative", "none"])
@pytest.mark.parametrize("kernel", [(3, 3), (4, 2)])
def test_projecting_all_steps_at_once_changes_nothing(kernel, bias, torch_rng):
    layer = make(kernel=kernel, bias=bias)
    x = torch.randn(3, 5, 2, 2, 6, 5, generator=torch_rng, dtype=torch.float64)
    r = torch.randn(3, 2, 3, 6, 5, generator=torch_rng, dtype=torch.float64)
    projected = layer.project(x)
    assert len(projected) == 5
    for t, item in enumerate(projected):
        torch.testing.assert_close(layer.complete(item, r), layer(x[:, t], r), rtol=1e-12, atol=1e-12)
        alone = layer(x[:, t], torch.zeros_like(r))
        torch.testing.assert_close(layer.complete(item), alone, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(layer(x[:, t]), alone, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer(x)[:, 4], layer(x[:, 4]), rtol=1e-12, atol=1e-12)


def test_one_fold_of_a_stack(torch_rng):
    layer = make()
    x, r = (torch.randn(3, 4, c, 6, 5, generator=torch_rng, dtype=torch.float64) for c in (2, 3))
    for k in range(3):
        one = slice(k, k + 1)
        torch.testing.assert_close(layer(x[one], r[one], fold=k), layer(x, r)[one], rtol=1e-13, atol=1e-13)
        torch.testing.assert_close(layer(x[one], fold=k), layer(x)[one], rtol=1e-13, atol=1e-13)


def test_channels_come_last_in_memory(torch_rng):
    """Of the result too, from images with a single channel too, so that the next layer need not move them."""
    layer = Convolution(2, (1,), 4, (3, 3)).double()
    layer.initialise([torch.Generator().manual_seed(seed) for seed in range(2)])
    maps = layer(torch.randn(2, 3, 1, 6, 5, generator=torch_rng, dtype=torch.float64))
    assert maps.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_initial_weights_know_how_much_a_unit_reads():
    layer = Convolution(1, (3, 5), 400, (4, 2))
    layer.initialise([torch.Generator().manual_seed(0)])
    sigma = 1 / math.sqrt(8 * 4 * 2)
    assert 1.999 * sigma < layer.weight.abs().max().item() <= 2.000001 * sigma
    torch.testing.assert_close(layer.offset(), torch.full((1, 400), -0.01), rtol=1e-5, atol=0)


def test_a_kernel_larger_than_the_image_is_refused():
    layer = make(kernel=(4, 3), padding="valid")
    assert layer.size_after(4, 3) == (1, 1)
    for size in ((3, 3), (4, 2)):
        with pytest.raises(Error, match=rf"{size[0]} x {size[1]} is too small for a kernel of 4 x 3"):
            layer.size_after(*size)


def test_pixels_of_a_patch_lie_row_by_row():
    assert as_images(torch.arange(6), (2, 3)).tolist() == [[[0, 1, 2], [3, 4, 5]]]


def test_what_it_shows():
    assert "inputs=[2, 3], outputs=4, bias=negative, kernel=(3, 3), padding=same" in repr(make())
