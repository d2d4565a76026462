"""A small study on a cluster that does nothing: bundles are as large as they are asked to be."""

import importlib
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parents[2]
NETWORKS = 40


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("load")
    sys.modules.pop("load")


def test_the_controller_sees_at_most_a_tenth(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = load.measure(tmp_path / "study", NETWORKS)
    dry, run = found["dry run"], found["run of stubs"]
    assert dry["jobs"] == run["jobs"] > 5 * NETWORKS
    submitted = [int(line) for line in (tmp_path / "study" / "submissions.txt").read_text().split()]
    assert sum(submitted) == 5 * NETWORKS
    assert run["submissions"] == len(submitted) <= 5 * NETWORKS / 10
    assert max(submitted) == 40, "20 explanations with their scores"
    assert dry["MB"] < 1000
    assert dry["CPU seconds"] < 60
