"""How sums, products and extremes of signals and constants are followed."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rnnxai.explain.channels import Domain
from rnnxai.explain.engine.follow_elementwise import follow_activation
from rnnxai.explain.engine.functions import (
    DIFFERENCES,
    NEGATIONS,
    PRODUCTS,
    QUOTIENTS,
    SUMS,
    label_of,
    name_of,
)
from rnnxai.explain.engine.layer import Layer
from rnnxai.explain.engine.maps import Elementwise
from rnnxai.explain.engine.operations import Product
from rnnxai.explain.engine.recorder import Recorder
from rnnxai.explain.engine.signals import Signal

ELEMENTWISE = Elementwise()


def follow_sum(
    recorder: Recorder,
    func: Callable[..., Any],
    input: Any,
    other: Any,
    *,
    alpha: float = 1,
    out: None = None,
) -> Any:
    """Follow a + alpha b."""
    return _sum(recorder, func, input, other, alpha, (1, alpha))


def follow_difference(
    recorder: Recorder,
    func: Callable[..., Any],
    input: Any,
    other: Any,
    *,
    alpha: float = 1,
    out: None = None,
) -> Any:
    """Follow a - alpha b, or b - alpha a for the reflected functions."""
    reflected = label_of(func) == "rsub"
    return _sum(recorder, func, input, other, alpha, (-alpha, 1) if reflected else (1, -alpha))


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
    """Return weight x + constant: a layer of one part whose bias is the constant."""
    if not isinstance(constant, Tensor):
        if constant == 0:
            return _scale(recorder, x, weight)
        # Twice a gate is a gate still, but 1 less it may be of either sign.
        if constant == 1 and weight == -1 and recorder.signals[x].is_gate and _at_least(1 - x.detach(), 0):
            return one_minus(recorder, x)
    signal = recorder.signals[x]
    with torch.no_grad():
        z = weight * x.detach() + constant
    bias = torch.as_tensor(constant, dtype=x.dtype, device=x.device).detach()
    layer = Layer(name, "sum", ELEMENTWISE, [x.new_tensor(weight)], bias)
    result = recorder.apply(layer, [recorder.part(layer, 0, x)], [x], z, only_losses=True)
    if isinstance(constant, Tensor):
        stays = signal.domain is Domain.NON_NEGATIVE and weight >= 0 and _at_least(constant, 0)
        new = Signal(Domain.NON_NEGATIVE if stays else Domain.SIGNED, is_input=signal.is_input)
    else:
        new = signal.scaled(weight).shifted(constant)
    recorder.signals[result] = new.numbered(recorder.signals[result].numbers)
    return result


def one_minus(recorder: Recorder, gate: Tensor) -> Tensor:
    """Return 1 - gate, which is a gate: relevance passes through to the gate."""
    signal = recorder.signals[gate].hidden(Domain.NON_NEGATIVE, recorder.signals[gate].numbers, is_gate=True)
    return recorder.passed(gate, 1 - gate.detach(), torch.neg, signal)


def follow_product(
    recorder: Recorder, func: Callable[..., Any], input: Any, other: Any, *, out: None = None
) -> Any:
    """Follow a product of signals, or of a signal and a constant."""
    name = name_of(func)
    of_a, of_b = recorder.is_signal(input, name), recorder.is_signal(other, name)
    if of_a and of_b:
        return _multiply_signals(recorder, func, input, other)
    if not (of_a or of_b):
        return func(input, other)
    x, constant = (input, other) if of_a else (other, input)
    if recorder.signals[x].is_gate and isinstance(constant, Tensor) and constant.requires_grad:
        return multiply(recorder, label_of(func), x, constant.detach())  # a learned state, say
    return _scale(recorder, x, constant)


def follow_quotient(
    recorder: Recorder,
    func: Callable[..., Any],
    input: Any,
    other: Any,
    *,
    rounding_mode: str | None = None,
    out: None = None,
) -> Any:
    """Follow a signal divided by a constant."""
    name, rest = name_of(func), {} if rounding_mode is None else {"rounding_mode": rounding_mode}
    divides = recorder.is_signal(other, name)
    if not (divides or recorder.is_signal(input, name)):
        return func(input, other, **rest)
    if divides or rest:
        recorder.hinder(f"{name} divides by a signal or rounds one, and its relevance is not known")
        return func(input, other, **rest)
    return _scale(recorder, input, other, divides=True)


def follow_negation(recorder: Recorder, func: Callable[..., Any], input: Tensor) -> Any:
    """Follow -x."""
    return _scale(recorder, input, -1.0) if recorder.is_signal(input, name_of(func)) else func(input)


def _scale(recorder: Recorder, x: Tensor, constant: Any, *, divides: bool = False) -> Tensor:
    """Return the signal times, or divided by, a constant: relevance passes."""
    if isinstance(constant, Tensor):
        constant = constant.detach()
    combine = torch.div if divides else torch.mul
    with torch.no_grad():
        y = combine(x.detach(), constant)
    signal = recorder.signals[x]
    if isinstance(constant, Tensor) and constant.dim() > 0:
        stays = signal.domain is Domain.NON_NEGATIVE and _at_least(constant, 0)
        new = Signal(
            Domain.NON_NEGATIVE if stays else Domain.SIGNED,
            is_input=signal.is_input,
            is_gate=signal.is_gate and stays,
            numbers=signal.numbers,
        )
    else:
        factor = float(constant)
        new = signal.scaled(1 / factor if divides else factor)
    return recorder.passed(x, y, partial(combine, other=constant), new)


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
    # A gate times a learned state is a gate that may be negative.
    positive = positive and recorder.signals[gate].domain is Domain.NON_NEGATIVE
    domain = Domain.NON_NEGATIVE if positive else Domain.SIGNED
    recorder.signals[result] = Signal(domain, is_gate=is_gate, numbers=numbers)
    return result


def follow_extreme(recorder: Recorder, func: Callable[..., Any], input: Tensor, other: Tensor) -> Any:
    """Follow the larger or smaller of two, which takes all; ties are halved."""
    name = name_of(func)
    if not recorder.any_signal([input, other], name):
        return func(input, other)
    both = [input, other]
    if label_of(func) == "maximum" and any(_is_zero(x) for x in both):
        return follow_activation(recorder, torch.relu, *recorder.signals.among(both))
    beside = recorder.signals.among(both)[0]
    a, b = (
        x if x in recorder.signals else recorder.source(label_of(func), x.expand_as(beside), beside)
        for x in both
    )
    positive = [recorder.signals[x].domain is Domain.NON_NEGATIVE for x in (a, b)]
    enough = any(positive) if label_of(func) == "maximum" else all(positive)
    result: Tensor = func(a, b)
    numbers = recorder.joint_numbers([a, b], result)
    recorder.signals[result] = Signal(Domain.NON_NEGATIVE if enough else Domain.SIGNED, numbers=numbers)
    return result


def follow_max(recorder: Recorder, func: Callable[..., Any], input: Tensor, *args: Any, **kwargs: Any) -> Any:
    """Follow a maximum or minimum, along an axis or of two tensors."""
    other = kwargs.get("other", args[0] if args else None)
    if isinstance(other, Tensor):
        return follow_extreme(
            recorder, torch.maximum if label_of(func) == "max" else torch.minimum, input, other
        )
    if recorder.is_signal(input, name_of(func)):
        if not args and "dim" not in kwargs:
            recorder.hinder(f"{name_of(func)} without an axis mixes the samples of a batch; name the axis")
            return func(input)
        return recorder.move(func, input, *args, **kwargs)
    return func(input, *args, **kwargs)


def _is_zero(x: Tensor) -> bool:
    return not x.requires_grad and not bool(x.any())


def _at_least(constant: Any, least: float) -> bool:
    return bool((torch.as_tensor(constant).detach() >= least).all())


HANDLERS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys(SUMS, follow_sum),
    **dict.fromkeys(DIFFERENCES, follow_difference),
    **dict.fromkeys(PRODUCTS, follow_product),
    **dict.fromkeys(QUOTIENTS, follow_quotient),
    **dict.fromkeys(NEGATIONS, follow_negation),
    **dict.fromkeys([torch.maximum, torch.minimum, Tensor.maximum, Tensor.minimum], follow_extreme),
    **dict.fromkeys([torch.max, torch.min, Tensor.max, Tensor.min], follow_max),
}
