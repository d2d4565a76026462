"""From stored pixels to a model's input."""

import torch
from torch import Tensor


def to_input(pixels: Tensor) -> Tensor:
    """Map bytes 0 .. 255 to float32 values in [-1, 1], laid out contiguously."""
    values = pixels.to(torch.float32, memory_format=torch.contiguous_format)
    return values.mul_(2 / 255).sub_(1)
