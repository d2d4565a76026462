"""Small networks trained on sequences of handwritten digits, explained in float32 and in float64.

The float64 network is the float32 one with its weights cast, and the images are cast as well, so all that
differs is the arithmetic.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor, nn

import rnnxai
from rnnxai.data.digits import digits
from rnnxai.data.majority import majority_sequences
from rnnxai.errors import Error
from rnnxai.explain import explainer
from rnnxai.explain.engine.inputs import Inputs
from rnnxai.explain.engine.plan import Plan, Target
from rnnxai.explain.engine.recording import Recording
from rnnxai.explain.explainer import Batch
from rnnxai.explain.relevance import EPSILON
from rnnxai.explain.strategy import Strategy, make_strategy
from rnnxai.models.pixels import to_input

Options = dict[str, Any]

STEPS = 12
SAMPLES = 2000
AT_ONCE = 1000
CONDITIONED = 400
BOUND = 1e-5
EPOCHS = 8
BATCH = 50
LEARNING_RATE = 2e-3

# Sizes are a quarter of the thesis'.
DEEP = {"encoder": 64, "hidden": 32, "recurrent": 64, "decoder": 16}
ZOO: dict[str, dict[str, int]] = {
    "shallow": {"hidden": 64, "recurrent": 64},
    "deep": DEEP,
    "r-lstm": {"encoder": 64, "cells": 24},
}
LINEAR = ("output", "gates")  # layers of these that no ReLU follows
RECURRENT = {"nn.LSTM": nn.LSTM, "nn.GRU": nn.GRU}
GATED = ["r-lstm", *RECURRENT]
NETWORKS = [*ZOO, "nn.Conv2d", *RECURRENT]

# For which samples a method keeps the bound, see docs/precision.md. CALM: all. NEARLY: all but one in five
# hundred. FLIPS: those in which no ReLU flipped. SOFT_FLIPS: those in which no unit's share z / (z + epsilon)
# changed. NOTHING: the map itself has poles, and nothing is promised.
Case = tuple[str, str, Options]
CALM, NEARLY, FLIPS, SOFT_FLIPS, NOTHING = "calm", "nearly", "flips", "soft flips", "nothing"
PROPAGATION: dict[str, Case] = {
    "dtd": (CALM, "dtd", {}),
    "lrp-zplus": (CALM, "lrp-zplus", {}),
    "lrp-a1.5b0.5": (CALM, "lrp-a1.5b0.5", {}),
    "lrp-a2b1": (NEARLY, "lrp-a2b1", {}),
    "lrp-gamma": (NEARLY, "lrp-gamma", {}),
    "lrp-gamma, gates abs": (CALM, "lrp-gamma", {"gates": "abs"}),
    "lrp-w2": (CALM, "lrp-w2", {}),
    "lrp-flat": (CALM, "lrp-flat", {}),
    "lrp-0": (FLIPS, "lrp-0", {}),
    "lrp-eps": (SOFT_FLIPS, "lrp-eps", {}),
    "lrp-eps, epsilon 0.1": (NEARLY, "lrp-eps", {"epsilon": 0.1}),
    "lrp-eps-plus": (SOFT_FLIPS, "lrp-eps-plus", {}),
    "lrp-eps-a2b1": (SOFT_FLIPS, "lrp-eps-a2b1", {}),
    "lrp-eps-gamma-box": (SOFT_FLIPS, "lrp-eps-gamma-box", {}),
    "lrp-eps-plus-flat": (NOTHING, "lrp-eps-plus-flat", {}),
    "lrp-0, gates half": (NOTHING, "lrp-0", {"gates": "half"}),
    "lrp-0, gates prop": (NOTHING, "lrp-0", {"gates": "prop"}),
    "lrp-0, gates abs": (NOTHING, "lrp-0", {"gates": "abs"}),
}
GRADIENT: dict[str, Case] = {
    "sa": (FLIPS, "sa", {}),
    "gb": (FLIPS, "gb", {}),
    "taylor": (FLIPS, "taylor", {}),
    "integrated-gradients": (FLIPS, "integrated-gradients", {"points": 2}),
    "smoothgrad": (FLIPS, "smoothgrad", {"samples": 2}),
    "occlusion": (CALM, "occlusion", {"steps": STEPS}),
}
CONVOLUTIONAL = ["lrp-eps-plus", "lrp-eps-a2b1"]
METHODS = {**PROPAGATION, **GRADIENT}


class Columns(nn.Module):
    """A recurrent module that reads an image in T column patches, and a linear layer that reads its end."""

    bounds = (-1.0, 1.0)
    steps = STEPS

    def __init__(self, module: type[nn.LSTM | nn.GRU]) -> None:
        super().__init__()
        self.module = module(28 * 84 // STEPS, 32, batch_first=True)
        self.head = nn.Linear(32, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Classify images (N, 1, 28, 84)."""
        patches = images.unflatten(-1, (STEPS, -1)).permute(0, 3, 1, 2, 4).flatten(2)
        hidden, _ = self.module(patches)
        return self.head(hidden[:, -1])


class Convolutions(nn.Sequential):
    """Two convolutions with a pooling between them, and a linear layer."""

    bounds = (-1.0, 1.0)

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 6, 5, stride=3),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(6, 8, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(8 * 2 * 11, 10),
        )


class Sequences(NamedTuple):
    """Images (N, 1, 28, 84) and their labels."""

    images: Tensor
    labels: Tensor


@cache
def sequences() -> tuple[Sequences, Sequences]:
    """Return sequences to train with, and 2,000 others that are made of images nobody has seen."""
    source = digits()
    count = source.train_count
    parts = []
    for rows, repeats, seed in ((slice(count), 1, 0), (slice(count, None), 7, 1)):
        made = majority_sequences(source.images[rows], source.labels[rows], seed, repeats=repeats)
        parts.append(Sequences(to_input(torch.from_numpy(made.images)), torch.from_numpy(made.labels).long()))
    train, test = parts
    return train, Sequences(test.images[:SAMPLES], test.labels[:SAMPLES])


@cache
def trained(name: str) -> nn.Module:
    """Train a network of NETWORKS, in float32."""
    train, _ = sequences()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name in ZOO:
            model: nn.Module = rnnxai.build_model(name, image_size=(28, 84), steps=STEPS, **ZOO[name])
        else:
            model = Columns(RECURRENT[name]) if name in RECURRENT else Convolutions()
        optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(train.labels)).split(BATCH):
                scores = model(train.images[rows])
                with_none = nn.functional.pad(scores, (0, 1))  # as in the package's own training loop
                loss = nn.functional.cross_entropy(with_none, train.labels[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return model.eval()


def accuracy(name: str) -> float:
    """Return the share of the 2,000 that a network gets right."""
    _, test = sequences()
    model = trained(name)
    with torch.no_grad():
        return float((model(test.images).argmax(1) == test.labels).float().mean())


def pairs(name: str, at_once: int = AT_ONCE) -> Iterator[tuple[Batch, Batch]]:
    """Yield the 2,000 in batches, in float32 and in float64; the class that float64 predicts is explained."""
    model = trained(name)
    exact = deepcopy(model).double()
    for images in sequences()[1].images.split(at_once):
        with torch.no_grad():
            target = Target(exact(images.double()).argmax(1))
        yield (
            Batch(Plan(model, model.bounds), Inputs(images), target),
            Batch(Plan(exact, exact.bounds), Inputs(images.double()), target),
        )


class Unit(NamedTuple):
    """A unit at a step, its weighted sum in float32 and float64, and how far a share of it changed."""

    layer: str
    step: int
    index: tuple[int, ...]
    single: float
    double: float
    change: float


class Errors(NamedTuple):
    """Of each sample max|R32 - R64| / max|R64|, and |z32 - z64| / |z64| of the score it starts from."""

    of_map: Tensor
    of_start: Tensor


def errors(pair: tuple[Batch, Batch], strategy: Strategy) -> Errors:
    """Compare the maps of a batch.

    Raises
    ------
    Error
        If the method is not defined for the network.
    """
    single, double = (batch.explain(strategy) for batch in pair)
    return Errors(
        _relative(single.relevance.double().flatten(1), double.relevance.flatten(1)),
        _relative(single.start.double()[:, None], double.start[:, None]),
    )


class Measured(NamedTuple):
    """Errors by method, and of every sample above the bound the unit that is to blame."""

    errors: dict[str, Errors]
    culprits: dict[str, list[tuple[float, Unit]]]


@cache
def measured(name: str) -> Measured:
    """Explain the 2,000 with every method that is defined for a network."""
    found: dict[str, list[Errors]] = {}
    culprits: dict[str, list[tuple[float, Unit]]] = {}
    for pair in pairs(name):
        for case, (promise, method, options) in METHODS.items():
            if ("gates" in options and name not in GATED) or (case in CONVOLUTIONAL and name != "nn.Conv2d"):
                continue  # the same as without
            strategy = make_strategy(method, options)
            try:
                batch = errors(pair, strategy)
            except Error:
                continue
            found.setdefault(case, []).append(batch)
            change = {FLIPS: flip, SOFT_FLIPS: stabilised(EPSILON)}.get(promise)
            above = (batch.of_map > BOUND).nonzero()[:, 0].tolist()
            if change is None or not above:
                continue
            passed = weighted_sums(pair, strategy)
            culprits.setdefault(case, []).extend(
                (float(batch.of_map[sample]), most_changed(passed, sample, change)) for sample in above
            )
    return Measured(
        {case: Errors(*map(torch.cat, zip(*each, strict=True))) for case, each in found.items()}, culprits
    )


def rounded(name: str, seed: int) -> nn.Module:
    """Return the float64 network with every weight moved by about as much as float32 rounds it."""
    model = deepcopy(trained(name)).double()
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            noise = torch.randn(weight.shape, generator=rng, dtype=torch.float64)
            weight.mul_(1 + torch.finfo(torch.float32).eps / 2 * noise)
    return model


def ratios(name: str) -> dict[str, Tensor]:
    """Return e of some samples over what two such moves of the weights do to the exact map.

    By method, of those that miss the bound for other reasons than a ReLU that flipped.
    """
    single, double = next(pairs(name, CONDITIONED))
    moved = [
        Batch(Plan(model, model.bounds), double.inputs, double.target)
        for model in (rounded(name, seed) for seed in range(2))
    ]
    found = {}
    for case in measured(name).errors:
        promise, method, options = METHODS[case]
        if promise in (NEARLY, SOFT_FLIPS, NOTHING):
            strategy = make_strategy(method, options)
            by_rounding = torch.stack([errors((batch, double), strategy).of_map for batch in moved]).amax(0)
            found[case] = errors((single, double), strategy).of_map / by_rounding
    return found


def _relative(found: Tensor, right: Tensor) -> Tensor:
    return (found - right).abs().amax(1) / right.abs().amax(1).clamp(min=torch.finfo(torch.float64).tiny)


# What the two weighted sums of the same units have to do with each other: how far a share of them changed.
Change = Callable[[str, Tensor, Tensor], Tensor]


def flip(layer: str, single: Tensor, double: Tensor) -> Tensor:
    """Return 1 for a ReLU that is open in one precision and shut in the other, else 0."""
    return ((single > 0) != (double > 0)).double() * (layer.rpartition(".")[2] not in LINEAR)


def stabilised(epsilon: float) -> Change:
    """Return the change of z / (z + epsilon sign(z)), the part of a unit's relevance that it hands down."""
    return lambda layer, single, double: (
        single / (single.abs() + epsilon) - double / (double.abs() + epsilon)
    ).abs()


Sums = list[tuple[str, int, Tensor, Tensor]]


def weighted_sums(pair: tuple[Batch, Batch], strategy: Strategy) -> Sums:
    """Return layers, steps and weighted sums (N, ...) of both precisions, in all passes of a method."""
    both = [[item for recording in passes(batch, strategy) for item in sums(recording)] for batch in pair]
    return [(layer, step, z32, z64) for (layer, step, z32), (_, _, z64) in zip(*both, strict=True)]


def most_changed(passed: Sums, sample: int, change: Change) -> Unit:
    """Return the unit of a sample of which a share changes most."""
    worst = Unit("", 0, (), 0.0, 0.0, -1.0)
    for layer, step, z32, z64 in passed:
        single, double = z32[sample].double(), z64[sample]
        changes = change(layer, single, double)
        if float(changes.max()) > worst.change:
            at = tuple(int(i) for i in torch.unravel_index(changes.argmax(), changes.shape))
            worst = Unit(layer, step, at, float(single[at]), float(double[at]), float(changes[at]))
    return worst


def passes(batch: Batch, strategy: Strategy) -> list[Recording]:
    """Return the forward passes that a method walks back through."""
    made: list[Recording] = []

    class Kept(Recording):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    with patch.object(explainer, "Recording", Kept):
        batch.explain(strategy)
    return made or [batch.recording]


def sums(recording: Recording) -> Iterator[tuple[str, int, Tensor]]:
    """Yield what every layer and sum of signals computed, (N, ...) at each step, and its name and step."""
    seen, waiting = set(), [recording.scores.grad_fn]
    while waiting:
        node: Any = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if type(node).__name__ == "ApplyBackward":
            (z,) = node.saved_tensors
            place = node.place
            every = enumerate(z) if place.all_steps else [(place.step, z)]
            yield from ((place.name, step, of_step) for step, of_step in every)
        waiting += [before for before, _ in node.next_functions]
