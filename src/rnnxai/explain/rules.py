"""The propagation rules.

A rule answers one question: which channels and terms (:mod:`rnnxai.explain.channels`) divide the
relevance of a layer that reads inputs of the given domains? To add one, write a class with a method
``channels`` here, give it a function in :mod:`rnnxai.explain.relevance`, and a line in
:mod:`rnnxai.explain.methods`.
"""

from dataclasses import dataclass

from rnnxai.errors import Error
from rnnxai.explain.channels import Channel, Domain, Input, Term

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

    Biases are in no denominator and receive nothing. Where a denominator is empty, what it owes is spread
    evenly over pixels, as :math:`h - l` each, and over hidden activations in proportion to :math:`x_j`: the
    limit of weights clipped at a vanishing epsilon, exact but for the mixed layer with beta > 0
    (:func:`rnnxai.explain.parts.divide`).
    """

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        if not (self.beta >= 0 and abs(self.alpha - self.beta - 1) <= 1e-9):  # nan is neither
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
