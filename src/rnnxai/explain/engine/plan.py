"""What is known of a model before a single sample is seen."""

from collections.abc import Callable, Hashable
from typing import NamedTuple

from torch import Tensor, nn

from rnnxai.explain.channels import Bounds
from rnnxai.explain.engine.layer import Layer


class Plan:
    """A model and its layers, which outlive a single recording.

    Parameters
    ----------
    model : Module
        Its layers are followed by name.
    bounds : tuple of float, optional
        Range of the model's input, an end of which may be infinite. None if it has no known range.

    Attributes
    ----------
    layers : dict
        The layers that were met so far, in the order in which they were met.
    """

    def __init__(self, model: nn.Module, bounds: Bounds | None) -> None:
        self.model = model
        self.bounds = bounds
        self.layers: dict[Hashable, Layer] = {}
        self._modules = {id(module): name for name, module in model.named_modules()}
        self._tensors = {id(p): name for name, p in [*model.named_parameters(), *model.named_buffers()]}

    def layer(self, key: Hashable, make: Callable[[], Layer]) -> Layer:
        """Return a layer, made when it is met for the first time."""
        if key not in self.layers:
            self.layers[key] = make()
        return self.layers[key]

    def name_of_module(self, module: nn.Module) -> str | None:
        """Return a submodule's name, without the cell's in front of it; None for a stranger."""
        name = self._modules.get(id(module))
        return None if name is None else name.removeprefix("cell.")

    def name_of_tensor(self, tensor: Tensor) -> str | None:
        """Return the name of the module that holds a weight; None for a tensor of no module."""
        name = self._tensors.get(id(tensor))
        if name is None:
            return None
        return name.removeprefix("cell.").removesuffix(".weight")


class Target(NamedTuple):
    """What is explained of each sample: a score, less another if there is a contrast."""

    of: Tensor
    less: Tensor | None = None
