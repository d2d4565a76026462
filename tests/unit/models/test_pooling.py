"""Pooling by hand, at the cut edges too."""

import pytest
import torch

from rnnxai.errors import Error
from rnnxai.models.pooling import VARIANTS, pool, relu_pool, size_after_pooling

IMAGE = [[1.0, 2.0, 3.0], [4.0, 5.0, 7.0], [-8.0, 0.0, 16.0]]
POOLED = {
    "sum": [[12.0, 10.0], [-8.0, 16.0]],
    "average": [[3.0, 5.0], [-4.0, 16.0]],
    "thesis": [[6.0, 10.0], [-8.0, 32.0]],
    "max": [[5.0, 7.0], [0.0, 16.0]],
}


@pytest.mark.parametrize("axes", [(), (2,), (2, 3, 4)])
@pytest.mark.parametrize("variant", POOLED)
def test_pooling_by_hand(variant, axes):
    factors = torch.arange(1.0, 3 * 2 + 1).view(3, *(1 for _ in axes), 2, 1, 1)
    images = torch.tensor(IMAGE) * factors.expand(3, *axes, 2, 1, 1)
    right = torch.tensor(POOLED[variant]) * factors.expand(3, *axes, 2, 1, 1)
    found = pool(images, variant)
    torch.testing.assert_close(found, right, rtol=0, atol=0)
    assert found.shape[-2:] == size_after_pooling(3, 3)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", [(6, 4), (5, 4), (6, 3), (1, 3), (28, 7)])
@pytest.mark.parametrize("variant", POOLED)
def test_pooling_and_its_gradient_are_torchs_own(variant, size, channels_last, torch_rng):
    """Also together with a ReLU, whose gradient is 0 at 0."""
    function, factor = VARIANTS[variant]
    images = torch.randn(2, 4, 3, *size, generator=torch_rng, dtype=torch.float64)
    images[0, 0] = 0
    if channels_last:
        images = images.movedim(2, -1).contiguous().movedim(-1, 2)
    for ours, before in ((pool, lambda x: x), (relu_pool, torch.relu)):
        x, y = (images.clone(memory_format=torch.preserve_format).requires_grad_() for _ in range(2))
        found, right = ours(x, variant), factor * function(before(y).flatten(0, 1)).unflatten(0, (2, 4))
        torch.testing.assert_close(found, right, rtol=1e-14, atol=1e-14)
        weights = torch.randn(found.shape, generator=torch_rng, dtype=torch.float64)
        for z, result in ((x, found), (y, right)):
            (result * weights).sum().backward()
            assert z.grad.any()
        torch.testing.assert_close(x.grad, y.grad, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("size, after", [((28, 7), (14, 4)), ((14, 4), (7, 2)), ((1, 1), (1, 1))])
def test_sizes(size, after):
    assert size_after_pooling(*size) == after == tuple(pool(torch.ones(1, 1, *size), "sum").shape[-2:])


def test_an_unknown_variant_is_named():
    with pytest.raises(
        Error, match=r"pooling = 'min' is unknown; allowed: 'thesis', 'sum', 'average', 'max'"
    ):
        pool(torch.ones(1, 1, 2, 2), "min")
