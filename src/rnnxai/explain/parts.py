"""The inputs of a recorded layer, and how relevance is divided among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from rnnxai.explain.channels import AS_IS, Channel, Domain, Input, Kind, Power, Reader, Rule, Signs, Term
from rnnxai.explain.maps import Map

Bounds = tuple[float, float]
_FACTORS = {Input.VALUE, Input.POSITIVE, Input.NEGATIVE}  # 0 where the input is 0
ALIKE = (Channel(1, {Domain.NON_NEGATIVE: (Term(Input.VALUE, AS_IS),)}),)


@dataclass(eq=False)
class Layer:
    """The weights of one layer, and the modified copies that rules ask for.

    It outlives a single recording: a copy such as max(w, 0) is made once per model.

    Attributes
    ----------
    name, kind : str
        See :class:`~rnnxai.explain.channels.Reader`.
    map : Map
    weights : sequence of Tensor
        One for each part.
    bias : Tensor or None
        Broadcasts to the output.
    even : bool
        Whether a unit's weights are equal and positive, as in sums and pooling. Any rule that divides by
        contributions divides non-negative inputs by their values then.
    domains : set of Domain
        What it was seen to read.
    reads_input : bool
        Whether it was seen to read the model's input.
    """

    name: str
    kind: Kind
    map: Map
    weights: Sequence[Tensor]
    bias: Tensor | None = None
    even: bool = False
    domains: set[Domain] = field(default_factory=set)
    reads_input: bool = False
    calls: int = 0
    _copies: dict[tuple[int, Signs | Power], Tensor] = field(default_factory=dict, repr=False)
    _channels: dict[tuple[Rule, frozenset[Domain], bool], tuple[Channel, ...]] = field(
        default_factory=dict, repr=False
    )

    @property
    def reader(self) -> Reader:
        """What a rule may know of this layer."""
        return Reader(self.name, self.kind, self.reads_input)

    def modified(self, part: int, how: Signs | Power) -> Tensor:
        """Return v(w) of one part's weights."""
        if how == AS_IS:
            return self.weights[part]
        key = (part, how)
        if key not in self._copies:
            weight = self.weights[part]
            match how:
                case Signs(positive, negative):
                    copy = positive * weight.clamp(min=0) + negative * weight.clamp(max=0)
                case Power.SQUARE:
                    copy = weight.square()
                case Power.ONE:
                    copy = torch.ones_like(weight)
            self._copies[key] = copy
        return self._copies[key]

    def bias_part(self, how: Signs | None) -> Tensor | None:
        """Return v(b), or None where the bias takes no part."""
        if how is None or self.bias is None:
            return None
        return how.positive * self.bias.clamp(min=0) + how.negative * self.bias.clamp(max=0)

    def channels(self, rule: Rule) -> tuple[Channel, ...]:
        """Return the rule's channels for the domains this layer was seen to read."""
        key = (rule, frozenset(self.domains), self.reads_input)
        if key not in self._channels:
            channels = rule.channels(key[1], self.reader)
            if self.even and self.domains == {Domain.NON_NEGATIVE} and _by_contribution(channels):
                channels = ALIKE
            self._channels[key] = channels
        return self._channels[key]


def _by_contribution(channels: Sequence[Channel]) -> bool:
    return all(
        channel.bias is None
        and channel.units == "all"
        and all(term.input is Input.VALUE for term in channel.terms[Domain.NON_NEGATIVE])
        for channel in channels
    )


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
    ) -> None:
        self.layer = layer
        self.index = index
        self.x = x
        self.domain = domain
        self.bounds = bounds or (0.0, 0.0)
        self.constant = constant
        self.numbers = numbers
        self.zero = zero
        self._sums: dict[Term, Tensor] = {}
        self._mass: Tensor | None = None

    def sums(self, channel: Channel) -> Tensor:
        """Return this part's addend to the channel's denominators, in the shape of the output."""
        return _total([self._sum(term) for term in channel.terms[self.domain]])

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
        low, high = self.bounds
        match self.domain:
            case Domain.BOUNDED:
                return torch.full_like(self.x, high - low)
            case Domain.REAL:
                return torch.ones_like(self.x)
            case Domain.NON_NEGATIVE:
                return self.x
            case _:
                return self.x.abs()

    def pull(self, channels: Sequence[Channel], quotients: Sequence[Tensor], spread: Tensor) -> Tensor:
        """Send relevance down.

        Parameters
        ----------
        channels : sequence of Channel
        quotients : sequence of Tensor
            Share times relevance over denominator, for each channel.
        spread : Tensor
            Relevance per unit of mass, from units whose denominator is empty.

        Returns
        -------
        Tensor
            Relevance in the shape of x.
        """
        pulled: dict[Input, Tensor] = {}
        for channel, quotient in zip(channels, quotients, strict=True):
            for term in channel.terms[self.domain]:
                if self.zero and term.input in _FACTORS:
                    continue
                weight = self.layer.modified(self.index, term.weight)
                message = self.layer.map.pull(quotient, weight, self.x)
                so_far = pulled.get(term.input)
                pulled[term.input] = message if so_far is None else so_far + message
        received = self._usable * self.layer.map.scatter(spread, self.x)
        for modifier, message in pulled.items():
            received = torch.addcmul(received, message, self._modified(modifier))
        return received

    def gradient(self, cotangent: Tensor) -> Tensor:
        """Send the gradient down."""
        return self.layer.map.pull(cotangent, self.layer.weights[self.index], self.x)

    def _modified(self, modifier: Input) -> Tensor:
        low, high = self.bounds
        match modifier:
            case Input.VALUE:
                return self.x
            case Input.POSITIVE:
                return self.x.clamp(min=0)
            case Input.NEGATIVE:
                return self.x.clamp(max=0)
            case Input.ABOVE_LOW:
                return self.x - low
            case Input.BELOW_HIGH:
                return self.x - high
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

    def __init__(self, part: Part, rows: Sequence[slice], at: int = 0) -> None:
        self.part = part
        self.rows = rows
        self.at = at
        self._waiting: dict[int, Sequence[Tensor]] = {}

    def wait(self, step: int, tensors: Sequence[Tensor]) -> Tensor:
        """Keep what a step hands down until all steps have come; return the link's gradient."""
        self._waiting[step] = tensors
        return tensors[0].new_zeros(())

    def collect(self) -> list[Tensor]:
        """Return what has come, the rows of all steps under each other, with zeros for absent steps."""
        some = next(iter(self._waiting.values()))
        steps = [
            self._waiting.get(step)
            or [tensor.new_zeros(rows.stop - rows.start, *tensor.shape[1:]) for tensor in some]
            for step, rows in enumerate(self.rows)
        ]
        self._waiting.clear()
        return [torch.cat(tensors) for tensors in zip(*steps, strict=True)]


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

    def pull(self, channels: Sequence[Channel], quotients: Sequence[Tensor], spread: Tensor) -> Tensor:
        """Leave relevance to be sent down with that of the other steps."""
        return self.projected.wait(self.step, [*quotients, spread])

    def gradient(self, cotangent: Tensor) -> Tensor:
        """Leave the gradient to be sent down with that of the other steps."""
        return self.projected.wait(self.step, [cotangent])


class Division(NamedTuple):
    """How a layer's relevance is divided.

    Attributes
    ----------
    quotients : list of Tensor
        Share times relevance over denominator, for each channel; 0 where the denominator is empty.
    spread : Tensor
        Relevance per unit of mass from empty denominators, in the shape that the layer's map gathers.
    kept : Mapping[str, Tensor]
        What stays in the layer, by column of the ledger.
    """

    quotients: list[Tensor]
    spread: Tensor
    kept: Mapping[str, Tensor]


def divide(
    layer: Layer,
    channels: Sequence[Channel],
    parts: Sequence[Part | PartStep],
    z: Tensor,
    relevance: Tensor,
) -> Division:
    """Divide the relevance of a layer's units by their denominators, exactly at 0/0 too.

    A unit whose denominator in a channel is empty (it has no positive input, say) still owes that
    channel's share. It is spread over the inputs it reads by their *mass*: over pixels as high - low each,
    wherever they stand between their bounds, over inputs that may be anything evenly, and over hidden
    activations in proportion to their magnitude. For the alpha-beta rule this is the limit of weights
    clipped at a vanishing epsilon (max(w, eps) and min(w, -eps) in place of max(w, 0) and min(w, 0)), with
    one exception: in a layer that reads both kinds with beta > 0, the limit would count hidden activations
    (alpha + beta)-fold beside the pixels, and here they count once. A unit whose inputs have no mass can
    pay nobody; what it holds is dropped.

    Parameters
    ----------
    layer : Layer
    channels : sequence of Channel
    parts : sequence of Part or PartStep
        All inputs of the layer.
    z, relevance : Tensor
        The layer's output, and what its units hold.

    Returns
    -------
    Division
    """
    quotients = []
    kept: dict[str, Tensor] = {}
    owed: Tensor | None = None
    for channel in channels:
        bias = layer.bias_part(channel.bias)
        denominator = z
        if not channel.divides_by_output:
            denominator = _total([part.sums(channel) for part in parts] + ([] if bias is None else [bias]))
        share = relevance if channel.share == 1 else relevance * channel.share
        if channel.units != "all":
            share = share * ((z >= 0) if channel.units == "positive" else (z < 0))
        if channel.stabiliser:
            stabiliser = channel.stabiliser * torch.where(denominator >= 0, 1.0, -1.0).to(denominator.dtype)
            quotient = share / (denominator + stabiliser)
            _keep(kept, "stabiliser", quotient * stabiliser)
        else:
            quotient = share / denominator
            empty = ~quotient.isfinite()
            quotient = quotient.masked_fill(empty, 0)
            owing = share * empty
            owed = owing if owed is None else owed + owing
        if bias is not None:
            _keep(kept, "bias", quotient * bias)
        quotients.append(quotient)
    mass = _total([part.mass for part in parts])
    if owed is None:
        return Division(quotients, torch.zeros_like(mass), kept)
    owed = layer.map.total(owed)
    unusable = mass == 0
    _keep(kept, "dropped", owed * unusable)
    return Division(quotients, (owed / mass).masked_fill(unusable, 0), kept)


def _keep(kept: dict[str, Tensor], column: str, amount: Tensor) -> None:
    kept[column] = kept[column] + amount if column in kept else amount


def _total(tensors: Sequence[Tensor]) -> Tensor:
    return sum(tensors[1:], tensors[0])
