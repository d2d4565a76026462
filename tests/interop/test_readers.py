"""Archives and joins open as they are, without being converted."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
import xarray
from interop import EXPLAINERS, MAPS, program

ENGINES = ("h5netcdf", "netcdf4")


@pytest.fixture(scope="module")
def maps(study):
    with h5py.File(study.archive) as file:
        return file["attribution"][...]


def said_by(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_h5py(study, maps):
    with h5py.File(study.archive) as file:
        shown = file[file.attrs["signal"]]
        assert [axis[0].name.strip("/") for axis in shown.dims] == list(file.attrs["axes"])
        assert (file["map_stored"][:].sum(), len(maps)) == (MAPS, len(file["sample"]))


@pytest.mark.parametrize("engine", ENGINES)
def test_xarray(study, maps, engine):
    with xarray.open_dataset(study.archive, engine=engine) as archive:
        assert archive["attribution"].dims == ("sample", "channel", "y", "x")
        np.testing.assert_array_equal(archive["attribution"], maps)
        assert set(archive.sizes) == {"sample", "channel", "y", "x", "step", "block", "class"}
        assert archive.attrs["explainer"] == "dtd"
        assert archive["relevance_step"].sel(sample=7).dims == ("step",)
        total = archive["attribution"].sum(("channel", "y", "x"), skipna=False).dropna("sample")
        np.testing.assert_allclose(total, archive["relevance_sum"].sel(sample=total["sample"]), atol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_xarray_opens_a_join(study, maps, engine):
    with xarray.open_dataset(study.joined, engine=engine) as joined:
        assert joined["attribution"].dims == ("explainer", "fold", "sample", "channel", "y", "x")
        assert set(joined["explainer"].values) == set(EXPLAINERS)
        np.testing.assert_array_equal(joined["attribution"].sel(explainer="dtd", fold="0"), maps)
        last = joined["relevance_sum"].sel(fold="1").values[:, -1]
        assert np.isnan(last).all()  # the second fold has a sample less


@pytest.mark.parametrize("engine", ENGINES)
def test_xarray_opens_a_data_set(study, engine):
    with xarray.open_dataset(study.dataset, engine=engine) as dataset:
        assert dataset["image"].dims == ("source", "y", "x")
        assert (float(dataset["image"].min()), float(dataset["image"].max())) == (-1, 1)


def test_h5glance(study):
    text = said_by(sys.executable, "-m", "h5glance", str(study.archive))
    assert "attribution" in text and "899 \N{MULTIPLICATION SIGN} 1" in text


@pytest.mark.parametrize("kind", ["archive", "joined", "dataset"])
def test_h5dump(study, kind):
    text = said_by(program("h5dump"), "-A", str(getattr(study, kind)))
    assert 'ATTRIBUTE "content_sha256"' in text
    assert 'DATASET "label"' in text


@pytest.mark.parametrize("kind", ["archive", "joined"])
def test_h5dump_reads_values(study, kind):
    with h5py.File(getattr(study, kind)) as file:
        first = file["relevance_step"][(0,) * file["relevance_step"].ndim]
        ranks = file["relevance_step"].ndim
    where = ["-d", "/relevance_step", "-s", ",".join("0" * ranks), "-c", ",".join("1" * ranks), "-m", "%.9g"]
    text = said_by(program("h5dump"), *where, str(getattr(study, kind)))
    assert f": {first:.9g}" in text


@pytest.mark.parametrize(
    ("kind", "dimensions"), [("archive", "sample, channel, y, x"), ("joined", "explainer, fold")]
)
def test_ncdump(study, kind, dimensions):
    text = said_by(program("ncdump"), "-h", str(getattr(study, kind)))
    assert f"float attribution({dimensions}" in text
    assert "phony_dim" not in text
    values = said_by(program("ncdump"), "-v", "relevance_sum", str(getattr(study, kind)))
    assert "relevance_sum =" in values
