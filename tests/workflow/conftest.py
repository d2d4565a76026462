"""One small study that has run to its end, for all tests here."""

import pytest
from small_study import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose study has run to the end. Tests leave it as they found it."""
    project = Project(tmp_path_factory.mktemp("study"))
    project.run()
    return project
