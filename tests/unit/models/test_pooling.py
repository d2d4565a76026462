"""Pooling by hand, at the cut edges too."""

import pytest
import torch

from rnnxai.errors import Error
from rnnxai.models.pooling import pool, size_after_pooling

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


@pytest.mark.parametrize("size, after", [((28, 7), (14, 4)), ((14, 4), (7, 2)), ((1, 1), (1, 1))])
def test_sizes(size, after):
    assert size_after_pooling(*size) == after == tuple(pool(torch.ones(1, 1, *size), "sum").shape[-2:])


def test_an_unknown_variant_is_named():
    with pytest.raises(
        Error, match=r"pooling = 'min' is unknown; allowed: 'thesis', 'sum', 'average', 'max'"
    ):
        pool(torch.ones(1, 1, 2, 2), "min")
