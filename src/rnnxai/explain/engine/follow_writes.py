"""How writes into tensors are followed: a buffer that is filled with signals, piece by piece."""

from typing import Any

import torch
from torch import Tensor

from rnnxai.errors import Error
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
        constants = None if given else x.detach()
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
    if not bool((numbers < 0).any()):
        return numbers
    batch = recorder.signals[recorder.leaves[0]].numbers
    everything = _numbers_of_all(numbers, largest=0.0 if batch is None else float(batch.max()))
    return everything.expand(x.shape)


def _numbers_of_all(numbers: Tensor, largest: float) -> Tensor:
    """Return the sample numbers of a buffer, of which some is not written yet (-1), going by what is.

    Samples change along one axis at most. Where they are in the order of the batch it is that axis, whatever
    has been written so far; otherwise it is one along which no two samples share a place.

    Raises
    ------
    Error
        If there is none.
    """
    along_an_axis = None
    for axis in range(numbers.dim()):
        others = [a for a in range(numbers.dim()) if a != axis]
        highest = numbers.amax(others, keepdim=True) if others else numbers
        if bool(((numbers != highest) & (numbers >= 0)).any()):
            continue
        shape = [-1 if a == axis else 1 for a in range(numbers.dim())]
        order = torch.arange(numbers.shape[axis], dtype=numbers.dtype, device=numbers.device).view(shape)
        if bool(((highest < 0) | (highest == order)).all()):
            return order.clamp(max=largest)
        along_an_axis = highest.clamp(min=0)
    if along_an_axis is None:
        raise Error(
            f"samples stand along several axes of a buffer of shape {tuple(numbers.shape)}, so "
            "the books cannot say whose its constants are; fill it whole, or explain without a ledger"
        )
    return along_an_axis
