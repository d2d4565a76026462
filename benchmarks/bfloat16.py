"""What bfloat16 costs in accuracy: the same folds of a majority data set trained in float32 and in bfloat16.

Weights, order and masks of a fold begin alike in both. The images are looked for in the folder that
RNNXAI_DATA names, in ``data``, or in ``shared/data`` beside the repository; without MNIST the embedded digits
are used.
"""

import os
import tempfile
from pathlib import Path
from typing import Literal

import torch
from timing import arguments, machine, show

from rnnxai.data.dataset import Dataset, build_dataset
from rnnxai.data.definition import DatasetDefinition
from rnnxai.models.build import build_model
from rnnxai.models.products import choose_products
from rnnxai.models.zoo import MODELS
from rnnxai.training.batches import Pixels
from rnnxai.training.checkpoint import Checkpoint
from rnnxai.training.loop import train
from rnnxai.training.run import Run
from rnnxai.training.settings import TrainSettings
from rnnxai.training.streams import generators

REPOSITORY = Path(__file__).resolve().parents[1]
PRECISIONS: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")


def images() -> Path | None:
    """Return the folder that has MNIST, if any."""
    places = [os.environ.get("RNNXAI_DATA"), REPOSITORY / "data", REPOSITORY.parent / "shared" / "data"]
    return next((Path(place) for place in places if place and (Path(place) / "MNIST" / "raw").is_dir()), None)


def main() -> None:
    """Train, measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--architecture", choices=list(MODELS), default="shallow")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--folds", type=int, default=1)
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    products = choose_products()
    root = images()
    source = "digits" if root is None else "mnist"
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        build_dataset(DatasetDefinition(source, task="majority", folds=7), Path(folder) / "data.h5", root)
        dataset = Dataset.open(Path(folder) / "data.h5")
        pixels = Pixels.of(dataset, 12, "cpu")
        names = list(range(wanted.folds))
        training = [torch.from_numpy(dataset.rows(fold, "train")) for fold in names]
        tested = [torch.from_numpy(dataset.rows(fold, "test")) for fold in names]
        for precision in PRECISIONS:
            settings = TrainSettings(epochs=wanted.epochs, precision=precision)
            model = build_model(
                wanted.architecture,
                image_size=dataset.image_size,
                steps=12,
                generators=generators(0, names, "initialisation"),
            )
            run = Run(model, names, settings, "cpu")
            checkpoint = Checkpoint(Path(folder) / precision, "", wanted.epochs)
            train(run, pixels, training, tested, checkpoint)
            for number, epoch in enumerate(run.history, start=1):
                right = sum(fold["test_accuracy"] for fold in epoch) / len(epoch)
                rows.setdefault(f"epoch {number}", {})[f"{precision}, %"] = 100 * right
    for row in rows.values():
        row["difference"] = row["bfloat16, %"] - row["float32, %"]
    title = f"Test accuracy of {wanted.architecture} on {source}-maj, mean of {wanted.folds} folds"
    show(title, machine() | {"products": products}, rows, wanted.json)


if __name__ == "__main__":
    main()
