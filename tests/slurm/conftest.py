"""A Slurm of this machine, and what an undisturbed study on this machine alone comes to."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import DAEMONS, Cluster, missing_programs
from slurm_study import STUDY, Study
from small_study import Project

# "no": skip these tests although Slurm is there; "required": fail without it, as CI wants it.
WANTED = os.environ.get("RNNXAI_SLURM", "if there")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a Slurm that runs."""
    missing = missing_programs()
    if WANTED == "no":
        pytest.skip("RNNXAI_SLURM=no")
    if missing and WANTED == "required":
        pytest.fail(f"{', '.join(missing)} not found, and RNNXAI_SLURM=required")
    if missing:
        pytest.skip(f"{', '.join(missing)} not found (Debian: apt-get install slurm-wlm munge)")
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.up()
    yield cluster
    cluster.down()


@pytest.fixture(scope="session")
def undisturbed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a study that has run to its tables on this machine, without Slurm."""
    project = Project(tmp_path_factory.mktemp("undisturbed"))
    project.configure(STUDY)
    project.run("--until", "summary")
    return project


@pytest.fixture
def study(cluster: Cluster, undisturbed: Project, tmp_path: Path) -> Iterator[Callable[..., Study]]:
    """Return a maker of studies of some folds; what is left of them is ended after the test."""
    made: list[Study] = []

    def make(*folds: int) -> Study:
        made.append(Study(tmp_path, cluster, list(folds)).with_data_of(undisturbed))
        return made[-1]

    yield make
    for each in made:
        for process in each.started:
            process.kill()
            process.wait(timeout=60)
    for name in DAEMONS:
        cluster.start(name)  # a test that failed may have left it down
    cluster.mend_node("gpu1")  # or broken
    cluster.cancel_all()
