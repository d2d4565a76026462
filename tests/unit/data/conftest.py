"""What the tests of the data floor share."""

import os
from pathlib import Path

import pytest

from rnnxai.data.dataset import build_dataset
from rnnxai.data.definition import DatasetDefinition


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with the real MNIST and FashionMNIST, which these tests never download."""
    root = Path(os.environ.get("RNNXAI_DATA") or Path(__file__).parents[3] / ".." / "shared" / "data")
    if not (root / "MNIST" / "raw").is_dir():
        pytest.skip("no MNIST here; name its folder in RNNXAI_DATA")
    return root


@pytest.fixture(scope="session")
def digits_maj(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set file."""
    path = tmp_path_factory.mktemp("digits") / "digits-maj.h5"
    build_dataset(DatasetDefinition("digits"), path)
    return path
