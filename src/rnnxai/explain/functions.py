"""What a recording knows of torch's functions.

A new function that only moves, joins, adds or scales values is one more entry in a table here.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import resolve_name

Function = Callable[..., Any]

# Operations that only move values about: relevance moves back with them, as a gradient would.
MOVES: frozenset[Function] = frozenset(
    {
        torch.chunk,
        torch.clone,
        torch.flatten,
        torch.movedim,
        torch.narrow,
        torch.permute,
        torch.reshape,
        torch.select,
        torch.split,
        torch.squeeze,
        torch.swapaxes,
        torch.t,
        torch.transpose,
        torch.unbind,
        torch.unflatten,
        torch.unsqueeze,
        Tensor.chunk,
        Tensor.clone,
        Tensor.contiguous,
        Tensor.expand,
        Tensor.flatten,
        Tensor.movedim,
        Tensor.narrow,
        Tensor.permute,
        Tensor.reshape,
        Tensor.select,
        Tensor.split,
        Tensor.squeeze,
        Tensor.swapaxes,
        Tensor.t,
        Tensor.transpose,
        Tensor.unbind,
        Tensor.unflatten,
        Tensor.unsqueeze,
        Tensor.view,
        Tensor.__getitem__,
        *(vars(torch._C.TensorBase)[name].__get__ for name in ("T", "mT")),  # getters of properties
    }
)
JOINS: frozenset[Function] = frozenset({torch.cat, torch.concat, torch.concatenate, torch.stack})
SUMS: frozenset[Function] = frozenset({torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__})
PRODUCTS: frozenset[Function] = frozenset({torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__})

_LAYER = "use the layer rnnxai.models.Affine, which a recording follows"
_FACTOR = "use rnnxai.models.layers.gate for a controlling factor, or a ReLU for a signal"
_INSTEAD: Mapping[str, str] = {
    "addmm": _LAYER,
    "baddbmm": _LAYER,
    "bmm": _LAYER,
    "expit": _FACTOR,
    "linear": _LAYER,
    "matmul": _LAYER,
    "__matmul__": _LAYER,
    "mm": _LAYER,
    "sigmoid": _FACTOR,
    "tanh": _FACTOR,
}
_KNOWN = "use what can be: affine layers, ReLU, gates, sums, products with a gate or a constant, reshaping"


def name_of(func: Function) -> str:
    """Return the name by which users know a function."""
    return resolve_name(func) or str(func)


def instead_of(func: Function) -> str:
    """Say what to use instead of a function that cannot be explained."""
    return _INSTEAD.get(name_of(func).rpartition(".")[2], _KNOWN)


def writes_in_place(func: Function) -> bool:
    """Tell whether a function overwrites its first argument: ``add_``, ``x[...] = y``."""
    name = name_of(func).rpartition(".")[2]
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def operands_of(func: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """Return what a function reads: of a join the tensors alone, and not the axis."""
    if func in JOINS:
        return flat(args[0] if args else kwargs["tensors"])
    return flat((args, kwargs))


def flat(value: Any) -> list[Any]:
    """Return what nested tuples, lists and values of mappings hold, in one list."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return [item for element in value for item in flat(element)]
    return [value]


def any_nonzero(value: Any) -> bool:
    """Tell whether a number or tensor holds anything but zeros."""
    return isinstance(value, Tensor | int | float) and bool(torch.as_tensor(value).detach().any())


def any_negative(value: Any) -> bool:
    """Tell whether a number or tensor holds anything below zero."""
    return isinstance(value, Tensor | int | float) and bool((torch.as_tensor(value).detach() < 0).any())


def depends_on(value: Tensor, leaf: Tensor) -> bool:
    """Tell whether autograd can walk back from a value to a leaf."""
    seen, ahead = set(), [value.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        if getattr(node, "variable", None) is leaf:
            return True
        seen.add(node)
        ahead.extend(following for following, _ in node.next_functions)
    return value is leaf
