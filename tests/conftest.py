"""What all tests share."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from reliability import Record

REPOSITORY = Path(__file__).resolve().parents[1]

torch.set_num_threads(1)


def pytest_addoption(parser):
    """Let ``make reliability`` ask for its page."""
    parser.addoption("--write-reliability", action="store_true", help="write docs/reliability.md")


@pytest.fixture(scope="session")
def reliability(request):
    """Return where tests of faults note what became of them."""
    record = Record(request.config.cache)
    yield record
    if request.config.getoption("--write-reliability"):
        record.write()


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
    """Return the folder that holds MNIST and FashionMNIST as torchvision lays them out; no test fetches them.

    That is the folder named in RNNXAI_DATA. Without it, `data` in the repository, or else a folder beside it.
    """
    named = os.environ.get("RNNXAI_DATA")
    folders = [Path(named)] if named else [REPOSITORY / "data", REPOSITORY.parent / "shared" / "data"]
    for folder in folders:
        if all((folder / name / "raw").is_dir() for name in ("MNIST", "FashionMNIST")):
            return folder
    places = " or ".join(map(str, folders))
    pytest.skip(f"MNIST and FashionMNIST are not in {places}; set RNNXAI_DATA to their folder")
