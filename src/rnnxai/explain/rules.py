r"""Propagation rules, as data.

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

To add a rule, write a class with a method ``channels`` and name it in :mod:`rnnxai.explain.methods`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
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


# x w - low w+ - high w- regrouped into two products of equal sign: no cancellation in the denominator,
# and every message is non-negative to the last bit.
Z_BOUNDED = (Term(Input.ABOVE_LOW, 1, 0), Term(Input.BELOW_HIGH, 0, 1))


@dataclass(frozen=True)
class AlphaBeta:
    r"""The alpha-beta rule with :math:`\alpha - \beta = 1`; alpha = 1 is deep Taylor decomposition's z+.

    For non-negative inputs, with :math:`w^+ = \max(w, 0)` and :math:`w^- = \min(w, 0)`,

    .. math::

        R_j = \sum_k \Bigl( \alpha \frac{x_j w^+_{jk}}{\sum_i x_i w^+_{ik}}
              - \beta \frac{x_j w^-_{jk}}{\sum_i x_i w^-_{ik}} \Bigr) R_k .

    Bounded inputs (pixels) take the z^B rule whatever alpha and beta are,

    .. math::

        R_i = \sum_k \frac{x_i w_{ik} - l w^+_{ik} - h w^-_{ik}}
                          {\sum_{i'} x_{i'} w_{i'k} - l w^+_{i'k} - h w^-_{i'k}} R_k ,

    and a layer that reads both kinds shares one denominator (thesis eq. 3.5, 3.6; for beta > 0 as in
    the thesis' code), in which the term of a hidden activation is
    :math:`x_j (\alpha w^+_{jk} - \beta w^-_{jk})`.

    Biases are in no denominator and receive nothing.
    """

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        if self.beta < 0 or abs(self.alpha - self.beta - 1) > 1e-9:
            raise Error(
                f"alpha = {self.alpha} and beta = {self.beta} do not conserve relevance; "
                "alpha - beta must be 1 and beta at least 0"
            )

    def channels(self, domains: frozenset[Domain], layer: str) -> tuple[Channel, ...]:
        """Return the channels for a layer that reads inputs of these domains."""
        if Domain.SIGNED in domains:
            raise Error(
                f"layer {layer!r} reads inputs of either sign, but the alpha-beta rule needs them "
                "non-negative (after a ReLU) or bounded (pixels with known bounds)"
            )
        if Domain.BOUNDED in domains:
            hidden = (Term(Input.VALUE, self.alpha, -self.beta),)
            return (Channel(1, {Domain.BOUNDED: Z_BOUNDED, Domain.NON_NEGATIVE: hidden}),)
        excite = Channel(self.alpha, {Domain.NON_NEGATIVE: (Term(Input.VALUE, 1, 0),)})
        inhibit = Channel(-self.beta, {Domain.NON_NEGATIVE: (Term(Input.VALUE, 0, 1),)})
        return (excite, inhibit) if self.beta else (excite,)
