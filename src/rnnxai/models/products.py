"""How a CPU multiplies float32 matrices: torch's usual library, or oneDNN where that is as accurate.

On processors with AVX-512 the library that torch ships does not always use it; oneDNN does, and torch
hands it float32 products if its ``fp32_precision`` allows bfloat16. Where the processor multiplies bfloat16
matrices by itself (AMX), that permission is used, and products lose half their digits. So features of the
processor and a comparison with float64 decide, never a clock, which would change results from run to run.
"""

from typing import Literal

import torch

Products = Literal["default", "onednn"]
CHOICES: tuple[Products, ...] = ("default", "onednn")
_PRECISION = {"default": "none", "onednn": "bf16"}
LARGEST_ERROR = 2e-6  # of a sum of up to 512 products, relative to the largest; bfloat16 makes 3e-3
_SHAPES = ((1, 50, 256, 256), (7, 50, 512, 128), (3, 600, 196, 256), (2, 256, 50, 452), (1, 1000, 256, 10))


def choose_products(stored: str | None = None) -> Products:
    """Choose, and set it for this process.

    Parameters
    ----------
    stored : str, optional
        The choice that a run has begun with. It is taken if it holds on this processor.

    Returns
    -------
    {"default", "onednn"}
        What is in force now.
    """
    if stored == "default" or not _has_avx512() or not _is_accurate("onednn"):
        return use_products("default")
    return use_products("onednn")


def use_products(choice: Products) -> Products:
    """Set a choice for this process, and return it."""
    if hasattr(torch.backends.mkldnn, "matmul"):  # from torch 2.9
        torch.backends.mkldnn.matmul.fp32_precision = _PRECISION[choice]
    return choice


def _has_avx512() -> bool:
    there = hasattr(torch.backends.mkldnn, "matmul") and torch.backends.mkldnn.is_available()
    return there and torch.backends.cpu.get_cpu_capability() == "AVX512"


def _is_accurate(choice: Products) -> bool:
    """Compare products of every kind that training makes with the same in float64."""
    use_products(choice)
    generator = torch.Generator().manual_seed(0)
    for folds, rows, inputs, outputs in _SHAPES:
        a, b, c = (
            torch.randn(folds, *size, generator=generator)
            for size in ((rows, inputs), (outputs, inputs), (1, outputs))
        )
        found = torch.baddbmm(c, a, b.mT), torch.bmm(a, b.mT)
        right = torch.bmm(a.double(), b.double().mT)
        for values, exact in zip(found, (right + c, right), strict=True):
            if ((values - exact).abs().max() / exact.abs().max()).item() > LARGEST_ERROR:
                return False
    return True
