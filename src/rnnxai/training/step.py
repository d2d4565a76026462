"""One step of all folds: on a CPU called as it is, on a GPU recorded once and replayed.

A GPU needs longer to be told of the thousand small operations of a step than to carry them out. A CUDA graph
tells it once. What a graph works on lies at fixed places in memory, so a step reads the row numbers of its
batch from one tensor and leaves its losses in another, on every device.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from rnnxai.models.classifier import Classifier
from rnnxai.training.batches import Pixels
from rnnxai.training.run import Run

REHEARSALS = 3  # in which libraries set themselves up, before a graph is recorded


class Step:
    """Makes the steps of a run.

    Parameters
    ----------
    run : Run
        As it is to go on: what it was restored from comes first.
    pixels : Pixels
        On the device of the run.
    """

    def __init__(self, run: Run, pixels: Pixels) -> None:
        self.run = run
        self.pixels = pixels
        folds = len(run.folds)
        self.rows = torch.zeros(folds, run.settings.batch_size, dtype=torch.int64, device=run.device)
        self.losses = torch.zeros(folds, device=run.device)
        self._graph = self._record() if run.device == "cuda" else None

    def __call__(self, rows: Tensor) -> Tensor:
        """Make a step with the sequences in some rows (K, N); return the losses (K,)."""
        self.rows.copy_(rows)
        if self._graph is None:
            self._make()
        else:
            self._graph.replay()
        return self.losses.clone()

    def rehearse(self) -> None:
        """Make some steps and go back to where the run was."""
        before = {name: value.clone() for name, value in self.run.state().items()}
        self.run.model.train()
        for _ in range(REHEARSALS):
            self._make()
        self.run.restore(before)
        self.run.model.zero_grad(set_to_none=True)

    def _make(self) -> None:
        self.losses.copy_(compute(self.run, *self.pixels.take(self.rows)))

    def _record(self) -> torch.cuda.CUDAGraph:
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            self.rehearse()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        for stream in self.run.streams:
            graph.register_generator_state(stream)
        with torch.cuda.graph(graph):
            self._make()
        return graph


def compute(run: Run, patches: Tensor, labels: Tensor) -> Tensor:
    """Make one step of all folds; return their losses (K,).

    The folds' losses are summed, so none sees another's gradient. One more logit, constantly 0,
    stands for "none of these" and is never right: it keeps logits from drifting, as in the thesis.
    """
    logits = _logits(run, patches)
    with_none = torch.cat([logits, torch.zeros_like(logits[..., :1])], dim=-1)
    losses = (
        cross_entropy(with_none.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape).mean(1)
    )
    run.model.zero_grad(set_to_none=True)
    losses.sum().backward()
    run.optimiser.step()
    return losses.detach()


def _logits(run: Run, patches: Tensor) -> Tensor:
    """Return logits in float32; with ``precision: bfloat16`` all before them is computed in that.

    The weights themselves, their gradients' moments and the loss stay in float32. Each weight is rounded
    once a step, which autocast does for every time step anew where a weight is read in parts.
    """
    if run.settings.precision == "float32":
        return run.model.classify(patches)
    rounded = {f"model.{name}": p.to(torch.bfloat16) for name, p in run.model.named_parameters()}
    logits: Tensor = functional_call(_Unrolled(run.model), rounded, patches.to(torch.bfloat16))
    return logits.float()


class _Unrolled(nn.Module):
    """A classifier that is called with patches."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, patches: Tensor) -> Tensor:
        """Classify patches (K, T, N, features)."""
        return self.model.classify(patches)
