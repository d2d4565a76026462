"""A stack of folds in training."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from rnnxai.data.dataset import Fold
from rnnxai.errors import Error
from rnnxai.models.classifier import Classifier
from rnnxai.training.adam import Adam
from rnnxai.training.settings import TrainSettings
from rnnxai.training.streams import generators, shared_generator

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
    losses : list of Tensor (K,)
        What each step of the present epoch has cost.
    """

    model: Classifier
    folds: Sequence[Fold]
    settings: TrainSettings
    device: str
    history: list[list[Metrics]] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model.to(self.device)
        self.optimiser = Adam(dict(self.model.named_parameters()), self.settings.learning_rate)
        if self.settings.shared_masks:
            self.streams = [shared_generator(self.settings.seed, self.device)]
        else:
            self.streams = generators(self.settings.seed, self.folds, "dropout", device=self.device)
        self.model.draw_masks_from(self.streams)
        self._checked = 0

    @property
    def epoch(self) -> int:
        """The epoch that the next step belongs to, from 1."""
        return len(self.history) + 1

    def orders(self) -> list[torch.Generator]:
        """Return the streams that the present epoch's order comes from."""
        return generators(self.settings.seed, self.folds, "order", epoch=self.epoch)

    def state(self) -> dict[str, Tensor]:
        """Return everything that must be kept, beside the history, to go on exactly as if never stopped."""
        state = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        state |= {f"adam.{name}": value for name, value in self.optimiser.state.items()}
        state |= {f"dropout.{k}": stream.get_state() for k, stream in enumerate(self.streams)}
        state["losses"] = torch.stack(self.losses) if self.losses else torch.empty(0, len(self.folds))
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to what :meth:`state` returned."""
        self.model.load_state_dict(_under("model.", state))
        self.optimiser.restore(_under("adam.", state))
        for k, stream in enumerate(self.streams):
            stream.set_state(state[f"dropout.{k}"])
        self.losses = list(state["losses"].to(self.device))
        self._checked = len(self.losses)

    def check_losses(self) -> None:
        """Look at the losses since the last look.

        Raises
        ------
        Error
            If one is not a finite number; the first is named by epoch, batch and fold.
        """
        if len(self.losses) == self._checked:
            return
        new = torch.stack(self.losses[self._checked :]).cpu()
        broken = (~new.isfinite()).nonzero()
        if len(broken):
            batch, k = broken[0].tolist()
            raise Error(
                f"the loss of fold {self.folds[k]} became {new[batch, k].item()} in epoch {self.epoch}, "
                f"batch {self._checked + batch + 1}. No network is written. Try a lower learning rate first"
            )
        self._checked = len(self.losses)

    def check_weights(self) -> None:
        """Look at the weights: the step that spoils them has a good loss still.

        Raises
        ------
        Error
            If one is not a finite number; layer, epoch and fold are named.
        """
        for name, weight in self.model.named_parameters():
            broken = (~weight.detach().isfinite().flatten(1).all(1)).nonzero().flatten().tolist()
            if broken:
                raise Error(
                    f"{name} of fold {self.folds[broken[0]]} is not finite at the end of epoch "
                    f"{self.epoch}. No network is written. Try a lower learning rate first"
                )

    def close_epoch(self, accuracy: Sequence[float]) -> list[Metrics]:
        """Put the present epoch's mean loss and test accuracy down in the history, and return them."""
        mean_loss: list[float] = torch.stack(self.losses).cpu().double().mean(0).tolist()
        metrics = [
            {"epoch": self.epoch, "loss": loss, "test_accuracy": right}
            for loss, right in zip(mean_loss, accuracy, strict=True)
        ]
        self.history.append(metrics)
        self.losses, self._checked = [], 0
        return metrics


def _under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
