"""What a network file says about its layers, read without loading a weight."""

import json
import struct
from pathlib import Path
from typing import Any, NamedTuple

from rnnxai.errors import Error

_MOST = 100_000_000  # bytes of a header
_FORWARD = (
    "conv1",
    "conv2",
    "conv3",
    "first",
    "encoder",
    "hidden",
    "hidden1",
    "hidden2",
    "candidate",
    "decoder",
)
"""Names of layers in the order in which a step passes them; others follow, and the output is last."""
_WITHIN = ("gates", "recurrent")
"""Layers beside this way: gates of another layer, and the way to the next step."""


class Layer(NamedTuple):
    """A layer: its name within the cell, and how many units or channels it has."""

    name: str
    units: int


class Network(NamedTuple):
    """A trained network.

    Attributes
    ----------
    layers : tuple of Layer
        From the input to the output, one step.
    recurrent : int or None
        Units that are handed to the next step; None for a network without a next step.
    build, about : dict
        How to build it, and what was kept with it.
    parameters : int
    """

    layers: tuple[Layer, ...]
    recurrent: int | None
    build: dict[str, Any]
    about: dict[str, Any]
    parameters: int


def read_network(path: str | Path) -> Network:
    """Read the header of a network file (safetensors).

    Raises
    ------
    Error
        If the file is missing, damaged or holds no network.
    """
    header = _header(Path(path))
    try:
        kept = json.loads(header.pop("__metadata__")["rnnxai"])
        shapes = {name: tuple(tensor["shape"]) for name, tensor in header.items()}
        build, about = dict(kept["build"]), dict(kept["about"])
    except (KeyError, TypeError, ValueError) as error:
        raise Error(f"{path} is not a network of rnnxai ({error!r} in its header)") from error
    units = {
        name.split(".")[-2]: shape[1]
        for name, shape in shapes.items()
        if name.endswith(".weight") and len(shape) > 2 and "." in name
    }
    forward = [name for name in units if name not in _WITHIN]
    forward.sort(
        key=lambda name: (name == "output", _FORWARD.index(name) if name in _FORWARD else len(_FORWARD), name)
    )
    recurrent = units.get("recurrent", units.get("candidate"))
    layers = tuple(Layer(name, units[name]) for name in forward)
    return Network(layers, recurrent, build, about, sum(map(_product, shapes.values())))


def _header(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _MOST:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(file.read(length))
    except OSError as error:
        raise Error(f"{path}: the network cannot be read ({error.strerror})") from error
    except (struct.error, ValueError) as error:
        raise Error(f"{path} is damaged or no safetensors file ({error})") from error
    if not isinstance(header, dict):
        raise Error(f"{path} is damaged or no safetensors file")
    return header


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product
