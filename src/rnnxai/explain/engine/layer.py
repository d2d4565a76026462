"""A layer as rules see it: weights, and the modified copies that rules ask for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from rnnxai.explain.channels import AS_IS, Channel, Domain, Input, Kind, Power, Reader, Rule, Signs, Term
from rnnxai.explain.engine.maps import Map

ALIKE = (Channel(1, {Domain.NON_NEGATIVE: (Term(Input.VALUE, AS_IS),)}),)


class Reading(NamedTuple):
    """What one use of a layer reads.

    Attributes
    ----------
    domains : frozenset of Domain
        Of all its parts.
    is_input : bool
        Whether any of it is the model's input.
    """

    domains: frozenset[Domain]
    is_input: bool


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
    """

    name: str
    kind: Kind
    map: Map
    weights: Sequence[Tensor]
    bias: Tensor | None = None
    even: bool = False
    _copies: dict[tuple[int, Signs | Power], Tensor] = field(default_factory=dict, repr=False)
    _channels: dict[tuple[Rule, Reading], tuple[Channel, ...]] = field(default_factory=dict, repr=False)

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

    def channels(self, rule: Rule, reading: Reading) -> tuple[Channel, ...]:
        """Return the rule's channels for one use of this layer.

        Raises
        ------
        Error
            If the rule is not defined for what the layer reads there.
        """
        key = (rule, reading)
        if key not in self._channels:
            channels = rule.channels(reading.domains, self.reader(reading))
            if self.even and reading.domains == {Domain.NON_NEGATIVE} and _by_contribution(channels):
                channels = ALIKE
            self._channels[key] = channels
        return self._channels[key]

    def reader(self, reading: Reading) -> Reader:
        """Return what a rule may know of one use of this layer."""
        return Reader(self.name, self.kind, reading.is_input)


def _by_contribution(channels: Sequence[Channel]) -> bool:
    return all(
        channel.bias is None
        and not channel.stabiliser
        and channel.units == "all"
        and all(term.input is Input.VALUE for term in channel.terms[Domain.NON_NEGATIVE])
        for channel in channels
    )
