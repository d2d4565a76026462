"""One loop trains any number of folds."""

import json
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from rnnxai.data.dataset import Fold
from rnnxai.errors import Error
from rnnxai.models.classifier import Classifier
from rnnxai.training.batches import Pixels, epoch
from rnnxai.training.checkpoint import Checkpoint
from rnnxai.training.settings import TrainSettings
from rnnxai.training.streams import generators

LOG = logging.getLogger(__name__)
EVALUATED_AT_ONCE = 1000

Metrics = dict[str, Any]


@dataclass
class Run:
    """A stack of folds in training: all that a step changes, and nothing else.

    Attributes
    ----------
    model : Classifier
        A stack of K networks.
    folds : sequence of int or "quality"
        Which fold each network of the stack is.
    settings : TrainSettings
    device : str
        Where the stack is trained.
    history : list of list of dict
        Metrics of each epoch so far, one entry per fold.
    """

    model: Classifier
    folds: Sequence[Fold]
    settings: TrainSettings
    device: str
    history: list[list[Metrics]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model.to(self.device)
        self.optimiser = torch.optim.Adam(
            self.model.parameters(), lr=self.settings.learning_rate, eps=1e-8, fused=True
        )
        self.orders = generators(self.settings.seed, self.folds, "order")
        self.masks = generators(self.settings.seed, self.folds, "dropout", self.device)
        self.model.draw_masks_from(self.masks)

    def state(self) -> dict[str, Tensor]:
        """Return everything that must be kept to go on exactly as if never stopped."""
        state = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            state |= {f"adam.{index}.{name}": value for name, value in moments.items()}
        for purpose, streams in (("order", self.orders), ("dropout", self.masks)):
            state |= {f"{purpose}.{k}": stream.get_state() for k, stream in enumerate(streams)}
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to what :meth:`state` returned."""
        self.model.load_state_dict(_under("model.", state))
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in _under("adam.", state).items():
            index, _, name = key.partition(".")
            moments.setdefault(int(index), {})[name] = value
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": moments})
        for purpose, streams in (("order", self.orders), ("dropout", self.masks)):
            for k, stream in enumerate(streams):
                stream.set_state(state[f"{purpose}.{k}"])


def train(
    run: Run,
    pixels: Pixels,
    train_rows: Sequence[Tensor],
    test_rows: Sequence[Tensor],
    checkpoint: Checkpoint,
) -> None:
    """Train every fold of a run to its last epoch, from its checkpoint if there is one.

    Parameters
    ----------
    run : Run
    pixels : Pixels
        All sequences of the data set.
    train_rows, test_rows : sequence of int64 Tensor
        Row numbers of each fold's training and test set.
    checkpoint : Checkpoint
        Saved after every epoch.

    Raises
    ------
    Error
        If the loss stops being a finite number; epoch, batch and fold are named.
    """
    saved = checkpoint.load()
    if saved is not None:
        state, run.history = saved
        run.restore(state)
        LOG.info("going on after epoch %d of %d", len(run.history), run.settings.epochs)
    batches = min(len(rows) for rows in train_rows) // run.settings.batch_size
    first = len(run.history)
    with tqdm(
        total=batches * run.settings.epochs,
        initial=batches * first,
        disable=not sys.stderr.isatty(),
        unit="batch",
    ) as bar:
        for number in range(first + 1, run.settings.epochs + 1):
            started = time.perf_counter()
            losses = []
            run.model.train()
            for rows in epoch(train_rows, run.settings.batch_size, run.orders):
                losses.append(_step(run, *pixels.take(rows.to(run.device))))
                bar.update()
            mean_loss = _mean_finite(torch.stack(losses).cpu(), number, run.folds)
            accuracy = _accuracy(run.model, pixels, test_rows)
            run.history.append(
                [
                    {"epoch": number, "loss": loss, "test_accuracy": right}
                    for loss, right in zip(mean_loss, accuracy, strict=True)
                ]
            )
            checkpoint.save(run.state(), run.history)
            seconds = time.perf_counter() - started
            for fold, metrics in zip(run.folds, run.history[-1], strict=True):
                LOG.info("%s", json.dumps({"fold": fold, **metrics, "seconds": round(seconds, 2)}))


def _step(run: Run, patches: Tensor, labels: Tensor) -> Tensor:
    """Make one step of all folds; return their losses (K,).

    The folds' losses are summed, so none sees another's gradient. One more logit, constantly 0,
    stands for "none of these" and is never right: it keeps logits from drifting, as in the thesis.
    """
    logits = run.model.classify(patches)
    with_none = torch.cat([logits, torch.zeros_like(logits[..., :1])], dim=-1)
    losses = (
        cross_entropy(with_none.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape).mean(1)
    )
    run.optimiser.zero_grad(set_to_none=True)
    losses.sum().backward()
    run.optimiser.step()
    return losses.detach()


def _mean_finite(losses: Tensor, number: int, folds: Sequence[Fold]) -> list[float]:
    """Average losses (batches, K) over an epoch, or name the first that is not finite."""
    broken = (~losses.isfinite()).nonzero()
    if len(broken):
        batch, k = broken[0].tolist()
        raise Error(
            f"the loss of fold {folds[k]} became {losses[batch, k].item()} in epoch {number}, "
            f"batch {batch + 1}; nothing of this epoch is kept. Try a lower learning rate first"
        )
    means: list[float] = losses.double().mean(0).tolist()
    return means


@torch.no_grad()
def _accuracy(model: Classifier, pixels: Pixels, test_rows: Sequence[Tensor]) -> list[float]:
    """Measure the share of each fold's test set that the fold's network gets right."""
    model.eval()
    sizes = torch.tensor([len(rows) for rows in test_rows])
    stack = pad_sequence(list(test_rows), batch_first=True)
    counted = (torch.arange(stack.shape[1]) < sizes.unsqueeze(1)).to(pixels.labels.device)
    right = torch.zeros(len(test_rows), dtype=torch.int64, device=pixels.labels.device)
    for rows, real in zip(
        stack.to(right.device).split(EVALUATED_AT_ONCE, 1), counted.split(EVALUATED_AT_ONCE, 1), strict=True
    ):
        patches, labels = pixels.take(rows)
        right += ((model.classify(patches).argmax(-1) == labels) & real).sum(1)
    shares: list[float] = (right.cpu() / sizes.double()).tolist()
    return shares


def _under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
