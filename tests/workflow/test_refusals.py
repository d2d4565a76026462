"""A wrong configuration is refused before any job starts, in one message."""

import copy
from pathlib import Path

import pytest
from small_study import STUDY, Project

pytestmark = pytest.mark.workflow


def test_a_wrong_configuration_starts_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path)
    study = copy.deepcopy(STUDY)
    study["train"]["epochs"] = -3
    study["experiments"]["majority"]["architectures"].append("deap")
    study["explainer"] = []
    project.configure(study)
    code, output = project.snakemake()
    assert code != 0
    assert "train.epochs: -3 is not allowed: Input should be greater than or equal to 1" in output
    assert "unknown architecture 'deap'. Did you mean 'deep'?" in output
    assert "explainer: unknown key; allowed: results, data, datasets" in output
    assert "Traceback" not in output
    assert not (tmp_path / "results").exists()


def test_a_missing_gpu_stops_the_job_with_the_reason(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    project = Project(tmp_path)
    project.configure(STUDY | {"train": STUDY["train"] | {"device": "cuda"}})
    code, output = project.snakemake("--until", "train_0")
    assert code != 0
    assert "device 'cuda' was asked for, but torch" in output
    assert not list(tmp_path.glob("results/models/**/*.safetensors"))
