"""The load test: its study has the size it is said to have, and its figures are read rightly."""

import importlib
import sys
from pathlib import Path

import pytest

from rnnxai.config import check_config
from rnnxai.study import Study

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def load():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield importlib.import_module("load")
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("networks", [40, 400])
def test_the_study_has_five_jobs_for_each_network(load, networks):
    study = Study(check_config(load.study(networks)))
    assert len(study.cases) == len(study.stacks) == networks
    assert len(study.stacks) + 2 * len(study.groups) * len(study.cases) == 5 * networks


def test_jobs_are_counted_without_the_one_that_asks_for_all(load):
    assert load.jobs_of("job count\nall 1\ntrain 4\ntotal      5\n") == 4


def test_rounds_are_summed_up(load):
    rounds = [{"dry run": {"CPU seconds": seconds, "jobs": 7.0}} for seconds in (3.0, 1.0, 2.0)]
    found = load.summary(rounds)["dry run"]
    assert found["jobs"] == 7
    assert (found["CPU seconds"].low, found["CPU seconds"].median, found["CPU seconds"].high) == (1, 2, 3)
