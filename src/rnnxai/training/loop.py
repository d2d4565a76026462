"""One loop trains any number of folds."""

import json
import logging
import sys
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from rnnxai.errors import Stopped
from rnnxai.models.classifier import Classifier
from rnnxai.training.batches import Pixels, shuffled
from rnnxai.training.checkpoint import Checkpoint
from rnnxai.training.run import Run
from rnnxai.training.step import Step

LOG = logging.getLogger(__name__)
EVALUATED_AT_ONCE = 200  # of each fold: more would leave the cache
CHECKED_EVERY = 50  # steps; on a GPU every look at a loss is a wait

Stop = Callable[[], str | None]


def never() -> None:
    """Say that there is no reason to stop."""


def train(
    run: Run,
    pixels: Pixels,
    train_rows: Sequence[Tensor],
    test_rows: Sequence[Tensor],
    checkpoint: Checkpoint,
    stop: Stop = never,
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
        Saved when it is due, between any two steps, and at the end.
    stop : callable
        Asked after every step: why to stop now, or None. So every attempt gets on by one step at least.

    Raises
    ------
    Error
        If a loss or a weight stops being a finite number; epoch, batch and fold are named.
    Stopped
        If it was to stop before the last epoch. The checkpoint holds the step that was made last.
    """
    saved = checkpoint.load()
    if saved is not None:
        state, run.history = saved
        run.restore(state)
        LOG.info("going on after epoch %d of %d%s", run.epoch - 1, run.settings.epochs, _batch(run))

    step = Step(run, pixels)

    def pause() -> None:
        why = stop()
        if why or checkpoint.due or len(run.losses) % CHECKED_EVERY == 0:
            run.check_losses()
        if why or checkpoint.due:
            checkpoint.save(run.state(), run.history)
        if why:
            raise Stopped(
                f"{why}: stopped after epoch {run.epoch - 1} of {run.settings.epochs}{_batch(run)}. "
                f"{checkpoint.path} holds it, and the next attempt goes on from there"
            )

    while run.epoch <= run.settings.epochs:
        started = time.perf_counter()
        order = shuffled(train_rows, run.settings.batch_size, run.orders())
        run.model.train()
        for rows in tqdm(
            order[len(run.losses) :].to(run.device),
            f"epoch {run.epoch}",
            total=len(order),
            initial=len(run.losses),
            disable=not sys.stderr.isatty(),
            unit="batch",
            leave=False,
        ):
            run.losses.append(step(rows))
            pause()
        run.check_losses()
        run.check_weights()
        metrics = run.close_epoch(_accuracy(run.model, pixels, test_rows, pause))
        seconds = time.perf_counter() - started
        for fold, line in zip(run.folds, metrics, strict=True):
            LOG.info("%s", json.dumps({"fold": fold, **line, "seconds": round(seconds, 2)}))
    checkpoint.save(run.state(), run.history)


@torch.no_grad()
def _accuracy(
    model: Classifier, pixels: Pixels, test_rows: Sequence[Tensor], pause: Callable[[], None]
) -> list[float]:
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
        pause()
    shares: list[float] = (right.cpu() / sizes.double()).tolist()
    return shares


def _batch(run: Run) -> str:
    return f" and batch {len(run.losses)}" if run.losses else ""
