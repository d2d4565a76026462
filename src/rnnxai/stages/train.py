"""Train a stack of folds: data set file in, one network file per fold out."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rnnxai.data.dataset import Dataset, Fold
from rnnxai.files import sha256, write_text
from rnnxai.memory import keep_freed_memory
from rnnxai.models.build import build_model, own_options
from rnnxai.models.products import choose_products
from rnnxai.models.weights import save_network
from rnnxai.stages.device import choose_device
from rnnxai.training.batches import Pixels
from rnnxai.training.checkpoint import Checkpoint
from rnnxai.training.loop import Stop, never, train
from rnnxai.training.run import Run
from rnnxai.training.settings import TrainSettings
from rnnxai.training.streams import generators


def train_stack(
    dataset_path: str | Path,
    networks: Mapping[Fold, str | Path],
    metrics: Mapping[Fold, str | Path],
    checkpoint_path: str | Path,
    *,
    architecture: str,
    steps: int,
    settings: TrainSettings,
    code: str,
    sizes: Mapping[str, int] | None = None,
    checkpoint_seconds: float = 60.0,
    stop: Stop = never,
) -> None:
    """Train the folds named by `networks` together and write each one's network and metrics.

    Parameters
    ----------
    dataset_path : str or Path
    networks, metrics : Mapping
        Fold to output file: safetensors, and JSON lines with one object per epoch.
    checkpoint_path : str or Path
        Where the stack is kept meanwhile. An interrupted run goes on from there.
    architecture : str
        A name in ``rnnxai.MODELS``, or a reference ``package.module:Class``.
    steps : int
    settings : TrainSettings
    code : str
        Fingerprint of the code, part of the run's identity.
    sizes : Mapping, optional
        Layer sizes where they are not the cell's own.
    checkpoint_seconds : float
        What a run that is killed loses at most.
    stop : callable
        Asked after every step: why to stop, or None.

    Raises
    ------
    Error
        If a setting does not fit the data or the architecture, or training goes astray.
    Stopped
        If it was to stop before the end. The checkpoint is written, and no network.
    """
    torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(mode=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # 8 % of a step
    keep_freed_memory()
    device = choose_device(settings.device)
    folds = list(networks)
    dataset_sha256 = sha256(dataset_path)  # of what is read now; the file may be another one at the end
    dataset = Dataset.open(dataset_path)
    build: dict[str, Any] = {
        "name": architecture,
        "image_size": dataset.image_size,
        "steps": steps,
        "classes": len(dataset.classes),
        "initial_scale": settings.initial_scale,
        **own_options(
            architecture,
            dropout=settings.dropout,
            bias_init=settings.bias_init,
            pooling=settings.pooling,
        ),
        **(sizes or {}),
    }
    model = build_model(**build, generators=generators(settings.seed, folds, "initialisation"))
    identity = _digest(
        build=build,
        folds=folds,
        settings=settings.model_dump(exclude={"epochs"}),  # epochs only say when to stop
        dataset=dataset_sha256,
        code=code,
        torch=torch.__version__,
        device=device,
    )
    checkpoint = Checkpoint(checkpoint_path, identity, settings.epochs, checkpoint_seconds)
    products = choose_products(checkpoint.stored_choices().get("products")) if device == "cpu" else "default"
    checkpoint.choices = {"products": products}
    run = Run(model, folds, settings, device)
    train(
        run,
        Pixels.of(dataset, steps, device),
        [torch.from_numpy(dataset.rows(fold, "train")) for fold in folds],
        [torch.from_numpy(dataset.rows(fold, "test")) for fold in folds],
        checkpoint,
        stop,
    )
    for k, fold in enumerate(folds):
        history = [epoch[k] for epoch in run.history]
        about = {
            "fold": fold,
            "trained_together": folds,
            "test_accuracy": history[-1]["test_accuracy"],
            "products": products,
            "settings": settings.model_dump(),
            "dataset_sha256": dataset_sha256,
        }
        save_network(run.model, k, networks[fold], build, about)
        write_text(metrics[fold], "".join(json.dumps(line, sort_keys=True) + "\n" for line in history))


def _digest(**parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
