"""The inputs of a recorded layer, and how relevance is divided among them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rnnxai.explain.channels import Channel, Domain, Input, Rule, Term


@dataclass
class Layer:
    """The weights of one affine layer, and the modified copies that rules ask for.

    It outlives a single recording: a copy such as max(w, 0) is made once per model.
    """

    name: str
    weight: Tensor
    columns: Sequence[slice]
    domains: set[Domain] = field(default_factory=set)
    _copies: dict[tuple[int, float, float], Tensor] = field(default_factory=dict, repr=False)
    _channels: dict[tuple[Rule, frozenset[Domain]], tuple[Channel, ...]] = field(
        default_factory=dict, repr=False
    )

    @property
    def units(self) -> int:
        """Number of output units."""
        return self.weight.shape[1]

    def modified(self, part: int, positive: float = 1, negative: float = 1) -> Tensor:
        """Return positive * max(w, 0) + negative * min(w, 0) of one part's columns, (K, units, width)."""
        key = (part, positive, negative)
        if key not in self._copies:
            weight = self.weight[:, :, self.columns[part]]
            if (positive, negative) != (1, 1):
                weight = positive * weight.clamp(min=0) + negative * weight.clamp(max=0)
            self._copies[key] = weight.contiguous()
        return self._copies[key]

    def channels(self, rule: Rule) -> tuple[Channel, ...]:
        """Return the rule's channels for the domains this layer was seen to read."""
        key = (rule, frozenset(self.domains))
        if key not in self._channels:
            self._channels[key] = rule.channels(key[1], self.name)
        return self._channels[key]


class Part:
    """One input of a layer during a recording: its values, domain and share in the denominators.

    Parameters
    ----------
    layer : Layer
    index : int
        Which of the layer's parts this is.
    x : Tensor (K, ..., width)
        The values. A projected part holds all steps, (K, T, N, width).
    domain : Domain
    bounds : tuple of float or None
        Low and high end of a bounded domain.
    constant : bool
        Whether the values do not depend on the model's input, as an initial state does not.
    """

    def __init__(
        self,
        layer: Layer,
        index: int,
        x: Tensor,
        domain: Domain,
        bounds: tuple[float, float] | None,
        constant: bool = False,
    ) -> None:
        self.layer = layer
        self.index = index
        self.x = x
        self.domain = domain
        self.bounds = bounds or (0.0, 0.0)
        self.constant = constant
        self._sums: dict[Term, Tensor] = {}
        self._mass: Tensor | None = None

    def sums(self, channel: Channel) -> Tensor:
        """Return this part's addend to the channel's denominators, (K, ..., units)."""
        addends = [self._sum(term) for term in channel.terms[self.domain]]
        return sum(addends[1:], addends[0])

    def _sum(self, term: Term) -> Tensor:
        if term not in self._sums:  # explainers share terms: the z+ of DTD is the alpha part of LRP
            self._sums[term] = _product(self._modified(term), self._weight(term).mT)
        return self._sums[term]

    @property
    def mass(self) -> Tensor:
        """Total usable input (K, ...): what relevance is spread over where a denominator is empty."""
        if self._mass is None:
            if self.domain is Domain.BOUNDED:
                low, high = self.bounds
                self._mass = self.x.new_full(self.x.shape[:-1], (high - low) * self.x.shape[-1])
            else:
                self._mass = self.x.sum(-1)
        return self._mass

    def pull(self, channels: Sequence[Channel], quotients: Sequence[Tensor], spread: Tensor) -> Tensor:
        """Send messages down.

        Parameters
        ----------
        channels : sequence of Channel
        quotients : sequence of Tensor (K, ..., units)
            Share times relevance over denominator, for each channel.
        spread : Tensor (K, ...)
            Relevance per unit of mass, from units whose denominator is empty.

        Returns
        -------
        Tensor (K, ..., width)
            Relevance for a bounded part. For hidden activations relevance divided by activation, which
            autograd carries on.
        """
        if self.domain is Domain.BOUNDED:
            low, high = self.bounds
            spread = spread * (high - low)
        total = spread.unsqueeze(-1).expand(self.x.shape)
        for channel, quotient in zip(channels, quotients, strict=True):
            for term in channel.terms[self.domain]:
                message = _product(quotient, self._weight(term))
                total = total + (message if term.input is Input.VALUE else message * self._modified(term))
        return total

    def relevance(self, pulled: Tensor) -> Tensor:
        """Turn what :meth:`pull` returned into relevance."""
        return pulled if self.domain is Domain.BOUNDED else pulled * self.x

    def gradient(self, cotangent: Tensor) -> Tensor:
        """Send the gradient down."""
        return _product(cotangent, self.layer.modified(self.index))

    def _weight(self, term: Term) -> Tensor:
        return self.layer.modified(self.index, term.positive, term.negative)

    def _modified(self, term: Term) -> Tensor:
        low, high = self.bounds
        match term.input:
            case Input.VALUE:
                return self.x
            case Input.ABOVE_LOW:
                return self.x - low
            case Input.BELOW_HIGH:
                return self.x - high


class PartStep:
    """A projected part seen from one of its time steps: it shares the sums of all steps."""

    def __init__(self, part: Part, step: int) -> None:
        self.part = part
        self.step = step
        self.domain = part.domain

    def sums(self, channel: Channel) -> Tensor:
        """Return this step's addend to the channel's denominators, (K, N, units)."""
        return self.part.sums(channel)[:, self.step]

    @property
    def mass(self) -> Tensor:
        """Total usable input of this step (K, N)."""
        return self.part.mass[:, self.step]


def divide(
    channels: Sequence[Channel], parts: Sequence[Part | PartStep], relevance: Tensor
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Divide the relevance of a layer's units by their denominators, exactly at 0/0 too.

    A unit whose denominator in a channel is empty (it has no positive input, say) still owes that
    channel's share. It is spread over the inputs by their *mass*: evenly over pixels, each of which counts
    high - low wherever it stands between its bounds, and over hidden activations in proportion to their
    values. This is the limit of weights clipped at a vanishing epsilon (max(w, eps) and min(w, -eps) in
    place of max(w, 0) and min(w, 0)), with one exception: in a layer that reads both kinds by the
    alpha-beta rule with beta > 0, the limit would count hidden activations (alpha + beta)-fold beside the
    pixels, and here they count once. A unit whose inputs have no mass can pay nobody; what it holds is
    returned as dropped.

    Parameters
    ----------
    channels : sequence of Channel
    parts : sequence of Part or PartStep
        All inputs of the layer.
    relevance : Tensor (K, ..., units)

    Returns
    -------
    quotients : list of Tensor (K, ..., units)
        Share times relevance over denominator, for each channel; 0 where the denominator is empty.
    spread : Tensor (K, ...)
        Relevance per unit of mass from empty denominators.
    dropped : Tensor (K, ...)
    """
    quotients = []
    owed = relevance.new_zeros(relevance.shape[:-1])
    for channel in channels:
        denominator = _total([part.sums(channel) for part in parts])
        share = relevance * channel.share
        quotient = share / denominator
        empty = ~quotient.isfinite()
        quotients.append(quotient.masked_fill(empty, 0))
        owed = owed + (share * empty).sum(-1)
    mass = _total([part.mass for part in parts])
    unusable = mass == 0
    spread = (owed / mass).masked_fill(unusable, 0)
    return quotients, spread, owed * unusable


def pack(quotients: Sequence[Tensor], spread: Tensor, width: int) -> Tensor:
    """Lay quotients and spread side by side, (K, N, width), to travel as one gradient."""
    missing = width - 1 - sum(q.shape[-1] for q in quotients)
    padding = [spread.new_zeros(*spread.shape, missing)] if missing else []
    return torch.cat([*quotients, *padding, spread.unsqueeze(-1)], dim=-1)


def unpack(packed: Tensor, units: int, channels: int) -> tuple[list[Tensor], Tensor]:
    """Take apart what :func:`pack` laid side by side."""
    return [packed[..., i * units : (i + 1) * units] for i in range(channels)], packed[..., -1]


def _product(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply x (K, ..., a) by weight (K, a, b), all middle axes in one product."""
    rows = x.reshape(x.shape[0], -1, x.shape[-1])
    return torch.bmm(rows, weight).view(*x.shape[:-1], weight.shape[-1])


def _total(tensors: Sequence[Tensor]) -> Tensor:
    return sum(tensors[1:], tensors[0])
