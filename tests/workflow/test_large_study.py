"""Studies on a cluster that does nothing: small ones run side by side, large ones spare the controller."""

import importlib
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parents[2]
DAY = 24 * 60


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("load")
    sys.modules.pop("load")


def submissions(folder: Path) -> tuple[list[int], list[int]]:
    """Return how many jobs each bundle of trainings and each of explanations holds; a day is the limit."""
    lines = [line.split() for line in (folder / "submissions.txt").read_text().splitlines()]
    assert all(int(minutes) <= DAY for _, _, minutes in lines)
    trainings = [int(jobs) for name, jobs, _ in lines if "train" in name]
    return trainings, [int(jobs) for name, jobs, _ in lines if "train" not in name]


def test_the_controller_sees_at_most_a_tenth(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = load.measure(tmp_path / "study", 120)
    dry, run = found["dry run"], found["run of stubs"]
    assert dry["jobs"] == run["jobs"] > 5 * 120
    assert run["submissions"] <= 5 * 120 / 10
    trainings, explanations = submissions(tmp_path / "study")
    assert trainings == [5] * 24
    assert explanations == [40] * 12, "20 explanations with their scores"
    assert dry["MB"] < 1000
    assert dry["CPU seconds"] < 60


def test_few_trainings_run_side_by_side(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    load.measure(tmp_path / "study", 40)
    trainings, explanations = submissions(tmp_path / "study")
    assert trainings == [1] * 40
    assert explanations == [40] * 4
