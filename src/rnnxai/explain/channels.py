r"""Channels and terms: the vocabulary in which a propagation rule is data.

A layer :math:`z_k = \sum_j x_j w_{jk} + b_k` hands the relevance :math:`R_k` of its units down to its
inputs. A rule says how: it splits :math:`R_k` into *channels*, and in each channel in proportion to the
terms :math:`u(x_j)\, v(w_{jk})`,

.. math::

    R_j = \sum_{\text{channels}} \text{share} \sum_k
          \frac{\sum_{\text{terms}} u(x_j)\, v(w_{jk})}
               {\sum_{i} \sum_{\text{terms}} u(x_i)\, v(w_{ik}) + v(b_k) + \epsilon_k} R_k ,

where a channel may leave the bias :math:`b_k` and the stabiliser :math:`\epsilon_k` out. Which terms fit
depends on the *domain* of the input, the set its values can come from: hidden ReLU activations are
non-negative, pixels are bounded. A layer that reads both kinds at once (Shallow reads
:math:`[x_t ; r_t]`) shares one denominator among them.

:mod:`rnnxai.explain.rules` says which rule has which terms, and :mod:`rnnxai.explain.engine` carries them
out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

Bounds = tuple[float, float]


class Domain(Enum):
    """The set that an input of a layer comes from."""

    NON_NEGATIVE = "non-negative"
    SIGNED = "signed"
    BOUNDED = "bounded"  # the model's input, in a finite range
    REAL = "real"  # the model's input, declared to be any real number
    UNKNOWN = "unknown"  # the model's input, of no declared range


class Input(Enum):
    """The input modifier u of a term."""

    VALUE = "x"
    POSITIVE = "max(x, 0)"
    NEGATIVE = "min(x, 0)"
    ABOVE_LOW = "x - low"
    BELOW_HIGH = "x - high"
    ONE = "1"


@dataclass(frozen=True)
class Signs:
    """The weight modifier v(w) = `positive` * max(w, 0) + `negative` * min(w, 0)."""

    positive: float
    negative: float


class Power(Enum):
    """A weight modifier that ignores the sign."""

    SQUARE = "w**2"
    ONE = "1"


AS_IS = Signs(1, 1)


@dataclass(frozen=True)
class Term:
    """One term u(x) v(w)."""

    input: Input
    weight: Signs | Power


@dataclass(frozen=True)
class Channel:
    """A part of the relevance, distributed over the terms of each input domain.

    Parameters
    ----------
    share : float
        Which part of a unit's relevance goes this way.
    terms : Mapping[Domain, tuple of Term]
        The terms of an input of that domain.
    bias : Signs, optional
        How the bias takes part in the denominator. What it keeps is booked. None leaves it out.
    stabiliser : float
        Epsilon, added to the denominator with the denominator's sign. What it absorbs is booked.
    units : {"all", "positive", "negative"}
        Whether the channel serves all units, or those with z >= 0 or z < 0 only.
    """

    share: float
    terms: Mapping[Domain, tuple[Term, ...]]
    bias: Signs | None = None
    stabiliser: float = 0.0
    units: Literal["all", "positive", "negative"] = "all"

    @property
    def divides_by_output(self) -> bool:
        """Whether the denominator, before the stabiliser, is the layer's output z itself."""
        plain = all(terms == (Term(Input.VALUE, AS_IS),) for terms in self.terms.values())
        return plain and self.bias == AS_IS


Kind = Literal["dense", "convolution", "recurrent", "sum", "pooling", "scaling"]


@dataclass(frozen=True)
class Reader:
    """What a rule may know of the layer it is asked about.

    Attributes
    ----------
    name : str
        The layer's name, for messages and for rules by name.
    kind : str
        ``dense``, ``convolution``, ``recurrent`` (weights of ``nn.RNN``, ``nn.LSTM``, ``nn.GRU``), ``sum``
        (of signals), ``pooling`` (averages and sums over windows) or ``scaling`` (a batch norm by itself).
    reads_input : bool
        Whether it reads the model's input.
    """

    name: str
    kind: Kind
    reads_input: bool


class Rule(Protocol):
    """How a layer hands relevance down."""

    def channels(self, domains: frozenset[Domain], reader: Reader) -> tuple[Channel, ...]:
        """Return the channels for a layer that reads inputs of these domains.

        Raises
        ------
        Error
            If the rule is not defined for such inputs; the message names the layer.
        """
        ...
