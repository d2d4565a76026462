"""Methods that walk back with the gradient."""

from typing import Literal

from rnnxai.explain.strategy import Strategy


def sensitivity_analysis() -> Strategy:
    r"""Sensitivity analysis: :math:`(\partial z_c / \partial x_i)^2`, gates included."""
    return Strategy(gates="follow", squared=True)


def guided_backprop(gates: Literal["follow", "constant"] = "constant") -> Strategy:
    """Guided backpropagation: the squared gradient, of which ReLUs pass only the positive part.

    Parameters
    ----------
    gates : {"constant", "follow"}
        The thesis sets the derivative of gates to zero; ``follow`` lets the gradient into them.
    """
    return Strategy(gates=gates, guided=True, squared=True)
