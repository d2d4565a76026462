"""What the tests of the data floor share."""

from pathlib import Path

import pytest

from rnnxai.data.dataset import build_dataset
from rnnxai.data.definition import DatasetDefinition


@pytest.fixture(scope="session")
def digits_maj(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set file."""
    path = tmp_path_factory.mktemp("digits") / "digits-maj.h5"
    build_dataset(DatasetDefinition("digits"), path)
    return path
