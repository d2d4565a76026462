"""How the layers of our own architectures are followed: stacks of one network, with a leading fold axis."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rnnxai.errors import Error
from rnnxai.explain.engine import maps
from rnnxai.explain.engine.follow_elementwise import activate
from rnnxai.explain.engine.functions import SIGMOID
from rnnxai.explain.engine.layer import Layer
from rnnxai.explain.engine.recorder import Recorder
from rnnxai.models.convolution import Convolution
from rnnxai.models.layers import PartedLinear, Projected, gate, time_step

DENSE = maps.Dense()


def affine(recorder: Recorder, func: Any, layer: PartedLinear, *inputs: Tensor) -> Tensor:
    """Follow a layer that reads all its parts at once."""
    record = _record(recorder, layer)
    if not recorder.any_signal(inputs, f"layer {record.name!r}"):
        constant: Tensor = func(layer, *inputs)
        return constant
    with torch.no_grad():
        z = layer(*inputs)[0]
    singles = [recorder.move(Tensor.__getitem__, x, 0) for x in inputs]
    given = len(singles)
    singles += _absent(layer, given, singles[0])
    parts = [recorder.part(record, index, x, zero=index >= given) for index, x in enumerate(singles)]
    # (T, N, ...) holds all time steps, (N, ...) the current one.
    all_steps = singles[0].dim() == 2 + layer.axes
    result = recorder.apply(record, parts, singles, z, all_steps=all_steps)
    stack: Tensor = recorder.move(Tensor.unsqueeze, result, 0)
    return stack


def project(recorder: Recorder, func: Any, layer: PartedLinear, x: Tensor) -> Sequence[Any]:
    """Follow the projection of the first part for all steps, (K, T, N, ...)."""
    record = _record(recorder, layer)
    if not recorder.is_signal(x, f"layer {record.name!r}"):
        constants: Sequence[Any] = func(layer, x)
        return constants
    rows = recorder.move(lambda stack: stack[0].flatten(0, 1), x)
    links = recorder.project(record, 0, rows, [x.shape[2]] * x.shape[1])
    with torch.no_grad():
        values = layer.project(x)
    return [(part, link, value) for (part, link), value in zip(links, values, strict=True)]


def complete(recorder: Recorder, func: Any, layer: PartedLinear, projected: Any, *rest: Tensor) -> Tensor:
    """Follow the other parts of one step."""
    record = _record(recorder, layer)
    if isinstance(projected, Projected):
        raise Error(f"layer {record.name!r} projects a constant; only what depends on the input needs it")
    first, link, value = projected
    with torch.no_grad():
        z = layer.complete(value, *rest)[0]
    singles = [recorder.move(Tensor.__getitem__, x, 0) for x in rest]
    singles += _absent(layer, 1 + len(rest), value.sums[0])
    others = [
        recorder.part(record, index, x, zero=index > len(rest)) for index, x in enumerate(singles, start=1)
    ]
    parts = [first, *others]
    result = recorder.apply(record, parts, [link, *singles], z)
    stack: Tensor = recorder.move(Tensor.unsqueeze, result, 0)
    return stack


def _absent(layer: PartedLinear, given: int, like: Tensor) -> list[Tensor]:
    """Return the parts that are left out at the first step: initial states of zeros."""
    lead = like.shape[: -layer.axes]
    places = like.shape[len(lead) + 1 :]
    widths = [columns.stop - columns.start for columns in layer.columns[given:]]
    return [like.new_zeros(*lead, width, *places) for width in widths]


def follow_gate(recorder: Recorder, func: Any, z: Tensor) -> Tensor:
    """Follow a gate."""
    return activate(recorder, torch.sigmoid, SIGMOID, z)


def follow_time_step(recorder: Recorder, func: Any, index: int, patches: Tensor) -> None:
    """Note the time step that is being computed."""
    recorder.step = index


def _record(recorder: Recorder, layer: PartedLinear) -> Layer:
    name = recorder.plan.name_of_module(layer)
    if name is None:
        raise Error(f"{layer} is no submodule of the model; make it an attribute of its cell")
    return recorder.plan.layer((layer,), "zoo", lambda: _make(name, layer))


def _make(name: str, layer: PartedLinear) -> Layer:
    weight, offset = layer.weight.detach()[0], layer.offset()
    weights = [weight[:, columns].contiguous() for columns in layer.columns]
    bias = None if offset is None else offset.detach()[0].view(-1, *[1] * (layer.axes - 1))
    if not isinstance(layer, Convolution):
        return Layer(name, "dense", DENSE, weights, bias)
    left, right, top, bottom = layer.margins
    surplus = (bottom - top, right - left)
    map_ = maps.Convolution(layer.kernel, (1, 1), (top, left), (1, 1), surplus=surplus)
    return Layer(name, "convolution", map_, weights, bias)


HANDLERS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    PartedLinear.forward: affine,
    PartedLinear.project: project,
    PartedLinear.complete: complete,
    gate: follow_gate,
    time_step: follow_time_step,
}
