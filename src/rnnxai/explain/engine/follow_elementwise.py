"""How activations are followed, and dropout."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from rnnxai.errors import Error
from rnnxai.explain.channels import Domain
from rnnxai.explain.engine.functions import (
    ACTIVATIONS,
    DROPOUTS,
    RELU,
    Activation,
    name_of,
)
from rnnxai.explain.engine.recorder import Recorder


def follow_activation(
    recorder: Recorder, func: Callable[..., Any], input: Tensor, *args: Any, **kwargs: Any
) -> Any:
    """Follow an activation by its table entry."""
    kwargs.pop("inplace", None)  # the new tensor takes the old one's place in a recording
    function = partial(_with_arguments, func, args, kwargs)
    return activate(recorder, function, ACTIVATIONS[func], input, name_of(func))


def follow_hardtanh(
    recorder: Recorder,
    func: Callable[..., Any],
    input: Tensor,
    min_val: float = -1.0,
    max_val: float = 1.0,
    inplace: bool = False,
) -> Tensor:
    """Follow a clipping, which ``nn.ReLU6`` is too: its lower end tells the domain."""
    kind = Activation(Domain.NON_NEGATIVE if min_val >= 0 else Domain.SIGNED, keeps_sign=max_val >= 0)
    function = partial(_with_arguments, func, (min_val, max_val), {})
    return activate(recorder, function, kind, input, name_of(func))


def _with_arguments(func: Callable[..., Any], args: Any, kwargs: Any, x: Tensor) -> Any:
    return func(x, *args, **kwargs)


def follow_clamp(
    recorder: Recorder,
    func: Callable[..., Any],
    input: Tensor,
    min: float | Tensor | None = None,
    max: float | Tensor | None = None,
    *,
    out: None = None,
) -> Tensor:
    """Follow a clipping between numbers; below at 0 and no further it is a ReLU."""
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        if recorder.is_signal(input, name_of(func)):
            recorder.hinder(f"{name_of(func)} clips at a tensor; clip at numbers, or use an activation")
        result: Tensor = func(input, min, max)
        return result
    domain = Domain.NON_NEGATIVE if min is not None and min >= 0 else Domain.SIGNED
    kind = Activation(domain, keeps_sign=max is None or max >= 0)
    if min == 0 and max is None:
        kind = RELU
    function = partial(_with_arguments, func, (min, max), {})
    return activate(recorder, function, kind, input, name_of(func))


def activate(
    recorder: Recorder,
    function: Callable[[Tensor], Tensor],
    kind: Activation,
    x: Tensor,
    name: str = "a gate",
) -> Tensor:
    """Apply an elementwise function to what may be a signal."""
    if not recorder.is_signal(x, name):
        return function(x)
    with torch.no_grad():
        value = x.detach()
        y = function(value)
    gradient = partial(_gradient, function, kind.derivative, value, y)
    old = recorder.signals[x]
    domain = kind.domain
    if kind.keeps_sign and old.domain is Domain.NON_NEGATIVE:
        domain = Domain.NON_NEGATIVE
    signal = old.hidden(domain, old.numbers, kind.is_gate)
    return recorder.passed(x, y, gradient, signal, stops=kind.stops)


def _gradient(
    function: Callable[[Tensor], Tensor],
    derivative: Callable[[Tensor], Tensor] | None,
    x: Tensor,
    y: Tensor,
    cotangent: Tensor,
) -> Tensor:
    if derivative is not None:
        return cotangent * derivative(y)
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(function(x), x, cotangent)
    return gradient


def follow_dropout(
    recorder: Recorder,
    func: Callable[..., Any],
    x: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> Any:
    """Refuse a mask: explanations are made in evaluation mode."""
    if x in recorder.signals and training and p > 0:
        raise Error(
            f"dropout with p = {p} drew a mask during an explanation; hand it the module's own "
            "`training`, which is False then, or use rnnxai.models.Dropout"
        )
    return x if x in recorder.signals else func(x, p, training, inplace)


HANDLERS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys(ACTIVATIONS, follow_activation),
    F.hardtanh: follow_hardtanh,
    **dict.fromkeys([torch.clamp, torch.clip, Tensor.clamp, Tensor.clip], follow_clamp),
    **dict.fromkeys(DROPOUTS, follow_dropout),
}
