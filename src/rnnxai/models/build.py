"""Build a named architecture."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import torch

from rnnxai.errors import Error
from rnnxai.models.cells.cell import BiasInit, Cell
from rnnxai.models.classifier import Classifier
from rnnxai.models.layers import BiasForm
from rnnxai.models.zoo import MODELS

BIAS_FORMS: Mapping[BiasInit, BiasForm] = {"thesis": "negative", "none": "none", "plain": "plain"}


def build_model(
    name: str,
    *,
    image_size: tuple[int, int],
    steps: int,
    classes: int = 10,
    dropout: float | None = None,
    bias_init: BiasInit | None = None,
    pooling: str | None = None,
    initial_scale: float = 1.0,
    seed: int = 0,
    generators: Sequence[torch.Generator] | None = None,
    **sizes: Any,
) -> Classifier:
    """Build a freshly initialised classifier.

    Parameters
    ----------
    name : str
        A name in ``rnnxai.MODELS``.
    image_size : tuple of int
        Height and width in pixels.
    steps : int
        T, the number of column patches an image is read in. It must divide the width, and be 1 for an
        architecture that is not recurrent.
    classes : int
        Number of logits.
    dropout : float, optional
        Probability that a unit is dropped in training, where the architecture drops any. None is the
        architecture's own: 0.2, and 0 for ``mnist-cnn``.
    bias_init : {"thesis", "none", "plain"}, optional
        ``thesis``: ReLU and output layers have the bias -softplus(b), trainable, -0.01 at the start.
        ``none``: they have no bias, which is what the published code effectively did.
        ``plain``: an ordinary bias, 0 at the start. None is the architecture's own: ``thesis``, and
        ``plain`` for ``mnist-cnn``.
    pooling : {"thesis", "sum", "average", "max"}, optional
        How an architecture with pooling does it, see :func:`~rnnxai.models.pooling.pool`. None is the
        architecture's own: ``thesis``, and ``average`` for ``mnist-cnn``.
    initial_scale : float
        Factor on the standard deviation of the initial weights.
    seed : int
        Seed of the initial weights of a single network.
    generators : sequence of torch.Generator, optional
        One per fold: builds a stack of that many networks, each drawn from its own generator.
    **sizes : int
        Layer sizes, by the names of the cell's constructor, where they differ from the thesis'.

    Returns
    -------
    Classifier
        On the CPU, in training mode.

    Raises
    ------
    Error
        If the name is unknown, or T does not divide the width, or pooling is asked of an architecture
        that has none, or another value is out of range.
    """
    if not (initial_scale > 0 and isfinite(initial_scale)):
        raise Error(f"initial_scale = {initial_scale} is no factor; a number above 0 would be right")
    if generators is None:
        generators = [torch.Generator().manual_seed(seed)]
    options = own_options(name, dropout=dropout, bias_init=bias_init, pooling=pooling)
    model = empty_model(
        name,
        image_size=image_size,
        steps=steps,
        classes=classes,
        folds=len(generators),
        **options,
        **sizes,
    )
    for layer in model.affine_layers().values():
        layer.initialise(generators, initial_scale)
    return model


def own_options(
    name: str,
    *,
    dropout: float | None = None,
    bias_init: BiasInit | None = None,
    pooling: str | None = None,
) -> dict[str, Any]:
    """Return these options of :func:`build_model`, the architecture's own in place of None.

    Raises
    ------
    Error
        If the name is unknown, or pooling is asked of an architecture that has none.
    """
    cell = _cell(name)
    if pooling is not None and cell.own_pooling is None:
        raise Error(f"pooling = {pooling!r}, but architecture {name!r} does not pool; leave pooling out")
    return {
        "dropout": cell.own_dropout if dropout is None else dropout,
        "bias_init": cell.own_bias_init if bias_init is None else bias_init,
        "pooling": cell.own_pooling if pooling is None else pooling,
    }


def empty_model(
    name: str,
    *,
    image_size: tuple[int, int],
    steps: int,
    classes: int,
    folds: int,
    dropout: float,
    bias_init: BiasInit,
    pooling: str | None,
    **sizes: Any,
) -> Classifier:
    """Build a classifier whose weights are yet to be set; see :func:`build_model`."""
    height, width = image_size = _image_size(image_size)
    for key, value in {"steps": steps, "classes": classes, **sizes}.items():
        if type(value) is not int or value < 1:
            raise Error(f"{key} = {value!r} is no size; a whole number from 1 would be right")
    cell = _cell(name)
    if steps > 1 and cell.single_step:
        raise Error(f"steps = {steps}, but architecture {name!r} is not recurrent; steps = 1 would be right")
    if width % steps:
        allowed = ", ".join(str(t) for t in range(1, width + 1) if width % t == 0)
        raise Error(f"steps = {steps} does not divide the image width {width}; allowed: {allowed}")
    if not 0 <= dropout <= 1 - 2**-16:
        raise Error(f"dropout = {dropout} is not a probability below 1")
    if bias_init not in BIAS_FORMS:
        raise Error(f"bias_init = {bias_init!r} is unknown; allowed: {', '.join(map(repr, BIAS_FORMS))}")
    pools = {} if pooling is None else {"pooling": pooling}
    try:
        core = cell(
            folds=folds,
            patch=(height, width // steps),
            classes=classes,
            dropout=dropout,
            bias=BIAS_FORMS[bias_init],
            **pools,
            **sizes,
        )
    except TypeError as error:
        raise Error(f"architecture {name!r} cannot be built with {sizes}: {error}") from error
    return Classifier(core, image_size, steps, folds)


def _cell(name: str) -> type[Cell]:
    cell = MODELS.load(name)
    if not (isinstance(cell, type) and issubclass(cell, Cell)):
        raise Error(f"{name!r} is no architecture; a subclass of rnnxai.models.Cell would be right")
    return cell


def _image_size(size: Any) -> tuple[int, int]:
    try:
        height, width = size
        if not all(type(side) is int and side > 0 for side in (height, width)):
            raise ValueError
    except (TypeError, ValueError):
        raise Error(
            f"image_size = {size!r} is no size; height and width, such as (28, 84), would be right"
        ) from None
    return height, width
