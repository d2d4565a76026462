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
    """

    def __init__(self, model: nn.Module, bounds: Bounds | None) -> None:
        self.model = model
        self.bounds = bounds
        self._layers: dict[Hashable, tuple[tuple[object, ...], Layer]] = {}
        self._modules = {id(module): name for name, module in model.named_modules()}
        self._names = set(self._modules.values())
        self._tensors = {id(p): name for name, p in [*model.named_parameters(), *model.named_buffers()]}

    def layer(self, of: tuple[object, ...], how: Hashable, make: Callable[[], Layer]) -> Layer:
        """Return a layer, made when it is met for the first time.

        Parameters
        ----------
        of : tuple of object
            All that it is made of: modules, weights, biases. They are told apart by identity, and kept, so
            that no other object can take their place.
        how : hashable
            What else decides what it is.
        make : callable
            Makes it.
        """
        key = (*map(id, of), how)
        if key not in self._layers:
            self._layers[key] = of, make()
        return self._layers[key][1]

    def name_of_module(self, module: nn.Module) -> str | None:
        """Return a submodule's name, without the cell's in front of it; None for a stranger."""
        name = self._modules.get(id(module))
        return None if name is None else self.short(name)

    def short(self, name: str) -> str:
        """Return a module's name without the cell's in front of it, if that is no other module's name."""
        short = name.removeprefix("cell.")
        return name if short in self._names else short

    def name_of_tensor(self, tensor: Tensor) -> str | None:
        """Return the name of the module that holds a weight; None for a tensor of no module."""
        name = self._tensors.get(id(tensor))
        if name is None:
            return None
        return self.short(name.removesuffix(".weight"))


class Target(NamedTuple):
    """What is explained of each sample: a score, less another if there is a contrast."""

    of: Tensor
    less: Tensor | None = None
