"""What one explanation method does, as data.

A method is a function that returns a :class:`Strategy`; :mod:`rnnxai.explain.explainer` carries it out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rnnxai.errors import Error
from rnnxai.explain.channels import Rule
from rnnxai.explain.methods import METHODS

GateRule = Literal["all", "half", "prop", "abs"]
GateGradient = Literal["follow", "constant"]


@dataclass(frozen=True)
class StraightPath:
    """The gradient is averaged over the straight path from a baseline to the input.

    Parameters
    ----------
    points : int
        Nodes of the Gauss-Legendre quadrature.
    baseline : float or None
        Value of every pixel where the path begins; None is the low end of the input's bounds, or 0.
    """

    points: int
    baseline: float | None


@dataclass(frozen=True)
class Noise:
    """The gradient is averaged over noisy copies of the input.

    Parameters
    ----------
    samples : int
        Number of copies.
    scale : float
        Standard deviation, as a part of the input's range.
    seed : int
        Seed of the noise.
    """

    samples: int
    scale: float
    seed: int


@dataclass(frozen=True)
class Occlusion:
    """The score is compared with that of inputs in which one step is blotted out.

    Parameters
    ----------
    steps : int or None
        Into how many equal slices the input is cut; None is the model's own number of steps.
    axis : int
        Along which axis of the input.
    value : float or None
        What is put in place; None is the low end of the input's bounds, or 0.
    """

    steps: int | None
    axis: int
    value: float | None


@dataclass(frozen=True)
class Strategy:
    """How a method walks back through a recorded forward pass, and how often.

    Parameters
    ----------
    rule : Rule or None
        Relevance rule of the layers. None passes the gradient.
    gates : str
        With a rule: who takes the relevance of a product of a gate and a signal. ``all``: the signal;
        ``half``: each a half; ``prop``: in proportion to the two values; ``abs``: to their magnitudes. With
        the gradient: whether it goes into gates (``follow``) or takes them as constants (``constant``).
        None is ``all`` or ``constant``.
    guided : bool
        Whether ReLUs stop negative values (guided backpropagation).
    start : {"score", "positive score"}
        Start from the explained logit, or from its positive part.
    heatmap : {"as is", "squared", "times input"}
        What becomes of what arrives at the input.
    sampling : StraightPath, Noise, Occlusion or None
        How several passes make one map. None is a single pass.
    """

    rule: Rule | None = None
    gates: GateRule | GateGradient | None = None
    guided: bool = False
    start: Literal["score", "positive score"] = "score"
    heatmap: Literal["as is", "squared", "times input"] = "as is"
    sampling: StraightPath | Noise | Occlusion | None = None

    def __post_init__(self) -> None:
        if self.gates is None:
            object.__setattr__(self, "gates", "constant" if self.rule is None else "all")
        allowed = get_args(GateGradient if self.rule is None else GateRule)
        if self.gates not in allowed:
            raise Error(f"gates is {self.gates!r}; it must be one of {', '.join(allowed)}")

    @property
    def conserves(self) -> bool:
        """Whether the heatmap sums to the start, less what the ledger books as lost."""
        return self.rule is not None


def make_strategy(method: str, options: Mapping[str, Any] | None = None) -> Strategy:
    """Return the strategy of a named method with its options.

    Parameters
    ----------
    method : str
        A name in :data:`~rnnxai.explain.methods.METHODS`.
    options : Mapping, optional
        Keyword arguments of the method's function.

    Raises
    ------
    Error
        If the method or one of its options is unknown.
    """
    _, numbers = METHODS.resolve(method)
    make = METHODS.load(method)
    try:
        strategy = make(**numbers, **(options or {}))
    except TypeError as error:
        given = dict(options or {})
        raise Error(f"explanation method {method!r} does not take the options {given}: {error}") from error
    if not isinstance(strategy, Strategy):
        raise Error(
            f"explanation method {method!r} returned {type(strategy).__name__}; "
            "a function that returns a rnnxai.explain.strategy.Strategy would be right"
        )
    return strategy
