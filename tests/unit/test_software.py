import json
from importlib import metadata

import h5py
import pytest

import rnnxai
from rnnxai.archive.provenance import provenance
from rnnxai.data.dataset import build_dataset
from rnnxai.data.definition import DatasetDefinition
from rnnxai.software import software


@pytest.fixture
def not_installed(monkeypatch):
    """Let this package be on the path only, as in the jobs of the workflow."""

    from_name = metadata.Distribution.from_name

    def without(name):
        if name == "rnnxai":
            raise metadata.PackageNotFoundError(name)
        return from_name(name)

    monkeypatch.setattr(metadata.Distribution, "from_name", without)


def test_packages_that_are_not_installed_are_left_out():
    assert set(software("numpy", "no-such-package")) == {"rnnxai", "python", "hdf5", "numpy"}


def test_the_package_need_not_be_installed(not_installed, tmp_path):
    assert software()["rnnxai"] == rnnxai.__version__
    made = provenance({}, {}, seed=0, threads=1, device="cpu")
    assert json.loads(made["software_json"])["rnnxai"] == rnnxai.__version__
    build_dataset(DatasetDefinition("digits"), tmp_path / "digits.h5")
    with h5py.File(tmp_path / "digits.h5") as file:
        assert json.loads(file.attrs["software_json"])["rnnxai"] == rnnxai.__version__
