"""How plain layers with weights are followed: linear, convolution, batch norm, embedding."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from rnnxai.explain.channels import Domain, Kind
from rnnxai.explain.engine.follow_arithmetic import ELEMENTWISE
from rnnxai.explain.engine.functions import label_of, name_of
from rnnxai.explain.engine.layer import Layer
from rnnxai.explain.engine.maps import Dense, Map, convolution
from rnnxai.explain.engine.operations import Call
from rnnxai.explain.engine.parts import Part
from rnnxai.explain.engine.recorder import Recorder
from rnnxai.explain.engine.signals import Signal

DENSE = Dense()


def linear(
    recorder: Recorder,
    func: Callable[..., Any],
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
) -> Tensor:
    """Follow x W^T + b."""
    return _affine(recorder, func, "dense", DENSE, input, weight, bias, (-1, 1), (input, weight, bias))


def matmul(recorder: Recorder, func: Callable[..., Any], input: Tensor, other: Tensor) -> Tensor:
    """Follow x W with a constant matrix W."""
    if input in recorder.signals and other.dim() != 2:
        return _two_signals(recorder, func, input, other)
    return _affine(
        recorder, func, "dense", DENSE, input, other, None, (-1, 1), (input, other), transposed=True
    )


def addmm(
    recorder: Recorder, func: Callable[..., Any], input: Tensor, mat1: Tensor, mat2: Tensor, **kw: Any
) -> Tensor:
    """Follow b + x W with constant b and W."""
    if kw:
        return _two_signals(recorder, func, input, mat1, mat2, **kw)
    return _affine(
        recorder, func, "dense", DENSE, mat1, mat2, input, (-1, 1), (input, mat1, mat2), transposed=True
    )


def convolve(
    recorder: Recorder,
    func: Callable[..., Any],
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Follow a convolution."""
    map_ = convolution(weight.shape[2:], stride, padding, dilation, groups)
    arguments = (input, weight, bias, stride, padding, dilation, groups)
    channels = 1 - weight.dim()
    # The channels of a group are read together, so only without groups can parts be told apart.
    axes = (channels, 1) if groups == 1 else None
    return _affine(recorder, func, "convolution", map_, input, weight, bias, axes, arguments)


def _affine(
    recorder: Recorder,
    func: Callable[..., Any],
    kind: Kind,
    map_: Map,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    axes: tuple[int, int] | None,
    arguments: tuple[Any, ...],
    *,
    transposed: bool = False,
) -> Tensor:
    """Follow an affine map.

    `axes` are the axis of x along which parts may be joined, and the weight's axis that reads them;
    `arguments` are those of `func`.
    """
    name = recorder.plan.name_of_tensor(weight)
    reader = name_of(func) if name is None else f"layer {name!r}"
    if recorder.is_signal(weight, reader) or recorder.is_signal(bias, reader):
        return _two_signals(recorder, func, *arguments)
    if not recorder.is_signal(x, reader):
        result: Tensor = func(*arguments)
        return result
    inputs = [x] if axes is None else recorder.inputs_of(x, axes[0])
    widths = tuple(part.shape[axes[0]] for part in inputs) if axes else ()

    def make() -> Layer:
        matrix = weight.detach().mT if transposed else weight.detach()
        weights = matrix.split(widths, axes[1]) if axes else (matrix,)
        offset = None if bias is None else bias.detach().view(-1, *[1] * (matrix.dim() - 2))
        return Layer(name or label_of(func), kind, map_, [w.contiguous() for w in weights], offset)

    how = (map_, widths, transposed)
    layer = make() if name is None else recorder.plan.layer((weight, bias), how, make)
    with torch.no_grad():
        z = func(*arguments)
    parts = [recorder.part(layer, index, part) for index, part in enumerate(inputs)]
    return recorder.apply(layer, parts, inputs, z)


def _two_signals(recorder: Recorder, func: Callable[..., Any], *arguments: Any, **kwargs: Any) -> Tensor:
    recorder.hinder(
        f"{name_of(func)} multiplies two signals, or a signal with a stack of matrices, and has no unique "
        "explanation; a layer's weights have to be one constant matrix"
    )
    result: Tensor = func(*arguments, **kwargs)
    return result


def batch_norm(
    recorder: Recorder,
    func: Callable[..., Any],
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Follow a batch norm: merged into the layer that it scales, or by itself where there is none."""
    arguments = (input, running_mean, running_var, weight, bias, training, momentum, eps)
    if not recorder.is_signal(input, name_of(func)):
        result: Tensor = func(*arguments)
        return result
    if training or running_mean is None or running_var is None:
        recorder.hinder(
            "a batch norm without running statistics mixes the samples of a batch; use "
            "track_running_stats=True and evaluation mode"
        )
        mixed: Tensor = func(*arguments)
        return mixed
    with torch.no_grad():
        scale = (running_var + eps).rsqrt() * (1 if weight is None else weight)
        shift = (0 if bias is None else bias) - running_mean * scale
        z = func(*arguments)
    before = recorder.calls.get(input)
    if (
        before is not None
        and _scales_units(before.layer.kind, input)
        and all(isinstance(part, Part) for part in before.parts)
    ):
        norm = (running_mean, running_var, weight, bias)
        return _merged(recorder, input, before, norm, scale, shift, z)
    per_channel = [-1 if axis == 1 else 1 for axis in range(input.dim())]
    name = recorder.plan.name_of_tensor(running_mean) or label_of(func)
    layer = Layer(
        name.removesuffix(".running_mean"),
        "scaling",
        ELEMENTWISE,
        [scale.view(per_channel)],
        shift.view(per_channel),
    )
    return recorder.apply(layer, [recorder.part(layer, 0, input)], [input], z)


def _scales_units(kind: Kind, z: Tensor) -> bool:
    """Tell whether axis 1 of a layer's output, along which a batch norm scales, runs over its units."""
    return kind == "convolution" or (kind == "dense" and z.dim() == 2)


def _merged(
    recorder: Recorder,
    before_norm: Tensor,
    before: Call,
    norm: tuple[Tensor | None, ...],
    scale: Tensor,
    shift: Tensor,
    z: Tensor,
) -> Tensor:
    """Replace a layer and its batch norm by one layer with scaled weights."""
    old = before.layer

    def make() -> Layer:
        weights = [w * scale.view(-1, *[1] * (w.dim() - 1)) for w in old.weights]
        like = scale.view(-1, *[1] * (old.weights[0].dim() - 2))
        offset = shift.view(like.shape) + (0 if old.bias is None else old.bias * like)
        return Layer(old.name, old.kind, old.map, weights, offset)

    layer = recorder.plan.layer((old, *norm), "merged", make)
    recorder.uses.remove((old, before.reading))
    parts = [part.of(layer) for part in before.parts if isinstance(part, Part)]
    result = recorder.apply(layer, parts, before.inputs, z)
    outputs = recorder.outputs[old.name]
    merged = outputs.pop()
    for output in outputs:
        if any(tensor is before_norm for tensor in output.tensors):
            output.tensors.extend(merged.tensors)
    return result


def embedding(
    recorder: Recorder,
    func: Callable[..., Any],
    input: Tensor,
    weight: Tensor,
    *args: Any,
    **kwargs: Any,
) -> Tensor:
    """Begin at the embeddings of tokens, which have no gradient themselves."""
    result: Tensor = func(input, weight, *args, **kwargs)
    places = recorder.tokens.places_in(input)
    if places is None:
        return result
    leaf = result.detach().clone().requires_grad_()
    recorder.leaves.append(leaf)
    recorder.tokens.places.append(places)
    samples = places.div(recorder.tokens.per_sample, rounding_mode="floor")
    numbers = samples.double().unsqueeze(-1).expand(leaf.shape) if recorder.keeps_books else None
    recorder.signals[leaf] = Signal(Domain.SIGNED, is_input=True, numbers=numbers)
    return leaf


HANDLERS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    F.linear: linear,
    **dict.fromkeys([torch.matmul, torch.mm, Tensor.matmul, Tensor.mm, Tensor.__matmul__], matmul),
    **dict.fromkeys([torch.addmm, Tensor.addmm], addmm),
    **dict.fromkeys([F.conv1d, F.conv2d, F.conv3d], convolve),
    **dict.fromkeys([F.batch_norm, torch.batch_norm], batch_norm),
    F.embedding: embedding,
}
