"""The propagation rules.

A rule answers one question: which channels and terms (:mod:`rnnxai.explain.channels`) divide the
relevance of a layer that reads inputs of the given domains? To add one, write a class with a method
``channels`` here, give it a function in :mod:`rnnxai.explain.relevance`, and a line in
:mod:`rnnxai.explain.methods`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from rnnxai.errors import Error
from rnnxai.explain.channels import AS_IS, Channel, Domain, Input, Power, Reader, Signs, Term

# x w - low w+ - high w- regrouped into two products of equal sign: no cancellation in the denominator,
# and every message is non-negative to the last bit.
Z_BOUNDED = (Term(Input.ABOVE_LOW, Signs(1, 0)), Term(Input.BELOW_HIGH, Signs(0, 1)))
W_SQUARE = (Term(Input.ONE, Power.SQUARE),)
PLAIN = (Term(Input.VALUE, AS_IS),)


@dataclass(frozen=True)
class Epsilon:
    r"""LRP-epsilon, and LRP-0 with epsilon = 0.

    .. math::

        R_j = \sum_k \frac{x_j w_{jk}}{z_k + \epsilon \operatorname{sign}(z_k)} R_k , \quad
        \operatorname{sign}(0) = 1 .

    The bias keeps :math:`b_k R_k / (z_k + \dots)` and the stabiliser its own share; both are booked. It is
    defined for inputs of every kind.

    Examples
    --------
    A unit with w = (3, -1) and b = 1 reads x = (1, 2), so z = 2, and holds R = 1::

        epsilon = 0:  (3, -2) / 2 = (3/2, -1)    bias 1/2
        epsilon = 1:  (3, -2) / 3 = (1, -2/3)    bias 1/3, stabiliser 1/3

    With w = (2, 1), b = 0 and x = (1, -2), z = 0: LRP-0 divides by \|x\|, (1/3, 2/3), and epsilon = 1/2 by
    +1/2, (4, -4), of which the stabiliser takes 1.
    """

    epsilon: float = 0.0

    def __post_init__(self) -> None:
        if not (self.epsilon >= 0 and isfinite(self.epsilon)):
            raise Error(f"epsilon = {self.epsilon} is no stabiliser; a number from 0 would be right")

    def channels(self, domains: frozenset[Domain], reader: Reader) -> tuple[Channel, ...]:
        """Return the one channel."""
        return (Channel(1, everywhere(PLAIN), bias=AS_IS, stabiliser=self.epsilon),)


@dataclass(frozen=True)
class Gamma:
    r"""LRP-gamma, generalised to inputs and outputs of either sign.

    For a unit with :math:`z_k \ge 0`, what speaks for it counts :math:`1 + \gamma` fold,

    .. math::

        R_j = \sum_k \frac{x^+_j (w_{jk} + \gamma w^+_{jk}) + x^-_j (w_{jk} + \gamma w^-_{jk})}
              {\sum_i \dots + b_k + \gamma b^+_k} R_k ,

    and for :math:`z_k < 0` likewise with :math:`w^+` and :math:`w^-` (and :math:`b^+` and :math:`b^-`)
    exchanged, so numerator and denominator always agree in sign.

    Examples
    --------
    With gamma = 1, w = (3, -1) and b = 1, a unit that holds R = 1::

        x = (1, 2),   z = 2 > 0:   (6, -2 | b 2) / 6     = (1, -1/3)     bias 1/3
        x = (1, -2),  z = 6 > 0:   (6, 4 | b 2) / 12     = (1/2, 1/3)    bias 1/6

    and with w = (-1, 2), b = 1, x = (1, -2), z = -4 < 0: (-2, -8 | b 1) / -9 = (2/9, 8/9), bias -1/9.
    """

    gamma: float

    def __post_init__(self) -> None:
        if not (self.gamma >= 0 and isfinite(self.gamma)):
            raise Error(f"gamma = {self.gamma} is no weight; a number from 0 would be right")

    def channels(self, domains: frozenset[Domain], reader: Reader) -> tuple[Channel, ...]:
        """Return a channel for positive units and one for negative units."""
        more, less = Signs(1 + self.gamma, 1), Signs(1, 1 + self.gamma)
        return (
            Channel(1, _signed(more, less), bias=more, units="positive"),
            Channel(1, _signed(less, more), bias=less, units="negative"),
        )


@dataclass(frozen=True)
class AlphaBeta:
    r"""The alpha-beta rule with :math:`\alpha - \beta = 1`; alpha = 1 is deep Taylor decomposition's z+.

    For non-negative inputs, with :math:`w^+ = \max(w, 0)` and :math:`w^- = \min(w, 0)`,

    .. math::

        R_j = \sum_k \Bigl( \alpha \frac{x_j w^+_{jk}}{\sum_i x_i w^+_{ik}}
              - \beta \frac{x_j w^-_{jk}}{\sum_i x_i w^-_{ik}} \Bigr) R_k .

    The model's input takes the rule of its domain whatever alpha and beta are: in a bounded range
    :math:`[l, h]` (pixels) the z^B rule,

    .. math::

        R_i = \sum_k \frac{x_i w_{ik} - l w^+_{ik} - h w^-_{ik}}
                          {\sum_{i'} x_{i'} w_{i'k} - l w^+_{i'k} - h w^-_{i'k}} R_k ,

    and where it may be any real number the w^2 rule. A layer that reads both input and hidden activations
    shares one denominator (thesis eq. 3.5, 3.6; for beta > 0 as in the thesis' code), in which the term of
    a hidden activation is :math:`x_j (\alpha w^+_{jk} - \beta w^-_{jk})`.

    Biases are in no denominator and receive nothing. Where a denominator is empty, what it owes is spread
    evenly over pixels, as :math:`h - l` each, and over hidden activations in proportion to :math:`x_j`: the
    limit of weights clipped at a vanishing epsilon, exact but for the mixed layer with beta > 0
    (:func:`rnnxai.explain.engine.divide.divide`).

    Examples
    --------
    A unit with w = (3, -1) reads x = (1, 2) and holds R = 1::

        alpha = 1, beta = 0:   (3, 0) / 3           = (1, 0)
        alpha = 2, beta = 1:   2 (1, 0) - (0, 1)    = (2, -1)

    Nothing inhibits w = (3, 1), so beta's share goes by x: 2 (3, 2) / 5 - (1, 2) / 3 = (13/15, 2/15). Pixels
    (1/2, 1/2) in [-1, 1] under w = (2, -1): (3/2 * 2, 1/2 * 1) / (7/2) = (6/7, 1/7). A pixel 1/2 (w = 2)
    beside a hidden 2 (w = 1): (3, 2) / 5.
    """

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        if not (self.beta >= 0 and abs(self.alpha - self.beta - 1) <= 1e-9):  # nan is neither
            raise Error(
                f"alpha = {self.alpha} and beta = {self.beta} do not conserve relevance; "
                "alpha - beta must be 1 and beta at least 0"
            )

    def channels(self, domains: frozenset[Domain], reader: Reader) -> tuple[Channel, ...]:
        """Return the channels for a layer that reads inputs of these domains."""
        if Domain.UNKNOWN in domains:
            raise Error(
                f"layer {reader.name!r} reads the model's input, and the alpha-beta rule has to know its "
                "range: bounds=(low, high), (0, inf) if it is never negative, (-inf, inf) if it may be any"
            )
        if Domain.SIGNED in domains:
            raise Error(
                f"layer {reader.name!r} reads inputs of either sign, but the alpha-beta rule needs them "
                "non-negative (after a ReLU) or bounded (pixels with known bounds); lrp-eps and lrp-gamma "
                "take either sign"
            )
        if domains & {Domain.BOUNDED, Domain.REAL}:
            hidden = (Term(Input.VALUE, Signs(self.alpha, -self.beta)),)
            return (Channel(1, _by_domain(hidden)),)
        excite = Channel(self.alpha, {Domain.NON_NEGATIVE: (Term(Input.VALUE, Signs(1, 0)),)})
        inhibit = Channel(-self.beta, {Domain.NON_NEGATIVE: (Term(Input.VALUE, Signs(0, 1)),)})
        return (excite, inhibit) if self.beta else (excite,)


@dataclass(frozen=True)
class WSquare:
    r"""The w^2 rule, :math:`R_j = \sum_k w_{jk}^2 / \sum_i w_{ik}^2 \; R_k`, for inputs of every kind.

    It ignores the values of the inputs, so inactive units receive relevance too.

    Examples
    --------
    w = (3, -1) divides R = 1 into (9, 1) / 10, whatever x is. w = (0, 0) leaves \|x\| to decide.
    """

    def channels(self, domains: frozenset[Domain], reader: Reader) -> tuple[Channel, ...]:
        """Return the one channel."""
        return (Channel(1, everywhere(W_SQUARE)),)


@dataclass(frozen=True)
class Flat:
    """The flat rule: a unit's relevance is divided evenly among the inputs it reads (padding is none).

    Examples
    --------
    w = (3, -1) divides R = 1 into (1/2, 1/2). In a padded convolution of width 3 over three inputs, the
    outer units read two inputs and the middle one three; units that hold 1 each give (5/6, 4/3, 5/6).
    """

    def channels(self, domains: frozenset[Domain], reader: Reader) -> tuple[Channel, ...]:
        """Return the one channel."""
        return (Channel(1, everywhere((Term(Input.ONE, Power.ONE),))),)


@dataclass(frozen=True)
class ZBounded:
    """The z^B rule by itself, for composites; see :class:`AlphaBeta` for its equation.

    Examples
    --------
    In the range [0, 2], x = (1/2, 1/2) under w = (2, -1): (1/2 * 2, 3/2 * 1) / (5/2) = (2/5, 3/5).
    """

    def channels(self, domains: frozenset[Domain], reader: Reader) -> tuple[Channel, ...]:
        """Return the one channel."""
        if domains != {Domain.BOUNDED}:
            raise Error(
                f"layer {reader.name!r} reads {_in_words(domains)}, but the z^B rule is for an input with "
                "known bounds alone; give bounds=(low, high), and this rule to the layers that read the input"
            )
        return (Channel(1, {Domain.BOUNDED: Z_BOUNDED}),)


def everywhere(terms: tuple[Term, ...]) -> Mapping[Domain, tuple[Term, ...]]:
    """Return the same terms for every domain."""
    return dict.fromkeys(Domain, terms)


def _signed(of_positive: Signs, of_negative: Signs) -> Mapping[Domain, tuple[Term, ...]]:
    both = (Term(Input.POSITIVE, of_positive), Term(Input.NEGATIVE, of_negative))
    return {**everywhere(both), Domain.NON_NEGATIVE: (Term(Input.VALUE, of_positive),)}


def _by_domain(hidden: tuple[Term, ...]) -> Mapping[Domain, tuple[Term, ...]]:
    return {Domain.BOUNDED: Z_BOUNDED, Domain.REAL: W_SQUARE, Domain.NON_NEGATIVE: hidden}


def _in_words(domains: frozenset[Domain]) -> str:
    return " and ".join(sorted(f"{domain.value} values" for domain in domains))
