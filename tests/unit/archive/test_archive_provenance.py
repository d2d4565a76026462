import hashlib
import json
import re
import shutil
import subprocess

import pytest

from rnnxai.archive import provenance as module
from rnnxai.archive.provenance import canonical_json, explanation, provenance
from rnnxai.errors import Error

JOB = {"seed": 3, "threads": 2, "device": "cpu"}


def test_inputs_are_recorded_by_hash_and_never_by_path(tmp_path):
    (tmp_path / "data.h5").write_bytes(b"abc")
    made = provenance({}, {"dataset": tmp_path / "data.h5"}, **JOB)
    assert json.loads(made["inputs_json"]) == {"dataset": hashlib.sha256(b"abc").hexdigest()}
    assert str(tmp_path) not in str(made)


def test_the_order_of_keys_does_not_matter():
    one, two = (
        provenance({"a": 1, "b": {"c": 2, "d": 3}}, {}, **JOB),
        provenance({"b": {"d": 3, "c": 2}, "a": 1}, {}, **JOB),
    )
    assert one == two
    assert one["config_sha256"] == hashlib.sha256(b'{"a":1,"b":{"c":2,"d":3}}').hexdigest()


def test_software_names_versions():
    software = json.loads(provenance({}, {}, **JOB)["software_json"])
    assert {"python", "hdf5", "numpy", "h5py", "rnnxai"} <= set(software)


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(Error, match="cannot be recorded as JSON"):
        canonical_json({"key": value})


def test_a_missing_input_is_named(tmp_path):
    with pytest.raises(Error, match=r"input 'model' at .*none.* cannot be read"):
        provenance({}, {"model": tmp_path / "none"}, **JOB)


def test_explanation_parameters_are_canonical():
    made = explanation(
        dataset="d",
        architecture="a",
        steps=4,
        fold=0,
        explainer="e",
        parameters={"b": 1, "a": 2},
        model_sha256="",
    )
    assert made["explainer_parameters_json"] == '{"a":2,"b":1}'
    assert made["attribution_strategy"] == "true_label"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A copy of the module at tmp_path/src/rnnxai/archive, for git to look at."""
    monkeypatch.setattr(module, "__file__", str(tmp_path / "src/rnnxai/archive/provenance.py"))
    monkeypatch.setattr(module, "_PACKAGE", tmp_path / "src/rnnxai")
    (tmp_path / "src/rnnxai/archive").mkdir(parents=True)
    (tmp_path / "src/rnnxai/archive/provenance.py").write_text("pass\n")
    return tmp_path


def git(folder, *arguments):
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)


def state():
    made = provenance({}, {}, **JOB)
    return made["git_commit"], int(made["git_dirty"])


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_is_that_of_the_package_itself(installed):
    assert state() == ("unknown", 0)
    git(installed, "init")
    assert state() == ("unknown", 0)  # a repository around it that does not hold it
    git(installed, "add", "src")
    git(installed, "commit", "-m", "first")
    commit, dirty = state()
    assert re.fullmatch("[0-9a-f]{40}", commit)
    assert not dirty
    (installed / "config.yaml").write_text("a: 1\n")
    assert state() == (commit, 0)
    (installed / "src/rnnxai/other.py").write_text("pass\n")
    assert state() == (commit, 1)


def test_without_git_the_commit_is_unknown(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert state() == ("unknown", 0)
