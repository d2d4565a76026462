"""Explain one batch with several methods from one forward pass."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnxai.errors import Error
from rnnxai.explain.ledger import Ledger
from rnnxai.explain.recording import Plan, Recording
from rnnxai.explain.strategy import Strategy


@dataclass(frozen=True)
class Explanation:
    """What one method says of one batch.

    Attributes
    ----------
    relevance : Tensor (N, ...)
        The heatmaps, in the shape of the images.
    start : Tensor (N,)
        What the method set out to distribute.
    ledger : Ledger or None
        The books, for methods that conserve relevance, if they were asked for.
    """

    relevance: Tensor
    start: Tensor
    ledger: Ledger | None


def explain_batch(
    plan: Plan,
    images: Tensor,
    targets: Tensor,
    strategies: Mapping[str, Strategy],
    *,
    ledgers: bool = False,
) -> tuple[Tensor, dict[str, Explanation]]:
    """Explain the target scores of a batch with every given strategy.

    Parameters
    ----------
    plan : Plan
        The model and its layers. The model is in evaluation mode.
    images : Tensor (N, ...)
    targets : Tensor (N,)
        Index of the explained class of each sample.
    strategies : Mapping[str, Strategy]
        By any name.
    ledgers : bool
        Whether to keep the books per layer and step.

    Returns
    -------
    scores : Tensor (N, classes)
        The model's logits.
    explanations : dict of str to Explanation

    Raises
    ------
    Error
        If the model cannot be explained, or a target is no class of it.
    """
    recording = Recording(plan, images, strategies.values())
    scores = recording.scores.detach()
    _check_targets(targets, scores)
    explained = scores.gather(1, targets.unsqueeze(1)).squeeze(1)
    one_hot = torch.zeros_like(scores).scatter_(1, targets.unsqueeze(1), 1)
    explanations = {}
    for name, strategy in strategies.items():
        cotangent, start = one_hot, explained
        if strategy.start == "positive score":
            cotangent, start = one_hot * (explained > 0).unsqueeze(1), explained.clamp(min=0)
        ledger = Ledger(start.double().cpu().numpy()) if ledgers and strategy.conserves else None
        arrived = recording.walk_back(strategy, cotangent, ledger)
        if ledger is not None:
            ledger.inputs = arrived.double().flatten(1).sum(1).cpu().numpy()
        relevance = arrived.square() if strategy.squared else arrived
        explanations[name] = Explanation(relevance, start, ledger)
    return scores, explanations


def _check_targets(targets: Tensor, scores: Tensor) -> None:
    if scores.dim() != 2 or len(scores) != len(targets):
        raise Error(
            f"the model gives scores of shape {tuple(scores.shape)} for {len(targets)} targets; "
            "one network and (N, classes) would be right"
        )
    wrong = (targets < 0) | (targets >= scores.shape[1])
    if wrong.any():
        sample = int(wrong.nonzero()[0])
        raise Error(
            f"target {int(targets[sample])} of sample {sample} is no class of the model, which has "
            f"{scores.shape[1]}, from 0"
        )
