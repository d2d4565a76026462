"""Rounded maps: within the bound, smaller, and no score notices."""

import h5py
import numpy as np
import pytest

from rnnxai.archive.read import AttributionArchive
from rnnxai.archive.rounding import largest_error, rounded
from rnnxai.errors import Error

ODD = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-40, 3.4028235e38, -3.4028235e38], dtype="f4")


def by_hand(value, bits):
    """Round with Python's own integers: the nearest multiple of the last kept bit, ties to even."""
    if value == 0:
        return 0.0
    mantissa, exponent = np.frexp(np.float64(value))
    scale = 2.0 ** (bits + 1)
    return float(np.ldexp(round(float(mantissa) * scale) / scale, int(exponent)))


@pytest.mark.parametrize("bits", [1, 7, 10, 22])
def test_numbers_are_rounded_to_the_nearest(rng, bits):
    values = (rng.normal(size=2000) * 10.0 ** rng.integers(-30, 30, 2000)).astype(np.float32)
    ties = np.float32(1 + 2.0 ** -(bits + 1)) * np.array([1, -1], dtype="f4")
    for value, found in zip([*values, *ties], rounded(np.array([*values, *ties]), bits), strict=True):
        assert found == by_hand(value, bits)
        assert abs(np.float64(found) - np.float64(value)) <= largest_error(bits) * abs(np.float64(value))


def test_what_cannot_be_rounded_within_the_bound_stays():
    np.testing.assert_array_equal(rounded(ODD, 3).view("u4"), ODD.view("u4"))


@pytest.mark.parametrize("bits", [0, 23, -1, 1.0, True, "10"])
def test_other_numbers_of_bits_are_refused(tmp_path, write, bits):
    with pytest.raises(Error, match="from 1 to 22"):
        rounded(ODD, bits)
    with pytest.raises(Error, match="from 1 to 22"):
        write(tmp_path / "a.h5", keep_bits=bits)


def test_an_archive_records_that_it_is_rounded(tmp_path, write):
    exact, coarse = write(tmp_path / "a.h5"), write(tmp_path / "b.h5", keep_bits=10)
    with AttributionArchive(exact.path) as a, AttributionArchive(coarse.path) as b:
        np.testing.assert_array_equal(b["attribution"][:], rounded(a["attribution"][:], 10))
        for field in a.layout.fields:
            np.testing.assert_array_equal(a[field.name][:], b[field.name][:])
    with h5py.File(coarse.path) as file:
        attributes = dict(file["attribution"].attrs)
        assert attributes["_QuantizeBitRoundNumberOfSignificantBits"] == 10
        assert attributes["maximum_relative_error"] == 2.0**-11
        assert file["attribution"].id.get_storage_size() < 0.65 * exact.relevance.nbytes
    with h5py.File(exact.path) as file:
        assert "maximum_relative_error" not in file["attribution"].attrs
