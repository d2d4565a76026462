"""How many parameters an architecture has, and how many the thesis says it has."""

from typing import Any, NamedTuple

import torch

from rnnxai.models.build import empty_model, own_options
from rnnxai.models.cells.cell import BiasInit
from rnnxai.models.layers import PartedLinear


class ParameterCounts(NamedTuple):
    """The parameters of one network.

    Attributes
    ----------
    architecture : str
    trainable : int
        What training changes.
    thesis : int
        The same, counted as in the thesis.
    """

    architecture: str
    trainable: int
    thesis: int


def parameter_counts(
    name: str,
    *,
    image_size: tuple[int, int],
    steps: int,
    classes: int = 10,
    bias_init: BiasInit | None = None,
    **sizes: Any,
) -> ParameterCounts:
    """Count the parameters of an architecture; no memory is taken for them.

    The thesis' Tables 3.3, 3.5 and 3.6 count differently in two places: all the biases of a gate as one,
    and, where there is a single step, not the weights with which a layer reads a recurrent state.

    Parameters
    ----------
    name, image_size, steps, classes, bias_init, **sizes
        As for :func:`~rnnxai.models.build.build_model`.

    Raises
    ------
    Error
        As :func:`~rnnxai.models.build.build_model` does.
    """
    with torch.device("meta"):
        model = empty_model(
            name,
            image_size=image_size,
            steps=steps,
            classes=classes,
            folds=1,
            **own_options(name, bias_init=bias_init),
            **sizes,
        )
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    left_out = 0
    for path, layer in model.affine_layers().items():
        if path.rpartition(".")[2] == "gates":
            left_out += _gate_biases_but_one_each(layer)
        if steps == 1:
            left_out += layer.weight[:, :, layer.columns[0].stop :].numel()
    return ParameterCounts(name, trainable, trainable - left_out)


def _gate_biases_but_one_each(gates: PartedLinear) -> int:
    *_, hidden = gates.columns
    cells = hidden.stop - hidden.start
    units = gates.weight.shape[1]
    return units - units // cells
