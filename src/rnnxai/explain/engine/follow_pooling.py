"""How pooling is followed: averages and sums over windows and axes, and padding around them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from rnnxai.explain.channels import Domain
from rnnxai.explain.engine.functions import label_of, name_of
from rnnxai.explain.engine.layer import Layer
from rnnxai.explain.engine.maps import Window
from rnnxai.explain.engine.operations import Padding
from rnnxai.explain.engine.recorder import Recorder
from rnnxai.explain.engine.signals import Signal


def average_pool(
    recorder: Recorder, func: Callable[..., Any], input: Tensor, *args: Any, **kwargs: Any
) -> Tensor:
    """Follow average pooling, adaptive or not, and sum pooling, which is one with a divisor of 1."""
    if not recorder.is_signal(input, name_of(func)):
        result: Tensor = func(input, *args, **kwargs)
        return result
    axes = int(name_of(func)[-2])  # avg_pool2d

    def average(x: Tensor) -> Tensor:
        pooled: Tensor = func(x, *args, **kwargs)
        return pooled

    return _pool(recorder, label_of(func), input, average, range(-axes, 0))


def _pool(
    recorder: Recorder,
    name: str,
    x: Tensor,
    average: Callable[[Tensor], Tensor],
    axes: Sequence[int],
) -> Tensor:
    """Connect a pooling along some axes, counted from the end.

    A window gives all its inputs one weight, which cancels where relevance is divided among them; so the
    average stands for the plain sum.
    """
    with torch.no_grad():
        z = average(x.detach())
    map_ = Window(average, tuple(axes))
    layer = Layer(name, "pooling", map_, [x.new_ones(())], even=True)
    result = recorder.apply(layer, [recorder.part(layer, 0, x)], [x], z, only_losses=True)
    before, after = recorder.signals[x], recorder.signals[result]
    if before.domain is Domain.NON_NEGATIVE:
        recorder.signals[result] = after.hidden(Domain.NON_NEGATIVE, after.numbers)
    if before.bounds is not None:  # sums of bounded values are bounded too
        totals = average(torch.ones_like(x))
        low, high = before.bounds
        bounds = (
            float(min(low * totals.min(), low * totals.max())),
            float(max(high * totals.min(), high * totals.max())),
        )
        recorder.signals[result] = Signal(Domain.BOUNDED, bounds, numbers=after.numbers)
    return result


def mean(recorder: Recorder, func: Callable[..., Any], input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Follow a mean or a sum over axes."""
    if not recorder.is_signal(input, name_of(func)):
        result: Tensor = func(input, *args, **kwargs)
        return result
    if "axis" in kwargs:  # numpy's name for it
        kwargs["dim"] = kwargs.pop("axis")
    dim = kwargs.get("dim", args[0] if args else None)
    if kwargs.get("dtype") is not None or dim is None:
        recorder.hinder(f"{name_of(func)} without an axis mixes the samples of a batch; name the axes")
        unknown: Tensor = func(input, *args, **kwargs)
        return unknown
    keep = kwargs.get("keepdim", args[1] if len(args) > 1 else False)
    dims = [d % input.dim() for d in ([dim] if isinstance(dim, int) else dim)]
    axes = [d - input.dim() for d in dims]

    def average(x: Tensor) -> Tensor:
        pooled: Tensor = func(x, dims, keepdim=True)
        return pooled

    result = _pool(recorder, label_of(func), input, average, axes)
    if keep:
        return result
    squeezed: Tensor = recorder.move(lambda x: x.squeeze(dims), result)
    return squeezed


def pad(
    recorder: Recorder,
    func: Callable[..., Any],
    input: Tensor,
    pad: Sequence[int],
    mode: str = "constant",
    value: float | None = None,
) -> Tensor:
    """Follow padding with zeros, or with copies of what is there."""

    def move(x: Tensor) -> Tensor:
        return F.pad(x, list(pad), mode, value)

    if not recorder.is_signal(input, name_of(func)):
        return move(input)
    if mode != "constant":
        moved: Tensor = recorder.move(move, input)
        return moved
    if value:
        recorder.hinder(
            f"{name_of(func)} puts {value} beside a signal, and only zeros are known to say nothing"
        )
    known = recorder.signals[input].numbers
    numbers = None if known is None else _numbers_around(known, pad)
    return _padded(recorder, label_of(func), move, input, numbers)


def _numbers_around(numbers: Tensor, margins: Sequence[int]) -> Tensor:
    """Return sample numbers of a padded signal: what is added along an axis belongs to the same samples."""
    for axis, around in enumerate(zip(margins[::2], margins[1::2], strict=True), start=1):
        first = numbers.narrow(-axis, 0, 1)
        if bool((numbers == first).all()):
            shape = list(numbers.shape)
            shape[-axis] += sum(around)
            numbers = first.expand(shape)
        else:  # the axis of the batch, where what is added belongs to nobody
            numbers = F.pad(numbers, [0, 0] * (axis - 1) + list(around))
    return numbers


def pad_packed(
    recorder: Recorder,
    func: Callable[..., Any],
    data: Tensor,
    batch_sizes: Tensor,
    batch_first: bool,
    padding_value: float,
    total_length: int,
) -> tuple[Tensor, Tensor]:
    """Follow the way back from a packed sequence."""
    arguments = (batch_sizes, batch_first, padding_value, total_length)
    padded, lengths = func(data, *arguments)
    if not recorder.is_signal(data, "pad_packed_sequence"):
        return padded, lengths

    def move(x: Tensor) -> Tensor:
        unpacked: Tensor = func(x, *arguments)[0]
        return unpacked

    known = recorder.signals[data].numbers
    numbers = None
    if known is not None:  # a sequence's own, behind its end too
        first = known[: int(batch_sizes[0])]
        numbers = first.unsqueeze(1 if batch_first else 0).expand(padded.shape)
    return _padded(recorder, "pad_packed_sequence", move, data, numbers), lengths


def _padded(
    recorder: Recorder, name: str, move: Callable[[Tensor], Tensor], x: Tensor, numbers: Tensor | None
) -> Tensor:
    signal = recorder.signals[x]
    result: Tensor = Padding.apply(recorder.walk, recorder.place(name, numbers), move, x)
    if signal.bounds is not None:
        low, high = signal.bounds
        signal = signal if low <= 0 <= high else Signal(Domain.SIGNED, is_input=signal.is_input)
    recorder.signals[result] = signal.numbered(numbers)
    return result


HANDLERS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys([F.avg_pool1d, F.avg_pool2d, F.avg_pool3d], average_pool),
    **dict.fromkeys([F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d], average_pool),
    **dict.fromkeys([torch.mean, torch.sum, Tensor.mean, Tensor.sum], mean),
    F.pad: pad,
    torch._VF._pad_packed_sequence: pad_packed,
}
