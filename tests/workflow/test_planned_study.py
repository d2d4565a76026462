"""The plan agrees with Snakemake's own dry run."""

import copy
import json

import pytest
from small_study import STUDY, Project

from rnnxai.cli.codes import BAD_INPUT
from rnnxai.cli.main import main

pytestmark = pytest.mark.workflow


@pytest.fixture
def plan(finished: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function that plans the finished study; it stays as it was."""
    monkeypatch.chdir(finished.folder)
    monkeypatch.setenv("PYTHONPATH", str(finished.folder / "src"))
    options = ["--profile", "profiles/local", "--configfile", "study.yaml"]

    def plan(*words: str) -> tuple[int, str]:
        code = main(["plan", *options, *words, "--", "--replace-workflow-config"])
        said = capsys.readouterr()
        return code, said.out or said.err

    with finished.unchanged():
        yield plan


def outputs(said: str) -> set[str]:
    return {path.removeprefix("results/") for job in json.loads(said)["jobs"] for path in job["outputs"]}


def test_a_finished_study_has_nothing_to_do(plan) -> None:
    code, said = plan()
    assert code == 0
    assert "Nothing has to run: results is up to date." in said
    _, said = plan("--json")
    total = json.loads(said)["total"]
    assert total["to_run"] == 0
    assert total["jobs"] == total["done"] > 10


def test_what_would_run_is_what_snakemake_says(plan, finished: Project) -> None:
    finished.result("archives/digits-maj/r-lstm/t3/fold-0/sa.attribution.h5").unlink()
    study = copy.deepcopy(STUDY)
    study["train"] |= {"learning_rate": 0.003}
    study["experiments"]["majority"]["architectures"] = ["shallow", "r-lstm", "deep"]
    finished.configure(study)
    _, said = plan("--json")
    planned = finished.planned()
    assert planned == outputs(said) != set()
    told = json.loads(said)
    assert told["stages"]["train"] | {"jobs": 3, "done": 0, "to_run": 3} == told["stages"]["train"]
    assert told["stages"]["dataset"]["done"] == 1
    assert told["basis"]["network"] > 0, "benchmarks of this study count"
    assert all(job["seconds"] > 0 for job in told["jobs"])


def test_a_wrong_configuration_is_one_message(plan, finished: Project) -> None:
    finished.configure(STUDY | {"explainer": [], "train": {"epochs": -3}})
    code, said = plan()
    assert code == BAD_INPUT
    assert said.startswith("rnnxai plan: the configuration cannot be used:\n  ")
    assert "train.epochs: -3 is not allowed" in said
    assert "explainer: unknown key" in said
    assert "Traceback" not in said
    assert "Error in file" not in said


def test_no_such_profile(finished: Project, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(finished.folder)
    assert main(["plan", "--profile", "profiles/nowhere"]) == BAD_INPUT
    assert "nowhere" in capsys.readouterr().err
