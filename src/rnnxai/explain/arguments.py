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
from rnnxai.explain.engine.recording import in_classes
from rnnxai.explain.engine.signals import domain_of

Classes: TypeAlias = Tensor | Sequence[int] | int | str | None
Targets: TypeAlias = Classes | tuple[Classes, Classes]


def is_packed(inputs: Any) -> bool:
    """Tell whether inputs are a packed sequence."""
    return isinstance(inputs, PackedSequence)


TOLERANCES = {torch.float64: 1e-8, torch.float32: 1e-4}
"""How far scores may be apart that were computed in another order, relative to the largest."""
_TF32 = 1e-3  # of products that a GPU rounds to 10 bits
_HALF = 5e-2


def check_same(recorded: Tensor, scores: Tensor) -> None:
    """Make sure that the recording followed the model and not something like it."""
    tolerance = TOLERANCES.get(scores.dtype, _HALF)
    if scores.is_cuda and scores.dtype == torch.float32:
        tolerance = _TF32
    gap = (recorded - scores).abs().max()
    if not gap <= tolerance * scores.abs().max().clamp(min=tolerance):
        raise Error(
            f"the recorded forward pass gives scores that are {float(gap):g} away from the model's own, so "
            "its explanation would be one of another function; does the model draw random numbers, or write "
            "in place into what it reads again?"
        )


def arguments_of(given: Any) -> tuple[Any, ...]:
    """Return further arguments of a model as a tuple."""
    if not isinstance(given, tuple | list):
        raise Error(
            f"forward_args is of type {type(given).__name__}; a tuple of the model's further arguments would "
            "be right, (lengths,) for a single one"
        )
    return tuple(given)


def check_inputs(inputs: Any, model: Any) -> None:
    """Make sure that inputs are finite numbers (or tokens) of the model's dtype, on its device."""
    if not isinstance(model, nn.Module):
        raise Error(f"the model is of type {type(model).__name__}; a torch.nn.Module would be right")
    data = inputs.data if is_packed(inputs) else inputs
    if not isinstance(data, Tensor) or data.dim() == 0 or len(data) == 0:
        found = f"shape {tuple(data.shape)}" if isinstance(data, Tensor) else f"type {type(data).__name__}"
        raise Error(f"inputs have {found}; a tensor (N, ...) with at least one sample would be right")
    weight = next(model.parameters(), data)
    embeds = any(isinstance(module, nn.Embedding) for module in model.modules())
    if data.dtype in (torch.int64, torch.int32) and embeds and data.device == weight.device:
        return
    if not data.is_floating_point() or (data.dtype, data.device) != (weight.dtype, weight.device):
        raise Error(
            f"inputs are {data.dtype} on {data.device}; the model takes {weight.dtype} on {weight.device}"
        )
    if not data.detach().isfinite().all():
        raise Error("inputs hold values that are not finite; only numbers can be explained")


def check_bounds(inputs: Any, bounds: Any) -> Bounds:
    """Return bounds as numbers, which are a range in which the inputs lie."""
    data = inputs.data if is_packed(inputs) else inputs
    try:
        if any(isinstance(bound, str) for bound in bounds):
            raise ValueError
        low, high = (float(bound) for bound in bounds)
    except (TypeError, ValueError):
        low = high = nan
    if not low < high:
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
    return low, high


def read_target(targets: Targets, scores: Any, count: int) -> tuple[Target, Tensor]:
    """Return the class that is explained of each sample, with that of a contrast, and the scores."""
    if not isinstance(scores, Tensor):
        raise Error(
            f"the model returns {type(scores).__name__}; a tensor of scores (N, classes) would be right, so "
            "wrap it in a module that picks them"
        )
    scores = in_classes(scores)
    if scores.dim() != 2 or len(scores) != count:
        raise Error(
            f"the model gives scores of shape {tuple(scores.shape)} for {count} targets; "
            "one network and (N, classes) would be right"
        )
    if isinstance(targets, tuple) and len(targets) == 2:
        return Target(_classes(targets[0], scores), _classes(targets[1], scores)), scores
    return Target(_classes(cast(Classes, targets), scores)), scores


def _classes(targets: Classes, scores: Tensor) -> Tensor:
    if targets is None:
        return scores.argmax(1)
    if isinstance(targets, str):
        if targets == "predicted":
            return scores.argmax(1)
        raise Error(f"targets = {targets!r} is unknown; 'predicted' or class indices would be right")
    try:
        classes = torch.as_tensor(targets, device=scores.device)
    except (TypeError, ValueError, RuntimeError):
        raise Error(f"targets = {targets!r}; class indices, one for each sample, would be right") from None
    whole = not (classes.is_floating_point() or classes.is_complex() or classes.dtype == torch.bool)
    if whole and classes.dim() == 0:
        classes = classes.expand(len(scores))
    if classes.shape != scores.shape[:1] or not whole:
        raise Error(
            f"targets have shape {tuple(classes.shape)} and type {classes.dtype}; "
            f"one class index for each of the {len(scores)} samples would be right"
        )
    return classes.long()
