"""How elementwise functions are followed: activations, sums, products, dropout."""

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
    DIFFERENCES,
    DROPOUTS,
    NEGATIONS,
    PRODUCTS,
    QUOTIENTS,
    RELU,
    SUMS,
    Activation,
    label_of,
    name_of,
)
from rnnxai.explain.engine.layer import Layer
from rnnxai.explain.engine.maps import Elementwise
from rnnxai.explain.engine.operations import Product
from rnnxai.explain.engine.recorder import Recorder
from rnnxai.explain.engine.signals import Signal

ELEMENTWISE = Elementwise()


def follow_activation(
    recorder: Recorder, func: Callable[..., Any], x: Tensor, *args: Any, **kwargs: Any
) -> Any:
    """Follow an activation by its table entry."""
    kwargs.pop("inplace", None)  # the new tensor takes the old one's place in a recording
    function = partial(_with_arguments, func, args, kwargs)
    return activate(recorder, function, ACTIVATIONS[func], x, name_of(func))


def follow_hardtanh(
    recorder: Recorder,
    func: Callable[..., Any],
    x: Tensor,
    min_val: float = -1.0,
    max_val: float = 1.0,
    inplace: bool = False,
) -> Tensor:
    """Follow a clipping, which ``nn.ReLU6`` is too: its lower end tells the domain."""
    kind = Activation(Domain.NON_NEGATIVE if min_val >= 0 else Domain.SIGNED)
    function = partial(_with_arguments, func, (min_val, max_val), {})
    return activate(recorder, function, kind, x, name_of(func))


def _with_arguments(func: Callable[..., Any], args: Any, kwargs: Any, x: Tensor) -> Any:
    return func(x, *args, **kwargs)


def follow_clamp(
    recorder: Recorder,
    func: Callable[..., Any],
    x: Tensor,
    min: float | Tensor | None = None,
    max: float | Tensor | None = None,
    *,
    out: None = None,
) -> Tensor:
    """Follow a clipping between numbers; below at 0 and no further it is a ReLU."""
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        if recorder.is_signal(x, name_of(func)):
            recorder.hinder(f"{name_of(func)} clips at a tensor; clip at numbers, or use an activation")
        result: Tensor = func(x, min, max)
        return result
    positive = min is not None and min >= 0
    kind = Activation(Domain.NON_NEGATIVE if positive else Domain.SIGNED)
    if min == 0 and max is None:
        kind = RELU
    return activate(recorder, partial(_with_arguments, func, (min, max), {}), kind, x, name_of(func))


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
    if domain is Domain.SIGNED and old.domain is Domain.NON_NEGATIVE:
        domain = Domain.NON_NEGATIVE  # every activation of the table is at least 0 there
    signal = old.hidden(domain, old.numbers, kind.is_gate)
    return recorder.passed(x, y, gradient, signal, stops=kind.stops)


def _gradient(
    function: Callable[[Tensor], Tensor],
    derivative: Callable[[Tensor, Tensor], Tensor] | None,
    x: Tensor,
    y: Tensor,
    cotangent: Tensor,
) -> Tensor:
    if derivative is not None:
        return cotangent * derivative(x, y)
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(function(x), x, cotangent)
    return gradient


def follow_sum(
    recorder: Recorder, func: Callable[..., Any], a: Any, b: Any, *, alpha: float = 1, out: None = None
) -> Any:
    """Follow a + alpha b."""
    return _sum(recorder, func, a, b, alpha, (1, alpha))


def follow_difference(
    recorder: Recorder, func: Callable[..., Any], a: Any, b: Any, *, alpha: float = 1, out: None = None
) -> Any:
    """Follow a - alpha b, or b - alpha a for the reflected functions."""
    reflected = name_of(func).rpartition(".")[2] in ("rsub", "__rsub__")
    return _sum(recorder, func, a, b, alpha, (-alpha, 1) if reflected else (1, -alpha))


def _sum(
    recorder: Recorder, func: Callable[..., Any], a: Any, b: Any, alpha: float, weights: tuple[float, float]
) -> Any:
    name = name_of(func)
    of_a, of_b = weights
    if recorder.is_signal(a, name) and recorder.is_signal(b, name):
        return add_signals(recorder, label_of(func), [a, b], [of_a, of_b])
    if a in recorder.signals:
        return _add_constant(recorder, label_of(func), a, of_a, of_b * b)
    if recorder.is_signal(b, name):
        return _add_constant(recorder, label_of(func), b, of_b, of_a * a)
    return func(a, b) if alpha == 1 else func(a, b, alpha=alpha)


def add_signals(recorder: Recorder, name: str, signals: list[Tensor], weights: list[float]) -> Tensor:
    """Add signals: a layer whose units read one element of each."""
    with torch.no_grad():
        terms = [weight * x for weight, x in zip(weights, signals, strict=True)]
        z = sum(terms[1:], terms[0])
    even = all(weight == 1 for weight in weights)
    layer = Layer(name, "sum", ELEMENTWISE, [signals[0].new_tensor(w) for w in weights], even=even)
    parts = [recorder.part(layer, index, x) for index, x in enumerate(signals)]
    result = recorder.apply(layer, parts, signals, z, only_losses=True)
    domains = {recorder.signals[x].domain for x in signals}
    if domains == {Domain.NON_NEGATIVE} and min(weights) >= 0:
        recorder.signals[result] = recorder.signals[result].hidden(
            Domain.NON_NEGATIVE, recorder.signals[result].numbers
        )
    return result


def _add_constant(recorder: Recorder, name: str, x: Tensor, weight: float, constant: Any) -> Tensor:
    signal = recorder.signals[x]
    with torch.no_grad():
        z = weight * x.detach() + constant
    nothing = not isinstance(constant, Tensor) and constant == 0
    if nothing or signal.is_gate:  # one minus a gate is a gate: relevance passes through to the gate
        is_gate = signal.is_gate and (nothing or _at_least(constant, 1 if weight < 0 else 0))
        domain = Domain.NON_NEGATIVE if is_gate else Domain.SIGNED
        new = signal.scaled(weight) if nothing else signal.hidden(domain, signal.numbers, is_gate)
        return recorder.passed(x, z, partial(torch.mul, other=weight), new)
    layer = Layer(name, "sum", ELEMENTWISE, [x.new_tensor(weight)], torch.as_tensor(constant, dtype=x.dtype))
    result = recorder.apply(layer, [recorder.part(layer, 0, x)], [x], z, only_losses=True)
    numbers = recorder.signals[result].numbers
    if not isinstance(constant, Tensor):
        new = signal.scaled(weight).shifted(constant)
    elif signal.is_input:
        new = Signal(Domain.SIGNED, is_input=True)
    else:
        stays = signal.domain is Domain.NON_NEGATIVE and weight >= 0 and _at_least(constant, 0)
        new = signal.hidden(Domain.NON_NEGATIVE if stays else Domain.SIGNED)
    recorder.signals[result] = new.numbered(numbers)
    return result


def follow_product(recorder: Recorder, func: Callable[..., Any], a: Any, b: Any, *, out: None = None) -> Any:
    """Follow a product of signals, or of a signal and a constant."""
    name = name_of(func)
    of_a, of_b = recorder.is_signal(a, name), recorder.is_signal(b, name)
    if not (of_a or of_b):
        return func(a, b)
    if of_a and of_b:
        return _multiply_signals(recorder, func, a, b)
    x, constant = (a, b) if of_a else (b, a)
    if recorder.signals[x].is_gate and isinstance(constant, Tensor) and constant.dim() > 0:
        return multiply(recorder, label_of(func), x, constant.detach())
    return _scale(recorder, x, constant)


def follow_quotient(
    recorder: Recorder,
    func: Callable[..., Any],
    a: Any,
    b: Any,
    *,
    rounding_mode: str | None = None,
    out: None = None,
) -> Any:
    """Follow a signal divided by a constant."""
    name = name_of(func)
    if recorder.is_signal(b, name) or rounding_mode is not None:
        recorder.hinder(f"{name} divides by a signal or rounds one, and its relevance is not known")
        return func(a, b, rounding_mode=rounding_mode)
    if not recorder.is_signal(a, name):
        return func(a, b)
    return _scale(recorder, a, 1 / b)


def follow_negation(recorder: Recorder, func: Callable[..., Any], x: Tensor) -> Any:
    """Follow -x."""
    return _scale(recorder, x, -1.0) if recorder.is_signal(x, name_of(func)) else func(x)


def _scale(recorder: Recorder, x: Tensor, constant: Any) -> Tensor:
    if isinstance(constant, Tensor) and constant.dim() == 0:
        constant = constant.item()
    signal = recorder.signals[x]
    with torch.no_grad():
        y = x.detach() * constant
    if not isinstance(constant, Tensor):
        new = signal.scaled(float(constant))
    else:
        constant = constant.detach()
        stays = signal.domain is Domain.NON_NEGATIVE and _at_least(constant, 0)
        new = signal.hidden(Domain.NON_NEGATIVE if stays else Domain.SIGNED, signal.numbers)
        new = Signal(new.domain, is_input=signal.is_input, numbers=new.numbers)
    return recorder.passed(x, y, partial(torch.mul, other=constant), new)


def _multiply_signals(recorder: Recorder, func: Callable[..., Any], a: Tensor, b: Tensor) -> Tensor:
    gates = [x for x in (a, b) if recorder.signals[x].is_gate]
    if not gates:
        recorder.hinder(
            f"a product of two signals of shapes {[tuple(a.shape), tuple(b.shape)]} has no unique "
            "explanation; pass the controlling factor through a sigmoid (rnnxai.models.layers.gate)"
        )
        result: Tensor = func(a, b)
        recorder.signals[result] = Signal(Domain.SIGNED, numbers=recorder.joint_numbers([a, b], result))
        return result
    gate, signal = (a, b) if recorder.signals[a].is_gate else (b, a)
    return multiply(recorder, label_of(func), gate, signal)


def multiply(recorder: Recorder, name: str, gate: Tensor, signal: Tensor) -> Tensor:
    """Multiply a gate by a signal, by another gate, or by a constant that may stand for either."""
    with torch.no_grad():
        y = gate * signal
    numbers = recorder.joint_numbers([gate, signal], y)
    known = recorder.signals.get(signal)
    is_gate = known is None or known.is_gate
    two_gates = is_gate and known is not None
    place = recorder.place(name, numbers)
    result: Tensor = Product.apply(recorder.walk, place, two_gates, y, gate, signal)
    positive = _at_least(signal, 0) if known is None else known.domain is Domain.NON_NEGATIVE
    domain = Domain.NON_NEGATIVE if positive else Domain.SIGNED
    recorder.signals[result] = Signal(domain, is_gate=is_gate, numbers=numbers)
    return result


def one_minus(recorder: Recorder, gate: Tensor) -> Tensor:
    """Return 1 - gate, which is a gate."""
    return _add_constant(recorder, "1 - gate", gate, -1, 1)


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


def _at_least(constant: Any, least: float) -> bool:
    return bool((torch.as_tensor(constant).detach() >= least).all())


HANDLERS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys(ACTIVATIONS, follow_activation),
    F.hardtanh: follow_hardtanh,
    **dict.fromkeys([torch.clamp, torch.clip, Tensor.clamp, Tensor.clip], follow_clamp),
    **dict.fromkeys(SUMS, follow_sum),
    **dict.fromkeys(DIFFERENCES, follow_difference),
    **dict.fromkeys(PRODUCTS, follow_product),
    **dict.fromkeys(QUOTIENTS, follow_quotient),
    **dict.fromkeys(NEGATIONS, follow_negation),
    **dict.fromkeys(DROPOUTS, follow_dropout),
}
