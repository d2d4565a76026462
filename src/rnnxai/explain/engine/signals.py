"""What is known of the tensors that a recording follows."""

from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from rnnxai.explain.channels import Bounds, Domain


@dataclass(frozen=True)
class Signal:
    """A tensor that depends on the model's input.

    Attributes
    ----------
    domain : Domain
    bounds : tuple of float or None
        Range of a bounded domain.
    is_input : bool
        Whether it is the model's input, possibly moved or scaled, which no layer has read yet.
    is_gate : bool
        Whether it controls other signals: the output of a sigmoid, a product of such, one minus such.
    numbers : Tensor or None
        Sample numbers in its shape, if the books are kept.
    """

    domain: Domain
    bounds: Bounds | None = None
    is_input: bool = False
    is_gate: bool = False
    numbers: Tensor | None = None

    @classmethod
    def of_input(cls, bounds: Bounds | None, numbers: Tensor | None) -> Self:
        """Return the signal of the model's input with a declared range, or none."""
        domain = domain_of(bounds)
        kept = bounds if domain is Domain.BOUNDED else None
        return cls(domain, kept, is_input=True, numbers=numbers)

    def numbered(self, numbers: Tensor | None) -> Self:
        """Return the signal with other sample numbers, those of a moved copy."""
        return self if numbers is self.numbers else replace(self, numbers=numbers)

    def scaled(self, factor: float) -> Self:
        """Return the signal times a number."""
        bounds = self.bounds and (self.bounds[0] * factor, self.bounds[1] * factor)
        if factor < 0:
            bounds = bounds and (bounds[1], bounds[0])
        domain = self.domain
        if domain is Domain.BOUNDED and factor == 0:
            domain, bounds = Domain.SIGNED, None
        if domain is Domain.NON_NEGATIVE and factor < 0:
            domain = Domain.SIGNED
        return replace(self, domain=domain, bounds=bounds, is_gate=self.is_gate and factor >= 0)

    def shifted(self, constant: float) -> Self:
        """Return the signal plus a number."""
        bounds = self.bounds and (self.bounds[0] + constant, self.bounds[1] + constant)
        domain = Domain.SIGNED if self.domain is Domain.NON_NEGATIVE and constant < 0 else self.domain
        return replace(self, domain=domain, bounds=bounds, is_gate=False)

    def hidden(self, domain: Domain, numbers: Tensor | None = None, is_gate: bool = False) -> Self:
        """Return a signal of a hidden domain."""
        return replace(self, domain=domain, bounds=None, is_input=False, is_gate=is_gate, numbers=numbers)


def domain_of(bounds: Bounds | None) -> Domain:
    """Return the domain of a model's input with a declared range."""
    if bounds is None:
        return Domain.UNKNOWN
    low, high = bounds
    if low == -float("inf"):
        return Domain.REAL
    if high == float("inf"):
        return Domain.NON_NEGATIVE if low >= 0 else Domain.REAL
    return Domain.BOUNDED


class Signals:
    """The signals of a recording, by tensor. A tensor that is gone is forgotten."""

    def __init__(self) -> None:
        self._signals: MutableMapping[Tensor, Signal] = WeakTensorKeyDictionary()

    def __contains__(self, x: object) -> bool:
        return isinstance(x, Tensor) and x in self._signals

    def __getitem__(self, x: Tensor) -> Signal:
        return self._signals[x]

    def get(self, x: Tensor) -> Signal | None:
        """Return what is known of a tensor, or None for a constant."""
        return self._signals[x] if x in self else None

    def __setitem__(self, x: Tensor, signal: Signal) -> None:
        if x.requires_grad:  # what was computed from constants alone is a constant
            self._signals[x] = signal

    def among(self, items: Iterable[object]) -> list[Tensor]:
        """Return the signals among some objects."""
        return [item for item in items if isinstance(item, Tensor) and item in self._signals]


def beside(signals: Sequence[Signal], constants: Tensor | None) -> Signal:
    """Return what signals are that stand beside each other, and beside constants."""
    first = signals[0]
    is_gate = all(signal.is_gate for signal in signals)
    is_input = any(signal.is_input for signal in signals)
    alike = all((signal.domain, signal.bounds) == (first.domain, first.bounds) for signal in signals)
    if alike and (constants is None or _fits(constants, first)):
        return Signal(first.domain, first.bounds, is_input, is_gate)
    return Signal(Domain.SIGNED, None, is_input, is_gate)


def _fits(constants: Tensor, signal: Signal) -> bool:
    """Tell whether constants lie in a signal's domain."""
    if constants.numel() == 0:
        return True
    if signal.domain is Domain.NON_NEGATIVE:
        return bool((constants >= 0).all())
    if signal.bounds is not None:
        low, high = signal.bounds
        return bool(((constants >= low) & (constants <= high)).all())
    return False
