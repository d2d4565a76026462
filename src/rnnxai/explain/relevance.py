"""Methods that walk back with relevance.

Each takes `gates`, who gets the relevance of a product of a gate and a signal: ``all`` (the signal),
``half``, ``prop`` (in proportion to the two values) or ``abs`` (to their magnitudes).
"""

from collections.abc import Mapping
from typing import Any

from rnnxai.errors import Error
from rnnxai.explain.channels import Rule
from rnnxai.explain.composite import composite
from rnnxai.explain.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBounded
from rnnxai.explain.strategy import GateRule, Strategy, make_strategy

EPSILON = 1e-6
GAMMA = 0.25


def deep_taylor(gates: GateRule = "all") -> Strategy:
    """Deep Taylor decomposition, from the positive part of the score.

    The domain of a layer's input picks the rule: z+ for hidden activations, z^B for bounded pixels, w^2
    for an input that may be any real number.
    """
    return alpha_beta(alpha=1, beta=0, gates=gates)


def alpha_beta(alpha: float, beta: float, gates: GateRule = "all") -> Strategy:
    """Layer-wise relevance propagation with the alpha-beta rule, from the positive part of the score.

    Parameters
    ----------
    alpha, beta : float
        Weights of what excites and what inhibits a unit; alpha - beta = 1.
    gates : str
        The gate rule.
    """
    return Strategy(rule=AlphaBeta(alpha, beta), gates=gates, start="positive score")


def lrp_zero(gates: GateRule = "all") -> Strategy:
    """LRP-0: in proportion to x w, biases included."""
    return Strategy(rule=Epsilon(), gates=gates)


def lrp_epsilon(epsilon: float = EPSILON, gates: GateRule = "all") -> Strategy:
    """LRP-epsilon: LRP-0 with a stabiliser in every denominator."""
    return Strategy(rule=Epsilon(epsilon), gates=gates)


def lrp_gamma(gamma: float = GAMMA, gates: GateRule = "all") -> Strategy:
    """LRP-gamma: what agrees with a unit's sign counts 1 + gamma fold."""
    return Strategy(rule=Gamma(gamma), gates=gates)


def lrp_z_plus(gates: GateRule = "all") -> Strategy:
    """Use the z+ rule from the score as it is, and on the model's input the rule of its domain."""
    return Strategy(rule=AlphaBeta(1, 0), gates=gates)


def lrp_w_square(gates: GateRule = "all") -> Strategy:
    """Use the w^2 rule in every layer."""
    return Strategy(rule=WSquare(), gates=gates)


def lrp_flat(gates: GateRule = "all") -> Strategy:
    """Use the flat rule in every layer."""
    return Strategy(rule=Flat(), gates=gates)


def lrp_composite(rules: Mapping[str, Any], gates: GateRule = "all") -> Strategy:
    """Give each layer a rule of its own: that of the first selector that fits.

    Parameters
    ----------
    rules : Mapping
        Selector to rule. Selectors: ``input``, a kind of layer (``dense``, ``convolution``, ``recurrent``,
        ``sum``, ``pooling``, ``scaling``), or a pattern of layer names. Rules: the name of a method that is
        one rule (``lrp-eps``), ``z-b``, or a mapping ``{"rule": name, option: value}``.
    gates : str
        The gate rule.

    Examples
    --------
    >>> strategy = lrp_composite({"input": "z-b", "recurrent": "lrp-eps", "*": "lrp-gamma"})
    """
    if not isinstance(rules, Mapping):
        raise Error(f"rules = {rules!r}; a mapping such as {{'input': 'z-b', '*': 'lrp-eps'}} is right")
    return Strategy(rule=composite({str(key): _rule(value) for key, value in rules.items()}), gates=gates)


def epsilon_plus(epsilon: float = EPSILON, gates: GateRule = "all") -> Strategy:
    """Epsilon in dense and recurrent layers, z+ in convolutions and what pools and adds there."""
    return _convolutional(epsilon, AlphaBeta(1, 0), gates)


def epsilon_plus_flat(epsilon: float = EPSILON, gates: GateRule = "all") -> Strategy:
    """As epsilon_plus, with the flat rule in the layers that read the input."""
    return _convolutional(epsilon, AlphaBeta(1, 0), gates, input=Flat())


def epsilon_alpha2_beta1(epsilon: float = EPSILON, gates: GateRule = "all") -> Strategy:
    """Epsilon in dense and recurrent layers, alpha 2 beta 1 in convolutions."""
    return _convolutional(epsilon, AlphaBeta(2, 1), gates)


def epsilon_gamma_box(epsilon: float = EPSILON, gamma: float = GAMMA, gates: GateRule = "all") -> Strategy:
    """z^B in the layers that read the input, gamma in convolutions, epsilon elsewhere."""
    return _convolutional(epsilon, Gamma(gamma), gates, input=ZBounded())


def _convolutional(epsilon: float, convolution: Rule, gates: GateRule, **first: Rule) -> Strategy:
    rules = {**first, "convolution": convolution, "*": Epsilon(epsilon)}
    return Strategy(rule=composite(rules), gates=gates)


def _rule(value: Any) -> Rule:
    if isinstance(value, str):
        value = {"rule": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("rule"), str):
        raise Error(f"{value!r} is no rule; a name such as 'lrp-eps', or {{'rule': name, option: value}}")
    options = {str(key): option for key, option in value.items() if key != "rule"}
    if value["rule"] == "z-b":
        if options:
            raise Error(f"the rule 'z-b' takes no options, but was given {options}")
        return ZBounded()
    rule = make_strategy(value["rule"], options).rule
    if rule is None:
        raise Error(f"{value['rule']!r} walks back with the gradient and has no rule for a composite")
    return rule
