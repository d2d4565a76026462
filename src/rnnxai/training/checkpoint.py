"""Checkpoints of a stack in training."""

import json
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rnnxai.files import replacing

LOG = logging.getLogger(__name__)


class Checkpoint:
    """One file that holds a stack between two steps.

    Parameters
    ----------
    path : str or Path
        The safetensors file. It is replaced as a whole at every save.
    identity : str
        A digest of all that the course of training depends on. A checkpoint of another identity is
        not gone on from.
    epochs : int
        The last epoch of the run. A checkpoint from beyond its end is not gone on from.
    seconds : float
        How long after a save the next one is due: what a killed job loses at most.

    Attributes
    ----------
    choices : dict
        What the run chose by the machine it began on. A checkpoint is not gone on from with others.
    """

    def __init__(self, path: str | Path, identity: str, epochs: int, seconds: float = 60.0) -> None:
        self.choices: dict[str, Any] = {}
        self.path = Path(path)
        self.identity = identity
        self.epochs = epochs
        self.seconds = seconds
        self._saved = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self.seconds

    def save(self, state: dict[str, Tensor], history: list[Any]) -> None:
        """Replace the checkpoint."""
        # One metadata key: safetensors writes several in an order that changes from process to process.
        about = {"identity": self.identity, "choices": self.choices, "history": history}
        text = json.dumps(about, sort_keys=True)
        with replacing(self.path) as temporary:
            save_file({key: value.contiguous() for key, value in state.items()}, temporary, {"rnnxai": text})
        self._saved = time.monotonic()

    def stored_choices(self) -> dict[str, Any]:
        """Return the choices that this run has begun with, or none if it has not begun."""
        with suppress(SafetensorError, OSError, ValueError), safe_open(self.path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("rnnxai", "{}"))
            if isinstance(about, dict) and about.get("identity") == self.identity:
                choices: dict[str, Any] = about["choices"]
                return choices
        return {}

    def load(self) -> tuple[dict[str, Tensor], list[Any]] | None:
        """Return state and history, or None where there is nothing to go on from.

        A damaged checkpoint, and one of another run, is nothing to go on from: training starts anew, and
        ends in the same weights as without it, only later. The log says why.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                about = json.loads((file.metadata() or {}).get("rnnxai", "{}"))
                state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
        except (SafetensorError, OSError, ValueError) as error:
            LOG.warning("starting anew: checkpoint %s is damaged (%s)", self.path, error)
            return None
        if not isinstance(about, dict) or about.get("identity") != self.identity:
            LOG.warning("starting anew: checkpoint %s belongs to another run", self.path)
            return None
        if about["choices"] != self.choices:
            made, here = (json.dumps(choices) for choices in (about["choices"], self.choices))
            LOG.warning("starting anew: checkpoint %s was made with %s, here are %s", self.path, made, here)
            return None
        if len(about["history"]) + (len(state["losses"]) > 0) > self.epochs:
            LOG.warning("starting anew: checkpoint %s is past epoch %d", self.path, self.epochs)
            return None
        return state, about["history"]
