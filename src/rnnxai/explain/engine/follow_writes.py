"""How writes into tensors are followed: a buffer that is filled with signals, piece by piece."""

from typing import Any

import torch
from torch import Tensor

from rnnxai.explain.engine.recorder import Filled, Recorder
from rnnxai.explain.engine.signals import beside


def put(recorder: Recorder, x: Tensor, index: Any, value: Tensor) -> Tensor:
    """Return x with a signal in place of some of its elements.

    What is left of a constant stays beside the signals, and what reaches it is booked.
    """
    known = recorder.filled.get(x)
    if known is None:
        remains = torch.ones(x.shape, dtype=torch.bool, device=x.device)
        given = [recorder.signals[x]] if x in recorder.signals else []
        constants = None if given else x.detach().clone()
        known = Filled(remains, given, constants)
    remains = known.remains.clone()
    remains[index] = False
    signals = [*known.signals, recorder.signals[value]]
    numbers = _numbers(recorder, x, index, value)
    base = x if x in recorder.signals else recorder.source("constant", x, value, numbers)
    result = base.clone()
    result[index] = value
    recorder.filled[result] = Filled(remains, signals, known.constants)
    left = None if known.constants is None else known.constants[remains]
    recorder.signals[result] = beside(signals, left).numbered(numbers)
    return result


def _numbers(recorder: Recorder, x: Tensor, index: Any, value: Tensor) -> Tensor | None:
    theirs = recorder.signals[value].numbers
    if theirs is None:
        return None
    if x in recorder.signals:
        known = recorder.signals[x].numbers
        numbers = torch.zeros_like(x, dtype=torch.float64) if known is None else known.clone()
        numbers[index] = theirs
        return numbers
    numbers = x.new_full(x.shape, -1, dtype=torch.float64)
    numbers[index] = theirs
    # The axis along which samples change is the batch's; along the others all that is left is alike.
    axes = range(x.dim())
    others = next(
        (
            [a for a in axes if a != axis]
            for axis in axes
            if len(numbers.amax([a for a in axes if a != axis]).unique()) > 1
        ),
        list(axes)[1:],
    )
    alike = numbers.amax(others, keepdim=True) if others else numbers
    return alike.clamp(min=0).expand(x.shape).clone()
