"""What a recording knows of torch's functions, beside the layers.

A new function that only moves, joins or activates values is one more entry in a table here.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import resolve_name

from rnnxai.explain.channels import Domain

Function = Callable[..., Any]


def _methods(*names: str) -> set[Function]:
    """Return the functions of these names, of torch and of tensors, as far as there are."""
    owners = (torch, Tensor)
    return {getattr(owner, name) for owner in owners for name in names if hasattr(owner, name)}


# Functions that only move values about, or pick some: relevance moves back with them, as a gradient would.
MOVES: frozenset[Function] = frozenset(
    _methods(
        "amax", "amin", "atleast_1d", "atleast_2d", "atleast_3d", "bfloat16", "broadcast_to", "chunk",
        "clone", "contiguous", "cpu", "cuda", "diagonal", "double", "expand", "expand_as", "flatten",
        "flip", "float", "gather", "__getitem__", "half", "index_select", "int", "long", "masked_select",
        "moveaxis", "movedim", "narrow", "permute", "repeat", "repeat_interleave", "reshape", "reshape_as",
        "roll", "rot90", "select", "split", "split_with_sizes", "squeeze", "swapaxes", "swapdims", "t",
        "take_along_dim", "tensor_split", "tile", "to", "transpose", "type_as", "unbind", "unflatten",
        "unfold", "unsqueeze", "view", "view_as",
    )
    | {vars(torch._C.TensorBase)[name].__get__ for name in ("T", "mT", "H", "mH")}
    | {
        F.max_pool1d, F.max_pool2d, F.max_pool3d, F.adaptive_max_pool1d, F.adaptive_max_pool2d,
        F.adaptive_max_pool3d, torch.max_pool1d, torch.max_pool2d, torch.max_pool3d, F.pixel_shuffle,
        F.pixel_unshuffle, F.channel_shuffle, torch._VF._pack_padded_sequence,
    }
)  # fmt: skip
CATS: frozenset[Function] = frozenset({torch.cat, torch.concat, torch.concatenate})
JOINS: frozenset[Function] = CATS | {torch.stack, torch.hstack, torch.vstack, torch.dstack}
SUMS: frozenset[Function] = frozenset(_methods("add", "__add__", "__radd__"))
DIFFERENCES: frozenset[Function] = frozenset(_methods("sub", "subtract", "__sub__", "rsub", "__rsub__"))
PRODUCTS: frozenset[Function] = frozenset(_methods("mul", "multiply", "__mul__", "__rmul__"))
QUOTIENTS: frozenset[Function] = frozenset(_methods("div", "divide", "true_divide", "__truediv__"))
NEGATIONS: frozenset[Function] = frozenset(_methods("neg", "negative", "__neg__"))
DROPOUTS: frozenset[Function] = frozenset(
    {F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout}
)


class Activation(NamedTuple):
    """An elementwise function of one signal.

    Attributes
    ----------
    domain : Domain
        Of its output.
    derivative : callable or None
        The output to the derivative, where there is a faster way than autograd's.
    is_gate : bool
        Whether its output, between 0 and 1, may control other signals.
    stops : bool
        Whether guided backpropagation acts here.
    keeps_sign : bool
        Whether it maps what is at least 0 to what is at least 0.
    """

    domain: Domain
    derivative: Callable[[Tensor], Tensor] | None = None
    is_gate: bool = False
    stops: bool = False
    keeps_sign: bool = True


RELU = Activation(Domain.NON_NEGATIVE, lambda y: y > 0, stops=True)
SIGMOID = Activation(Domain.NON_NEGATIVE, lambda y: y * (1 - y), is_gate=True)
_TANH = Activation(Domain.SIGNED, lambda y: 1 - y * y)
_SIGNED = Activation(Domain.SIGNED)
ACTIVATIONS: Mapping[Function, Activation] = {
    **dict.fromkeys([torch.relu, Tensor.relu, F.relu], RELU),
    **dict.fromkeys([torch.sigmoid, Tensor.sigmoid, F.sigmoid, torch.special.expit], SIGMOID),
    **dict.fromkeys([torch.tanh, Tensor.tanh, F.tanh], _TANH),
    F.hardsigmoid: Activation(Domain.NON_NEGATIVE, is_gate=True),
    F.relu6: Activation(Domain.NON_NEGATIVE),
    F.softplus: Activation(Domain.NON_NEGATIVE),
    **dict.fromkeys(
        [
            F.celu, torch.celu, F.elu, F.gelu, F.hardshrink, F.hardswish, F.leaky_relu, F.mish,
            F.prelu, torch.prelu, F.rrelu, torch.rrelu, F.selu, torch.selu, F.silu, F.softshrink, F.softsign,
            F.tanhshrink, Tensor.arctan, Tensor.asinh, Tensor.erf, torch.arctan, torch.asinh, torch.atan,
            torch.erf,
        ],
        _SIGNED,
    ),
}  # fmt: skip

_INSTEAD: Mapping[str, str] = {
    "abs": "use a ReLU",
    "layer_norm": "its scale depends on the signal; batch norm in evaluation mode can be explained",
    "log_softmax": "explain the model without it, from its logits",
    "masked_fill": "multiply by a mask of zeros and ones",
    "where": "multiply by masks of zeros and ones, and add",
    "softmax": "attention has no unique explanation; hand on the logits, or use a gate",
}
_KNOWN = (
    "use what can be: linear and convolution layers, recurrent layers, elementwise activations, pooling, "
    "batch norm, sums, products with a gate or a constant, reshaping"
)


def name_of(func: Function) -> str:
    """Return the name by which users know a function."""
    return resolve_name(func) or str(getattr(func, "__name__", func))


def label_of(func: Function) -> str:
    """Return a function's short name, for the books: ``add`` for ``torch.Tensor.__radd__``."""
    return name_of(func).rpartition(".")[2].strip("_")


def instead_of(func: Function) -> str:
    """Say what to use instead of a function that cannot be explained."""
    return _INSTEAD.get(name_of(func).rpartition(".")[2], _KNOWN)


def writes_in_place(func: Function) -> bool:
    """Tell whether a function overwrites its first argument: ``add_`` (so comes ``+=``), ``x[...] = y``."""
    name = name_of(func).rpartition(".")[2]
    if name in ("requires_grad_", "share_memory_", "rename_"):  # which change no value
        return False
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def written_in_place(func: Function) -> Function | None:
    """Return the function that computes what another writes into its first argument: ``add`` for ``add_``."""
    name = name_of(func).rpartition(".")[2]
    found: Function | None = getattr(Tensor, name.removesuffix("_"), None)
    found = found or getattr(F, name.removesuffix("_"), None)
    return None if name.endswith("__") else found


def operands_of(func: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """Return what a function reads: of a join the tensors alone, and not the axis."""
    if func in JOINS:
        return flat(args[0] if args else kwargs["tensors"])
    return flat((args, kwargs))


def flat(value: Any) -> list[Any]:
    """Return what nested tuples, lists and values of mappings hold, in one list."""
    if isinstance(value, Tensor):  # asked first, for it is what most values are
        return [value]
    if not isinstance(value, tuple | list):
        if not isinstance(value, Mapping):
            return [value]
        value = value.values()
    return [item for element in value for item in flat(element)]


def replaced(value: Any, replace: Callable[[Any], Any]) -> Any:
    """Return nested tuples, lists and mappings with their items replaced."""
    if isinstance(value, Mapping):
        return {key: replaced(item, replace) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, replace) for item in value]
    if isinstance(value, tuple):
        items = [replaced(item, replace) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return replace(value)


def depends_on(value: Tensor, leaves: list[Tensor]) -> bool:
    """Tell whether autograd can walk back from a computed value to one of some leaves."""
    seen, ahead = set(), [value.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        if any(getattr(node, "variable", None) is leaf for leaf in leaves):
            return True
        seen.add(node)
        ahead.extend(following for following, _ in node.next_functions)
    return False
