"""The inputs of a layer during a recording: their share in denominators, and what is sent down to them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rnnxai.explain.channels import Bounds, Channel, Domain, Input, Term
from rnnxai.explain.engine.layer import Layer

Channels = tuple[Channel, ...]
_FACTORS = {Input.VALUE, Input.POSITIVE, Input.NEGATIVE}  # 0 where the input is 0


class Part:
    """One input of a layer during a recording: its values, domain and share in the denominators.

    Parameters
    ----------
    layer : Layer
    index : int
        Which of the layer's parts this is.
    x : Tensor
        The values. A projected part holds the rows of all time steps.
    domain : Domain
    bounds : tuple of float or None
        Low and high end of a bounded domain.
    constant : bool
        Whether the values do not depend on the model's input, as an initial state does not.
    numbers : Tensor or None
        Sample numbers in the shape of x, if the books are kept.
    zero : bool
        Whether all values are known to be zeros, so that only rules that ignore values need its weights.
    is_input : bool
        Whether it is the model's input.
    """

    def __init__(
        self,
        layer: Layer,
        index: int,
        x: Tensor,
        domain: Domain,
        bounds: Bounds | None = None,
        constant: bool = False,
        numbers: Tensor | None = None,
        zero: bool = False,
        is_input: bool = False,
    ) -> None:
        self.layer = layer
        self.index = index
        self.x = x
        self.domain = domain
        self.bounds = bounds
        self.is_input = is_input
        self.constant = constant
        self.numbers = numbers
        self.zero = zero
        self._sums: dict[Term, Tensor] = {}
        self._totals: dict[tuple[Term, ...], Tensor] = {}
        self._mass: Tensor | None = None

    def of(self, layer: Layer) -> "Part":
        """Return the same input as a part of another layer."""
        return Part(
            layer,
            self.index,
            self.x,
            self.domain,
            self.bounds,
            self.constant,
            self.numbers,
            self.zero,
            self.is_input,
        )

    def sums(self, channel: Channel) -> Tensor:
        """Return this part's addend to the channel's denominators, in the shape of the output."""
        terms = channel.terms[self.domain]
        if terms not in self._totals:  # each step of a projected part asks for some of its rows
            self._totals[terms] = add_up([self._sum(term) for term in terms])
        return self._totals[terms]

    def _sum(self, term: Term) -> Tensor:
        if self.zero and term.input in _FACTORS:
            return self.x.new_zeros(())
        if term not in self._sums:  # explainers share terms: the z+ of DTD is the alpha part of LRP
            weight = self.layer.modified(self.index, term.weight)
            self._sums[term] = self.layer.map.apply(self._modified(term.input), weight)
        return self._sums[term]

    @property
    def mass(self) -> Tensor:
        """Usable input of each unit: what relevance is spread over where a denominator is empty."""
        if self._mass is None:
            self._mass = self.layer.map.gather(self._usable)
        return self._mass

    @property
    def _usable(self) -> Tensor:
        match self.domain:
            case Domain.BOUNDED:
                return torch.full_like(self.x, self._high - self._low)
            case Domain.REAL:
                return torch.ones_like(self.x)
            case Domain.NON_NEGATIVE:
                return self.x
            case _:
                return self.x.abs()

    def pull(self, channels: Sequence[Channel], quotients: Sequence[Tensor], spread: Tensor | None) -> Tensor:
        """Send relevance down.

        Parameters
        ----------
        channels : sequence of Channel
        quotients : sequence of Tensor
            Share times relevance over denominator, for each channel.
        spread : Tensor or None
            Relevance per unit of mass, from units whose denominator is empty, if there are any.

        Returns
        -------
        Tensor
            Relevance in the shape of x.
        """
        pulled: dict[Input, Tensor] = {}
        for channel, quotient in zip(channels, quotients, strict=True):
            terms = [t for t in channel.terms[self.domain] if not (self.zero and t.input in _FACTORS)]
            weights = [self.layer.modified(self.index, term.weight) for term in terms]
            messages = self.layer.map.pull_each(quotient, weights, self.x) if terms else ()
            for term, message in zip(terms, messages, strict=True):
                so_far = pulled.get(term.input)
                pulled[term.input] = message if so_far is None else so_far + message
        received = None if spread is None else self._usable * self.layer.map.scatter(spread, self.x)
        for modifier, message in pulled.items():
            values = self._modified(modifier)
            received = message * values if received is None else received.addcmul_(message, values)
        return torch.zeros_like(self.x) if received is None else received

    @property
    def _low(self) -> float:
        return self._range[0]

    @property
    def _high(self) -> float:
        return self._range[1]

    @property
    def _range(self) -> Bounds:
        if self.bounds is None:
            raise AssertionError(f"layer {self.layer.name!r} reads a bounded input without bounds")
        return self.bounds

    def gradient(self, cotangent: Tensor) -> Tensor:
        """Send the gradient down."""
        return self.layer.map.pull(cotangent, self.layer.weights[self.index], self.x)

    def _modified(self, modifier: Input) -> Tensor:
        match modifier:
            case Input.VALUE:
                return self.x
            case Input.POSITIVE:
                return self.x.clamp(min=0)
            case Input.NEGATIVE:
                return self.x.clamp(max=0)
            case Input.ABOVE_LOW:
                return self.x - self._low
            case Input.BELOW_HIGH:
                return self.x - self._high
            case Input.ONE:
                return torch.ones_like(self.x)


class Projected:
    """A part whose rows serve all time steps, each some of them.

    Parameters
    ----------
    part : Part
        The rows of all steps, one step after the other.
    rows : sequence of slice
        Which rows belong to which step.
    at : int
        The first step's number in the books.
    """

    def __init__(self, part: Part, rows: Sequence[slice], at: int) -> None:
        self.part = part
        self.rows = rows
        self.at = at
        self._waiting: dict[int, tuple[Channels, Sequence[Tensor], Tensor | None]] = {}

    def wait(
        self, step: int, channels: Channels, tensors: Sequence[Tensor], spread: Tensor | None = None
    ) -> Tensor:
        """Keep what a step hands down until all steps have come; return the link's gradient."""
        self._waiting[step] = channels, tensors, spread
        return self.part.x.new_zeros(())

    def collect(self) -> list[tuple[Channels, list[Tensor], Tensor | None]]:
        """Return what has come, by channels: rows of all steps under each other, zeros for absent steps."""
        waiting = dict(self._waiting)
        self.forget()
        kinds: list[Channels] = []
        for channels, _, _ in waiting.values():
            if channels not in kinds:
                kinds.append(channels)
        found = []
        for channels in kinds:
            known = {step: (q, spread) for step, (theirs, q, spread) in waiting.items() if theirs == channels}
            by_channel = zip(*(tensors for tensors, _ in known.values()), strict=True)
            quotients = [self._under(dict(zip(known, tensors, strict=True))) for tensors in by_channel]
            spreads = {step: spread for step, (_, spread) in known.items() if spread is not None}
            found.append((channels, quotients, self._under(spreads) if spreads else None))
        return found

    def _under(self, known: Mapping[int, Tensor]) -> Tensor:
        if len(known) < len(self.rows):
            shape = next(iter(known.values())).shape[1:]
            zeros = {
                step: self.part.x.new_zeros(rows.stop - rows.start, *shape)
                for step, rows in enumerate(self.rows)
                if step not in known
            }
            known = {**zeros, **known}
        return torch.cat([known[step] for step in range(len(self.rows))])

    def forget(self) -> None:
        """Drop what has come, after a walk that did not come to its end."""
        self._waiting.clear()


class PartStep:
    """A projected part seen from one of its time steps: it shares the sums of all steps.

    Parameters
    ----------
    projected : Projected
    step : int
    """

    def __init__(self, projected: Projected, step: int) -> None:
        self.projected = projected
        self.step = step
        self.domain = projected.part.domain
        self.is_input = projected.part.is_input
        self._rows = projected.rows[step]

    def sums(self, channel: Channel) -> Tensor:
        """Return this step's addend to the channel's denominators."""
        return self.projected.part.sums(channel)[self._rows]

    @property
    def numbers(self) -> Tensor | None:
        """Sample numbers of this step's rows."""
        numbers = self.projected.part.numbers
        return None if numbers is None else numbers[self._rows]

    @property
    def mass(self) -> Tensor:
        """Usable input of this step's units."""
        return self.projected.part.mass[self._rows]

    def pull(self, channels: Sequence[Channel], quotients: Sequence[Tensor], spread: Tensor | None) -> Tensor:
        """Leave relevance to be sent down with that of the other steps."""
        return self.projected.wait(self.step, tuple(channels), quotients, spread)

    def gradient(self, cotangent: Tensor) -> Tensor:
        """Leave the gradient to be sent down with that of the other steps."""
        return self.projected.wait(self.step, (), [cotangent])


def add_up(tensors: Sequence[Tensor]) -> Tensor:
    """Return the sum of one or more tensors."""
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total
