"""Methods that walk back with the gradient."""

from math import isfinite

from rnnxai.errors import Error
from rnnxai.explain.strategy import GateGradient, Noise, Occlusion, StraightPath, Strategy


def sensitivity_analysis() -> Strategy:
    r"""Sensitivity analysis: :math:`(\partial z_c / \partial x_i)^2`, gates included."""
    return Strategy(gates="follow", heatmap="squared")


def guided_backprop(gates: GateGradient = "constant") -> Strategy:
    """Guided backpropagation: the squared gradient, of which ReLUs pass only the positive part.

    Parameters
    ----------
    gates : {"constant", "follow"}
        The thesis sets the derivative of gates to zero; ``follow`` lets the gradient into them.
    """
    return Strategy(gates=gates, guided=True, heatmap="squared")


def taylor() -> Strategy:
    r"""Gradient times input, :math:`x_i \, \partial z_c / \partial x_i`: simple Taylor decomposition."""
    return Strategy(gates="follow", heatmap="times input")


def integrated_gradients(points: int = 32, baseline: float | None = None) -> Strategy:
    r"""Integrated gradients along the straight path from a baseline b to the input.

    .. math:: R_i = (x_i - b_i) \int_0^1 \frac{\partial z_c}{\partial x_i}(b + s (x - b)) \, ds

    The map sums to z_c(x) - z_c(b), up to the error of the quadrature.

    Parameters
    ----------
    points : int
        Nodes of the Gauss-Legendre quadrature.
    baseline : float, optional
        Value of every pixel at the start of the path; by default the low end of the input's bounds (the
        background of an image), or 0 where there is none.
    """
    _check_whole("points", points)
    _check_finite("baseline", baseline)
    return Strategy(gates="follow", sampling=StraightPath(points, baseline))


def smoothgrad(samples: int = 32, noise: float = 0.1, seed: int = 0) -> Strategy:
    r"""SmoothGrad: the mean gradient over noisy copies of the input.

    .. math:: R_i = \frac{1}{S} \sum_s \frac{\partial z_c}{\partial x_i}(x + \sigma \xi_s)

    Parameters
    ----------
    samples : int
        S, the number of copies.
    noise : float
        :math:`\sigma` as a part of the input's range: of its bounds, or of what the sample spans.
    seed : int
        Seed of the noise. A sample's noise depends on its place in the batch.
    """
    _check_whole("samples", samples)
    if type(seed) is not int or seed < 0:
        raise Error(f"seed = {seed!r} is no seed; a whole number from 0 would be right")
    if not (isfinite(noise) and noise >= 0):
        raise Error(f"noise = {noise} is no amount of noise; a number from 0 would be right")
    return Strategy(gates="follow", sampling=Noise(samples, noise, seed))


def occlusion(steps: int | None = None, axis: int = -1, value: float | None = None) -> Strategy:
    r"""Occlusion: how far the score falls when one step of the input is blotted out.

    The fall :math:`z_c(x) - z_c(x \setminus \text{step})` is spread evenly over the step's pixels, so the
    sum of a step is its fall. The network is only asked, never looked into.

    Parameters
    ----------
    steps : int, optional
        Number of equal slices; by default the model's own number of time steps.
    axis : int
        Axis of the input along which time runs.
    value : float, optional
        What stands in a blotted slice; by default the low end of the input's bounds, or 0 without any.
    """
    if steps is not None:
        _check_whole("steps", steps)
    _check_finite("value", value)
    return Strategy(gates="follow", sampling=Occlusion(steps, axis, value))


def _check_whole(name: str, value: int) -> None:
    if type(value) is not int or value < 1:
        raise Error(f"{name} = {value!r} is no number of passes; a whole number from 1 would be right")


def _check_finite(name: str, value: float | None) -> None:
    if value is not None and not (isinstance(value, int | float) and isfinite(value)):
        raise Error(f"{name} = {value} is no value of an input; a finite number would be right")
