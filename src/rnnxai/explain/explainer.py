"""Explain one batch with several methods, all that can from one forward pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite

import numpy as np
import torch
from torch import Tensor

from rnnxai.errors import Error
from rnnxai.explain.engine.inputs import Inputs
from rnnxai.explain.engine.plan import Plan, Target
from rnnxai.explain.engine.recording import Recording, in_classes
from rnnxai.explain.engine.samples import per_sample
from rnnxai.explain.ledger import Ledger
from rnnxai.explain.strategy import Noise, Occlusion, StraightPath, Strategy


@dataclass(frozen=True)
class Explanation:
    """What one method says of one batch.

    Attributes
    ----------
    relevance : Tensor (N, ...)
        The heatmaps, in the shape of the inputs; (N, T) for tokens.
    start : Tensor (N,)
        What the method set out to distribute.
    ledger : Ledger or None
        The books, for methods that conserve relevance, if they were asked for.
    """

    relevance: Tensor
    start: Tensor
    ledger: Ledger | None = None


def explain_batch(
    plan: Plan,
    inputs: Tensor | Inputs,
    targets: Tensor | Target,
    strategies: Mapping[str, Strategy],
    *,
    ledgers: bool = False,
) -> tuple[Tensor, dict[str, Explanation]]:
    """Explain the target scores of a batch with every given strategy.

    Parameters
    ----------
    plan : Plan
        The model and its layers. The model is in evaluation mode.
    inputs : Tensor (N, ...) or Inputs
    targets : Tensor (N,) or Target
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
    inputs = Inputs(inputs) if isinstance(inputs, Tensor) else inputs
    target = Target(targets) if isinstance(targets, Tensor) else targets
    batch = Batch(plan, inputs, target, ledgers=ledgers, strategies=list(strategies.values()))
    explanations = {name: batch.explain(strategy) for name, strategy in strategies.items()}
    return batch.scores, explanations


class Batch:
    """One batch and the class that is explained of each sample.

    Parameters
    ----------
    plan : Plan
    inputs : Inputs
    target : Target
    ledgers : bool
    strategies : sequence of Strategy
        All that will be asked for, if that is known and nothing else will be.
    """

    def __init__(
        self,
        plan: Plan,
        inputs: Inputs,
        target: Target,
        *,
        ledgers: bool = False,
        strategies: Sequence[Strategy] = (),
    ) -> None:
        self.plan = plan
        self.inputs = inputs
        self.target = target
        self.ledgers = ledgers
        self.strategies = strategies

    @cached_property
    def recording(self) -> Recording:
        """The forward pass, which all methods share."""
        recording = Recording(self.plan, self.inputs, keeps_books=self.ledgers, strategies=self.strategies)
        for classes in self.target:
            if classes is not None:
                _check_targets(classes, recording.scores)
        return recording

    @property
    def scores(self) -> Tensor:
        """The model's scores, (N, classes)."""
        return self.recording.scores.detach()

    @cached_property
    def sides(self) -> list[tuple[Tensor, int]]:
        """The explained class as a mask (N, classes) and its sign, and that of the contrast."""
        sides = [(self.target.of, 1)] + ([] if self.target.less is None else [(self.target.less, -1)])
        zeros = torch.zeros_like(self.scores)
        return [(zeros.scatter(1, classes.unsqueeze(1), 1), sign) for classes, sign in sides]

    def start(self, strategy: Strategy) -> Tensor:
        """Return what a strategy sets out to distribute, (N, classes)."""
        scores = self.scores.clamp(min=0) if strategy.start == "positive score" else self.scores
        return sum((mask * scores * sign for mask, sign in self.sides), torch.zeros_like(scores))

    def begin(self, strategy: Strategy) -> Tensor:
        """Return what the way back begins with, (N, classes): relevance, or the gradient at the scores."""
        if strategy.rule is not None:
            return self.start(strategy)
        return sum((mask * sign for mask, sign in self.sides), torch.zeros_like(self.scores))

    def explain(self, strategy: Strategy) -> Explanation:
        """Explain with one strategy."""
        total = self.start(strategy).sum(1)
        match strategy.sampling:
            case StraightPath() as path:
                return Explanation(self._along(path, strategy), total)
            case Noise() as noise:
                return Explanation(self._in_noise(noise, strategy), total)
            case Occlusion() as occlusion:
                return Explanation(self._occluded(occlusion), total)
        keeps = self.ledgers and strategy.conserves
        ledger = Ledger(total.double().cpu().numpy()) if keeps else None
        arrived = self.recording.walk_back(strategy, self.begin(strategy), ledger)
        relevance = self._heatmap(strategy, arrived)
        if ledger is not None:
            ledger.inputs = self._sums(relevance)
        return Explanation(relevance, total, ledger)

    def _heatmap(self, strategy: Strategy, arrived: Sequence[Tensor]) -> Tensor:
        leaves = self.recording.leaves
        maps = [heatmap(strategy, leaf, values) for leaf, values in zip(leaves, arrived, strict=True)]
        if leaves[0] is self.recording.leaf:
            return maps[0]
        tokens = self.recording.leaf
        found = maps[0].new_zeros(tokens.numel())
        for embedded, places in zip(maps, self.recording.places, strict=True):
            found.index_add_(0, places.flatten(), embedded.sum(-1).flatten())
        return found.view(tokens.shape)

    def _sums(self, relevance: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        numbers = self.inputs.numbers(self.recording.leaf)
        return per_sample(relevance, numbers, len(self.inputs)).cpu().numpy()

    def _gradient(self, strategy: Strategy, data: Tensor) -> Tensor:
        """Return the gradient of the explained score elsewhere than at the inputs themselves."""
        elsewhere = replace(self.inputs, values=self.inputs.like(data))
        recording = Recording(self.plan, elsewhere)
        return recording.walk_back(strategy, self.begin(strategy))[0]

    def _along(self, path: StraightPath, strategy: Strategy) -> Tensor:
        x = self._floating("integrated gradients")
        way = x - (self._low if path.baseline is None else path.baseline)
        nodes, weights = np.polynomial.legendre.leggauss(path.points)
        total = torch.zeros_like(x)
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            total += weight * self._gradient(strategy, x - (1 - node) * way)
        return total * way

    def _in_noise(self, noise: Noise, strategy: Strategy) -> Tensor:
        x = self._floating("SmoothGrad")
        generator = torch.Generator().manual_seed(noise.seed)
        total = torch.zeros_like(x)
        for _ in range(noise.samples):
            drawn = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)
            total += self._gradient(strategy, x + noise.scale * self._range * drawn)
        return total / noise.samples

    @torch.no_grad()
    def _occluded(self, occlusion: Occlusion) -> Tensor:
        x = self._floating("occlusion")
        steps = occlusion.steps or getattr(self.plan.model, "steps", None)
        axis = occlusion.axis
        if type(axis) is not int:
            raise Error(f"axis = {axis!r} is no axis; a whole number would be right")
        if steps is None or not -x.dim() <= axis < x.dim() or axis % x.dim() == 0 or x.shape[axis] % steps:
            raise Error(
                f"occlusion cannot cut inputs of shape {tuple(x.shape)} into steps = {steps} along axis = "
                f"{axis}; an axis other than the batch's and a number that divides its size would be right"
            )
        width = x.shape[axis] // steps
        value = self._low if occlusion.value is None else occlusion.value
        before = self._explained(self.inputs.run(self.plan.model, x.clone()))
        fall = torch.zeros_like(x)
        for step in range(steps):
            without = x.clone()
            without.narrow(axis, step * width, width).fill_(value)
            after = self._explained(self.inputs.run(self.plan.model, without))
            blotted = fall.narrow(axis, step * width, width)
            blotted += ((before - after) / blotted[0].numel()).view(-1, *[1] * (x.dim() - 1))
        return fall

    def _explained(self, scores: Tensor) -> Tensor:
        scores = in_classes(scores)
        return sum(
            (sign * (mask * scores).sum(1) for mask, sign in self.sides), scores.new_zeros(len(scores))
        )

    def _floating(self, method: str) -> Tensor:
        data = self.inputs.data
        if not data.is_floating_point() or not isinstance(self.inputs.values, Tensor):
            packed = "" if isinstance(self.inputs.values, Tensor) else ", packed"
            raise Error(
                f"{method} needs inputs between which there are others, a floating point tensor (N, ...), "
                f"but these are {data.dtype}{packed}"
            )
        return data.detach()

    @property
    def _low(self) -> float:
        low = self.plan.bounds[0] if self.plan.bounds else 0.0
        return low if isfinite(low) else 0.0

    @property
    def _range(self) -> Tensor | float:
        if self.plan.bounds and isfinite(self.plan.bounds[1] - self.plan.bounds[0]):
            return self.plan.bounds[1] - self.plan.bounds[0]
        flat = self.inputs.data.flatten(1)
        span: Tensor = flat.amax(1) - flat.amin(1)
        return span.view(-1, *[1] * (self.inputs.data.dim() - 1))


def heatmap(strategy: Strategy, values: Tensor, arrived: Tensor) -> Tensor:
    """Return what a strategy makes of what arrived at some values."""
    match strategy.heatmap:
        case "squared":
            return arrived.square()
        case "times input":
            return arrived * values.detach()
        case _:
            return arrived


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
