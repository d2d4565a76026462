"""The public function."""

from math import isfinite, nan
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn

from rnnxai.errors import Error
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.ledger import Ledger
from rnnxai.explain.recording import Bounds, Plan
from rnnxai.explain.strategy import make_strategy


@overload
def explain(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    method: str = ...,
    *,
    bounds: Bounds | None = ...,
    return_ledger: Literal[False] = ...,
    **options: Any,
) -> Tensor: ...


@overload
def explain(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    method: str = ...,
    *,
    bounds: Bounds | None = ...,
    return_ledger: Literal[True],
    **options: Any,
) -> tuple[Tensor, Ledger]: ...


def explain(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    method: str = "dtd",
    *,
    bounds: Bounds | None = None,
    return_ledger: bool = False,
    **options: Any,
) -> Tensor | tuple[Tensor, Ledger]:
    """Explain which pixels a model's decision rests on.

    Parameters
    ----------
    model : Module
        It is explained in evaluation mode, and left as it was found.
    images : Tensor (N, 1, H, W)
        Inputs of the model, of its dtype and on its device.
    targets : Tensor (N,)
        Index of the class whose score is explained, for each sample.
    method : str
        A name in ``rnnxai.METHODS``.
    bounds : tuple of float, optional
        Range of the pixels. Models of the zoo carry their own, (-1, 1).
    return_ledger : bool
        Whether to return the books as well. Gradient methods keep none.
    **options
        Options of the method.

    Returns
    -------
    relevance : Tensor (N, 1, H, W)
    ledger : Ledger
        Only if `return_ledger` is true.

    Raises
    ------
    Error
        If the method is unknown or cannot explain this model, or if inputs do not fit it.

    Examples
    --------
    >>> relevance, ledger = explain(model, images, targets, "dtd", return_ledger=True)  # doctest: +SKIP
    >>> abs(ledger.residual).max()  # doctest: +SKIP
    """
    strategy = make_strategy(method, options)
    if return_ledger and not strategy.conserves:
        raise Error(f"method {method!r} does not conserve relevance, so it keeps no ledger")
    bounds = bounds if bounds is not None else getattr(model, "bounds", None)
    _check_images(images, model)
    if bounds is not None:
        _check_bounds(images, bounds)
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        targets = _checked_targets(targets, images)
        plan = Plan(model, bounds)
        _, explanations = explain_batch(plan, images, targets, {method: strategy}, ledgers=return_ledger)
    finally:
        for module, mode in training.items():
            module.training = mode
    explanation = explanations[method]
    if explanation.ledger is not None:
        return explanation.relevance, explanation.ledger
    return explanation.relevance


def _check_images(images: Tensor, model: nn.Module) -> None:
    if not isinstance(images, Tensor) or images.dim() == 0 or len(images) == 0:
        found = (
            f"shape {tuple(images.shape)}" if isinstance(images, Tensor) else f"type {type(images).__name__}"
        )
        raise Error(f"images have {found}; a tensor (N, ...) with at least one image would be right")
    weight = next(model.parameters(), images)
    if not images.is_floating_point() or (images.dtype, images.device) != (weight.dtype, weight.device):
        raise Error(
            f"images are {images.dtype} on {images.device}; the model takes {weight.dtype} on {weight.device}"
        )


def _check_bounds(images: Tensor, bounds: Bounds) -> None:
    try:
        low, high = (float(bound) for bound in bounds)
    except (TypeError, ValueError):
        low = high = nan
    if not (isfinite(low) and isfinite(high) and low < high):
        raise Error(f"bounds = {bounds} are not a range; two finite numbers, low and high, would be right")
    least, most = (float(value) for value in torch.aminmax(images.detach()))
    if not (low <= least and most <= high):
        raise Error(
            f"images range from {least:g} to {most:g}, outside the bounds {bounds} of the model's input"
        )


def _checked_targets(targets: Tensor, images: Tensor) -> Tensor:
    targets = torch.as_tensor(targets, device=images.device)
    whole = not (targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool)
    if targets.shape != images.shape[:1] or not whole:
        raise Error(
            f"targets have shape {tuple(targets.shape)} and type {targets.dtype}; "
            f"one class index for each of the {len(images)} images would be right"
        )
    return targets.long()
