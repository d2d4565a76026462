"""Build a named architecture."""

from collections.abc import Sequence
from typing import Any, Literal

import torch

from rnnxai.errors import Error
from rnnxai.models.classifier import Classifier
from rnnxai.models.zoo import MODELS

BiasInit = Literal["thesis", "none"]


def build_model(
    name: str,
    *,
    image_size: tuple[int, int],
    steps: int,
    classes: int = 10,
    dropout: float = 0.2,
    bias_init: BiasInit = "thesis",
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
        T, the number of column patches an image is read in. It must divide the width.
    classes : int
        Number of logits.
    dropout : float
        Probability that a unit is dropped in training.
    bias_init : {"thesis", "none"}
        ``thesis``: ReLU and output layers have the bias -softplus(b), trainable, -0.01 at the start.
        ``none``: they have no bias, which is what the published code effectively did.
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
        If the name is unknown, or T does not divide the width, or another value is out of range.
    """
    image_size = height, width = _image_size(image_size)
    numbers = {"steps": steps, "classes": classes, **sizes}
    for key, value in numbers.items():
        if type(value) is not int or value < 1:
            raise Error(f"{key} = {value!r} is no size; a whole number from 1 would be right")
    if width % steps:
        allowed = ", ".join(str(t) for t in range(1, width + 1) if width % t == 0)
        raise Error(f"steps = {steps} does not divide the image width {width}; allowed: {allowed}")
    if not 0 <= dropout <= 1 - 2**-16:
        raise Error(f"dropout = {dropout} is not a probability below 1")
    if bias_init not in ("thesis", "none"):
        raise Error(f"bias_init = {bias_init!r} is unknown; allowed: 'thesis', 'none'")
    if generators is None:
        generators = [torch.Generator().manual_seed(seed)]
    make_cell = MODELS.load(name)
    try:
        cell = make_cell(
            folds=len(generators),
            features=height * width // steps,
            classes=classes,
            dropout=dropout,
            bias="negative" if bias_init == "thesis" else "none",
            **sizes,
        )
    except TypeError as error:
        raise Error(f"architecture {name!r} cannot be built with {sizes}: {error}") from error
    model = Classifier(cell, image_size, steps, folds=len(generators))
    for layer in model.affine_layers().values():
        layer.initialise(generators)
    return model


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
