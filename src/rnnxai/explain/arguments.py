"""What a user hands to an explanation: checked, and said in one form."""

from collections.abc import Sequence
from math import inf, nan
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from rnnxai.errors import Error
from rnnxai.explain.channels import Bounds, Domain
from rnnxai.explain.engine.plan import Target
from rnnxai.explain.engine.signals import domain_of

Classes: TypeAlias = Tensor | Sequence[int] | int | str | None
Targets: TypeAlias = Classes | tuple[Classes, Classes]


def is_packed(inputs: Any) -> bool:
    """Tell whether inputs are a packed sequence."""
    return isinstance(inputs, PackedSequence)


def check_same(recorded: Tensor, scores: Tensor) -> None:
    """Make sure that the recording followed the model and not something like it."""
    gap = (recorded - scores).abs().max()
    if not gap <= 1e-3 * scores.abs().max() + 1e-6:
        raise Error(
            f"the recorded forward pass gives scores that are {float(gap):g} away from the model's own, so "
            "its explanation would be one of another function; does the model draw random numbers, or write "
            "in place into what it reads again?"
        )


def check_inputs(inputs: Any, model: nn.Module) -> None:
    """Make sure that inputs are finite numbers (or tokens) of the model's dtype, on its device."""
    data = inputs.data if is_packed(inputs) else inputs
    if not isinstance(data, Tensor) or data.dim() == 0 or len(data) == 0:
        found = f"shape {tuple(data.shape)}" if isinstance(data, Tensor) else f"type {type(data).__name__}"
        raise Error(f"inputs have {found}; a tensor (N, ...) with at least one sample would be right")
    weight = next(model.parameters(), data)
    tokens = data.dtype in (torch.int64, torch.int32) and any(
        isinstance(m, nn.Embedding) for m in model.modules()
    )
    if tokens and data.device == weight.device:
        return
    if not data.is_floating_point() or (data.dtype, data.device) != (weight.dtype, weight.device):
        raise Error(
            f"inputs are {data.dtype} on {data.device}; the model takes {weight.dtype} on {weight.device}"
        )
    if not data.detach().isfinite().all():
        raise Error("inputs hold values that are not finite; only numbers can be explained")


def check_bounds(inputs: Any, bounds: Bounds) -> None:
    """Make sure that bounds are a range, and that the inputs lie in it."""
    data = inputs.data if is_packed(inputs) else inputs
    try:
        low, high = (float(bound) for bound in bounds)
    except (TypeError, ValueError):
        low = high = nan
    if not low < high or low == inf or high == -inf:
        raise Error(
            f"bounds = {bounds} are not a range; two numbers, low and high, would be right, of which high "
            "may be infinite, or both"
        )
    if domain_of((low, high)) is not Domain.BOUNDED and (low, high) not in ((0, inf), (-inf, inf)):
        raise Error(f"bounds = {bounds}: with an infinite end only (0, inf) and (-inf, inf) are known")
    least, most = (float(value) for value in torch.aminmax(data.detach()))
    if not (low <= least and most <= high):
        raise Error(
            f"inputs range from {least:g} to {most:g}, outside the bounds {bounds} of the model's input"
        )


def read_target(targets: Targets, scores: Any, count: int) -> Target:
    """Return the class that is explained of each sample, and that of the contrast."""
    if not isinstance(scores, Tensor) or scores.dim() != 2 or len(scores) != count:
        found = f"shape {tuple(scores.shape)}" if isinstance(scores, Tensor) else type(scores).__name__
        raise Error(
            f"the model gives scores of {found} for {count} targets; "
            "one network and (N, classes) would be right"
        )
    if isinstance(targets, tuple) and len(targets) == 2:
        return Target(_classes(targets[0], scores), _classes(targets[1], scores))
    return Target(_classes(cast(Classes, targets), scores))


def _classes(targets: Classes, scores: Tensor) -> Tensor:
    if targets is None:
        return scores.argmax(1)
    if isinstance(targets, str):
        if targets == "predicted":
            return scores.argmax(1)
        raise Error(f"targets = {targets!r} is unknown; 'predicted' or class indices would be right")
    classes = torch.as_tensor(targets, device=scores.device)
    whole = not (classes.is_floating_point() or classes.is_complex() or classes.dtype == torch.bool)
    if whole and classes.dim() == 0:
        classes = classes.expand(len(scores))
    if classes.shape != scores.shape[:1] or not whole:
        raise Error(
            f"targets have shape {tuple(classes.shape)} and type {classes.dtype}; "
            f"one class index for each of the {len(scores)} samples would be right"
        )
    return classes.long()
