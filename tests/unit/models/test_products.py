"""Products of float32 matrices stay products of float32 matrices."""

import pytest
import torch

from rnnxai.models import products
from rnnxai.models.products import CHOICES, choose_products, use_products


@pytest.fixture(autouse=True)
def _as_before():
    yield
    use_products("default")


def error():
    rng = torch.Generator().manual_seed(1)
    a, b = (torch.randn(3, 64, 300, generator=rng) for _ in range(2))
    exact = a.double() @ b.double().mT
    return ((a @ b.mT - exact).abs().max() / exact.abs().max()).item()


@pytest.mark.parametrize("stored", [None, *CHOICES])
def test_what_is_chosen_is_in_force_and_exact(stored):
    chosen = choose_products(stored)
    assert chosen in CHOICES
    assert chosen == choose_products(stored)
    assert error() < 2e-6


def test_a_run_keeps_the_usual_products_if_it_began_with_them():
    assert choose_products("default") == "default"


def test_products_that_round_are_not_chosen(monkeypatch):
    """A processor that multiplies bfloat16 by itself uses the permission."""
    bmm = torch.bmm

    def rounding(a, b):
        if a.dtype == torch.float32 and torch.backends.mkldnn.matmul.fp32_precision == "bf16":
            return bmm(a.bfloat16(), b.bfloat16()).float()
        return bmm(a, b)

    monkeypatch.setattr(products, "_has_avx512", lambda: True)
    monkeypatch.setattr(torch, "bmm", rounding)
    assert choose_products() == "default"
    assert choose_products("onednn") == "default"
    assert torch.backends.mkldnn.matmul.fp32_precision == "none"


def test_without_the_feature_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(products, "_has_avx512", lambda: False)
    monkeypatch.delattr(products, "_is_accurate")
    assert choose_products("onednn") == "default"
