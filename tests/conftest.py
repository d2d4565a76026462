"""What all tests share."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

REPOSITORY = Path(__file__).resolve().parents[1]

torch.set_num_threads(1)


@pytest.fixture
def rng():
    """Return a NumPy generator with a fixed seed."""
    return np.random.default_rng(0)


@pytest.fixture
def torch_rng():
    """Return a torch generator with a fixed seed."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def data_root():
    """Return the folder that holds MNIST and FashionMNIST as torchvision lays them out."""
    folder = Path(os.environ.get("RNNXAI_DATA") or REPOSITORY.parent / "shared" / "data")
    missing = [name for name in ("MNIST", "FashionMNIST") if not (folder / name / "raw").is_dir()]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not found in {folder}; set RNNXAI_DATA to their folder")
    return folder
