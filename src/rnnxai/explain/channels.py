r"""Channels and terms: the vocabulary in which a propagation rule is data.

A layer :math:`z_k = \sum_j x_j w_{jk} + b_k` hands the relevance :math:`R_k` of its units down to its
inputs. A rule says how: it splits :math:`R_k` into *channels*, and in each channel in proportion to the
terms :math:`u(x_j)\, v(w_{jk})`,

.. math::

    R_j = \sum_{\text{channels}} \text{share} \sum_k
          \frac{\sum_{\text{terms}} u(x_j)\, v(w_{jk})}
               {\sum_{i} \sum_{\text{terms}} u(x_i)\, v(w_{ik})} R_k .

Which terms fit depends on the *domain* of the input, the set its values can come from: hidden ReLU
activations are non-negative, pixels are bounded. A layer that reads both kinds at once (Shallow reads
:math:`[x_t ; r_t]`) shares one denominator among them.

:mod:`rnnxai.explain.rules` says which rule has which terms; :mod:`rnnxai.explain.parts` carries them out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from typing import Protocol

from rnnxai.errors import Error


class Domain(Enum):
    """The set a layer's input comes from."""

    NON_NEGATIVE = "non-negative"
    BOUNDED = "bounded"
    SIGNED = "signed"


class Input(Enum):
    """The input modifier u of a term."""

    VALUE = "x"
    ABOVE_LOW = "x - low"
    BELOW_HIGH = "x - high"


@dataclass(frozen=True)
class Term:
    """One term u(x) v(w), with v(w) = `positive` * max(w, 0) + `negative` * min(w, 0)."""

    input: Input
    positive: float
    negative: float


@dataclass(frozen=True)
class Channel:
    """A part `share` of the relevance, distributed over the terms of each input domain."""

    share: float
    terms: Mapping[Domain, tuple[Term, ...]]


class Rule(Protocol):
    """How a layer hands relevance down."""

    def channels(self, domains: frozenset[Domain], layer: str) -> tuple[Channel, ...]:
        """Return the channels for a layer that reads inputs of these domains.

        Raises
        ------
        Error
            If the rule is not defined for such inputs; `layer` is the layer's name for the message.
        """
        ...


def most_channels(rule: Rule) -> int:
    """Return the largest number of channels that a rule has for any inputs, and at least 1."""
    most = 1
    for count in range(1, len(Domain) + 1):
        for domains in combinations(Domain, count):
            try:
                most = max(most, len(rule.channels(frozenset(domains), "any")))
            except Error:  # not for such inputs
                continue
    return most
