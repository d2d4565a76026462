"""A study that is there, and copies of it for tests that break something."""

import shutil

import pytest
from made_study import make_study

from rnnxai.config import read_config
from rnnxai.study import Study


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return a study with all its files; tests leave it as it is."""
    return make_study(tmp_path_factory.mktemp("report") / "results")


@pytest.fixture
def study(finished, tmp_path):
    """Return a copy of it."""
    folder = tmp_path / "results"
    shutil.copytree(finished.config.results, folder)
    return Study(read_config(folder / "config.yaml", {"results": str(folder)}))
