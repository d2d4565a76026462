"""Methods that walk back with relevance."""

from rnnxai.explain.rules import AlphaBeta
from rnnxai.explain.strategy import Strategy


def deep_taylor() -> Strategy:
    """Deep Taylor decomposition, from the positive part of the score."""
    return alpha_beta(alpha=1, beta=0)


def alpha_beta(alpha: float, beta: float) -> Strategy:
    """Layer-wise relevance propagation with the alpha-beta rule, from the positive part of the score.

    Parameters
    ----------
    alpha, beta : float
        Weights of what excites and what inhibits a unit; alpha - beta = 1.
    """
    return Strategy(rule=AlphaBeta(alpha, beta), start="positive score")
