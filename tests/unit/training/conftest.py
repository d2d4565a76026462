"""What the tests of training share: small stacks on random pictures, and a data set of digits."""

import pytest
import torch

from rnnxai.data.dataset import build_dataset
from rnnxai.data.definition import DatasetDefinition
from rnnxai.models.build import build_model
from rnnxai.models.products import use_products
from rnnxai.training.batches import Pixels
from rnnxai.training.checkpoint import Checkpoint
from rnnxai.training.loop import never, train
from rnnxai.training.run import Run
from rnnxai.training.settings import TrainSettings
from rnnxai.training.streams import generators


@pytest.fixture(scope="module", autouse=True)
def _torch_settings():
    """Put back what a training job sets for its whole process."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    yield
    use_products("default")
    torch.utils.deterministic.fill_uninitialized_memory = fill
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory):
    """A small data set file."""
    path = tmp_path_factory.mktemp("digits") / "digits.h5"
    build_dataset(DatasetDefinition("digits", task="columns"), path)
    return path


class Case:
    """A stack of folds on 60 random pictures (3, 8), read in 4 steps, of which a third is tested."""

    def __init__(self, folder, folds=(0, 1), **changed):
        rng = torch.Generator().manual_seed(0)
        self.folder, self.folds = folder, folds
        self.settings = TrainSettings(
            **({"epochs": 4, "batch_size": 8, "learning_rate": 0.01, "dropout": 0.3, "seed": 5} | changed)
        )
        labels = torch.randint(0, 3, (60,), generator=rng)
        patches = torch.randint(0, 256, (60, 4, 6), generator=rng, dtype=torch.uint8)
        device = self.settings.device
        self.pixels = Pixels(patches.to(device), labels.to(device))
        rows = torch.arange(60)
        self.test_rows = [rows[rows % 3 == int(fold) % 3] for fold in folds]
        self.train_rows = [rows[rows % 3 != int(fold) % 3] for fold in folds]

    def run(self):
        """Return the folds before their first epoch."""
        sizes = {"encoder": 6, "hidden": 7, "recurrent": 5, "decoder": 4}
        model = build_model(
            "deep",
            image_size=(3, 8),
            steps=4,
            classes=3,
            dropout=self.settings.dropout,
            generators=generators(self.settings.seed, self.folds, "initialisation"),
            **sizes,
        )
        return Run(model, self.folds, self.settings, self.settings.device)

    def checkpoint(self, epochs=None, identity="a case", name="checkpoint", seconds=0):
        return Checkpoint(self.folder / name, identity, epochs or self.settings.epochs, seconds)

    def train(self, run, checkpoint, stop=never):
        train(run, self.pixels, self.train_rows, self.test_rows, checkpoint, stop)
        return run


@pytest.fixture
def case(tmp_path):
    """Return a function that makes a case in this test's folder."""
    return lambda *args, **changed: Case(tmp_path, *args, **changed)
