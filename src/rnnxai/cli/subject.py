"""The model that a command is asked about, and an input of the right form for it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rnnxai import plugins
from rnnxai.errors import Error
from rnnxai.explain.channels import Bounds
from rnnxai.explain.preview import check
from rnnxai.models.build import build_model
from rnnxai.models.cells.cell import Cell
from rnnxai.models.classifier import Classifier
from rnnxai.models.weights import load_network
from rnnxai.models.zoo import MODELS

_IMAGE_SIZE, _STEPS = (28, 84), 12
_SINGLE_SIZE = (28, 28)  # of an architecture that is not recurrent


def table_of(
    name: str,
    method: str,
    options: Mapping[str, Any],
    *,
    bounds: Bounds | None = None,
    input_shape: Sequence[int] | None = None,
    tokens: bool = False,
    **sizes: Any,
) -> list[dict[str, Any]]:
    """Return the rows of :func:`rnnxai.explain.preview.check` for a model by name.

    Parameters
    ----------
    name, **sizes
        As for :func:`model_of`.
    method, options, bounds
        As for :func:`rnnxai.explain`.
    input_shape, tokens
        As for :func:`input_of`.

    Raises
    ------
    Error
        If there is no such model, it does not take such an input, or there is no such method.
    """
    model = model_of(name, **sizes)
    inputs = input_of(model, name, bounds, input_shape, tokens=tokens)
    try:
        table = check(model, inputs, method, bounds=bounds, **options)
    except Error:
        raise
    except Exception as error:  # whatever a stranger's model may raise
        raise Error(
            f"{name} does not run on an input of shape {tuple(inputs.shape)}: {type(error).__name__}: {error}"
        ) from error
    return [{str(title): value for title, value in row.items()} for row in table.to_dict("records")]


def model_of(name: str, *, steps: int | None = None, image_size: tuple[int, int] | None = None) -> nn.Module:
    """Return a model by name.

    Parameters
    ----------
    name : str
        An architecture, a network file, or ``package.module:Name`` of a cell, a torch module, or something
        that returns a torch module when it is called without arguments. The folder one is in counts as
        installed.
    steps, image_size
        Of an architecture or cell; what is left out is 12 steps of 28 x 84 pixels, or one of 28 x 28.

    Raises
    ------
    Error
        If the name leads to nothing or to something else.
    """
    if name.endswith(".safetensors"):
        return load_network(name)[0]
    found: Any = None
    if plugins.is_reference(name):
        plugins.add_folders(["."])
        found = plugins.imported("model", name)
    elif name in MODELS:
        found = MODELS.load(name)
    elif Path(name).exists():
        raise Error(f"{name} is no network file; its name would end in .safetensors")
    if found is None or (isinstance(found, type) and issubclass(found, Cell)):
        single = found is not None and found.single_step
        size = image_size or (_SINGLE_SIZE if single else _IMAGE_SIZE)
        return build_model(name, image_size=size, steps=steps or (1 if single else _STEPS))
    if not isinstance(found, nn.Module) and callable(found):
        try:
            found = found()
        except Exception as error:  # whatever a stranger's function may raise
            raise Error(
                f"model {name!r}: calling it without arguments fails: {type(error).__name__}: {error}"
            ) from error
    if not isinstance(found, nn.Module):
        raise Error(
            f"model {name!r} is a {type(found).__name__}; a torch module, or a function without arguments "
            "that returns one, would be right"
        )
    return found


def input_of(
    model: nn.Module,
    name: str,
    bounds: Bounds | None = None,
    shape: Sequence[int] | None = None,
    *,
    tokens: bool = False,
) -> Tensor:
    """Return one input for a model: zeros, or what is nearest to them within bounds.

    Parameters
    ----------
    model : Module
    name : str
        For messages.
    bounds : tuple of float, optional
        Range of the input.
    shape : sequence of int, optional
        Of one sample. A model of rnnxai brings its own.
    tokens : bool
        Whether the input is of whole numbers.

    Raises
    ------
    Error
        If the shape is needed and is not there.
    """
    if shape is None and isinstance(model, Classifier):
        shape = (1, *model.image_size)
    if shape is None:
        raise Error(
            f"{name} does not say what it reads; give the shape of one sample, --input-shape 20 3, say"
        )
    if tokens:
        return torch.zeros(1, *shape, dtype=torch.long)
    like = next(model.parameters(), torch.zeros(()))
    zeros = torch.zeros(1, *shape, dtype=like.dtype, device=like.device)
    return zeros if bounds is None else zeros.clamp(*bounds)
