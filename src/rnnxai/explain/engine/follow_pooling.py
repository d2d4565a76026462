"""How pooling is followed: averages and sums over windows and axes, and padding around them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
    recorder: Recorder,
    func: Callable[..., Any],
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Follow average pooling, or sum pooling (a divisor of 1)."""
    arguments: list[Any] = [kernel_size, stride, padding, ceil_mode, count_include_pad]
    axes = _axes_of(func)
    if axes > 1:
        arguments.append(divisor_override)
    if not recorder.is_signal(input, name_of(func)):
        result: Tensor = func(input, *arguments)
        return result

    def average(x: Tensor) -> Tensor:
        pooled: Tensor = func(x, *arguments)
        return pooled

    def count(one: Tensor) -> Tensor:
        if axes > 1:
            counted: Tensor = func(one, *arguments[:-1], 1)
            return counted
        # One axis has no divisor of its own, so a second of size 1 is put before it.
        kernel, step, margin = (
            (1, *_tuple(kernel_size)),
            (1, *_tuple(stride or kernel_size)),
            (0, *_tuple(padding)),
        )
        pooled = F.avg_pool2d(one.unsqueeze(-2), kernel, step, margin, ceil_mode, count_include_pad, 1)
        return pooled.flatten()

    return _pool(recorder, label_of(func), input, average, lambda one: average(one) / count(one), axes)


def adaptive_average_pool(
    recorder: Recorder,
    func: Callable[..., Any],
    input: Tensor,
    output_size: Any,
) -> Tensor:
    """Follow adaptive average pooling: window i of n reads from floor(i L / n) to ceil((i + 1) L / n)."""
    if not recorder.is_signal(input, name_of(func)):
        result: Tensor = func(input, output_size)
        return result
    axes = _axes_of(func)

    def average(x: Tensor) -> Tensor:
        pooled: Tensor = func(x, output_size)
        return pooled

    def weight(one: Tensor) -> Tensor:
        share = average(one)
        for axis in range(-axes, 0):
            n, length = share.shape[axis], one.shape[axis]
            widths = [-(-(i + 1) * length // n) - i * length // n for i in range(n)]
            share = share / share.new_tensor(widths).view(-1, *[1] * (-axis - 1))
        return share

    return _pool(recorder, label_of(func), input, average, weight, axes)


def _pool(
    recorder: Recorder,
    name: str,
    x: Tensor,
    average: Callable[[Tensor], Tensor],
    weight_of: Callable[[Tensor], Tensor],
    axes: int,
) -> Tensor:
    """Connect a pooling; `weight_of` maps ones to the weight that each window gives to each of its inputs."""
    with torch.no_grad():
        z = average(x.detach())
        # All samples and channels have the same windows, so one channel tells the weights.
        weight = weight_of(x.new_ones(1, *x.shape[-axes:]))
    window = Window(lambda v: average(v) / weight, tuple(range(-axes, 0)))
    return _window(recorder, name, x, z, window, weight)


def _window(recorder: Recorder, name: str, x: Tensor, z: Tensor, map_: Window, weight: Tensor) -> Tensor:
    layer = Layer(name, "pooling", map_, [weight], even=True)
    result = recorder.apply(layer, [recorder.part(layer, 0, x)], [x], z, only_losses=True)
    before, after = recorder.signals[x], recorder.signals[result]
    if before.domain is Domain.NON_NEGATIVE:
        recorder.signals[result] = after.hidden(Domain.NON_NEGATIVE, after.numbers)
    if before.bounds is not None:  # sums of bounded values are bounded too
        totals = map_.sum(torch.ones_like(x)) * weight
        low, high = before.bounds
        bounds = (
            float(min(low * totals.min(), low * totals.max())),
            float(max(high * totals.min(), high * totals.max())),
        )
        recorder.signals[result] = Signal(Domain.BOUNDED, bounds, numbers=after.numbers)
    return result


def _axes_of(func: Callable[..., Any]) -> int:
    return int(name_of(func)[-2])  # avg_pool2d


def _tuple(value: int | Sequence[int]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


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
    axes = tuple(d - input.dim() for d in dims)
    count = torch.tensor([input.shape[d] for d in dims]).prod().item()
    weight = input.new_tensor(1 / count if name_of(func).endswith("mean") else 1.0)
    window = Window(partial(torch.sum, dim=dims, keepdim=True), axes)
    with torch.no_grad():
        z = window.apply(input.detach(), weight)
    result = _window(recorder, label_of(func), input, z, window, weight)
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
    **dict.fromkeys(
        [F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d], adaptive_average_pool
    ),
    **dict.fromkeys([torch.mean, torch.sum, Tensor.mean, Tensor.sum], mean),
    F.pad: pad,
    torch._VF._pad_packed_sequence: pad_packed,
}
