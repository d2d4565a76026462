"""Chunks that are filtered here are those that HDF5's own filters read, and would have written."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

from rnnxai.archive.chunks import filtered, fletcher32, write_rows
from rnnxai.archive.format import FILTERS, TABLE_BYTES
from rnnxai.archive.layout import Layout
from rnnxai.archive.verify import verify
from rnnxai.archive.write import AttributionWriter

RANDOM = np.random.default_rng(0)
BYTES = {
    "zeros": np.zeros(10, dtype="u1"),
    "one": np.ones(1, dtype="u1"),
    "a sum of the modulus": np.full(2, 255, dtype="u1"),
    "many of them": np.full(2000, 255, dtype="u1"),
    "an even number": RANDOM.integers(0, 256, 100_000, dtype="u1"),
    "an odd number": RANDOM.integers(0, 256, 99_999, dtype="u1"),
    "more than are summed at a time": RANDOM.integers(0, 256, 2**21 + 3, dtype="u1"),
}
ARRAYS = {
    "maps": RANDOM.normal(size=(40, 1, 7, 9)).astype("f4"),
    "tables": RANDOM.normal(size=(1000, 12)),
    "codes": RANDOM.integers(0, 10, 33).astype("u2"),
    "flags": np.ones(20, dtype="u1"),
    "no whole chunk": np.arange(3, dtype="i4"),
}


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        yield file


@pytest.mark.parametrize("name", BYTES)
def test_the_checksum_is_that_of_hdf5(file, name):
    values = BYTES[name]
    array = file.create_dataset("a", data=values, chunks=values.shape, fletcher32=True)
    _, stored = array.id.read_direct_chunk((0,))
    assert fletcher32(values.tobytes()).to_bytes(4, "little") == stored[-4:]


@pytest.mark.parametrize("name", ARRAYS)
def test_what_is_written_is_read(file, name):
    values = ARRAYS[name]
    chunks = (min(16, len(values)), *values.shape[1:])
    array = file.create_dataset("a", values.shape, values.dtype, chunks=chunks, **FILTERS)
    write_rows(array, 0, values[:16])
    if len(values) > 16:
        write_rows(array, 16, values[16:])
    file.flush()
    np.testing.assert_array_equal(array[...], values)
    with h5py.File(file.filename, "r") as again:
        np.testing.assert_array_equal(again["a"][...], values)
    for number in range(array.id.get_num_chunks()):
        chunk = array.id.get_chunk_info(number)
        assert chunk.filter_mask == 0
        _, stored = array.id.read_direct_chunk(chunk.chunk_offset)
        assert fletcher32(stored[:-4]).to_bytes(4, "little") == stored[-4:]


def test_heatmaps_take_the_room_that_they_take_in_hdf5(file):
    y, x = np.mgrid[:28, :84]
    blobs = np.exp(-((y - 14) ** 2 + (x - RANDOM.uniform(0, 84, (16, 1, 1, 1))) ** 2) / 40)
    maps = (blobs * RANDOM.normal(size=blobs.shape) * (blobs > 1e-3)).astype("f4")
    array = file.create_dataset("a", data=maps, chunks=maps.shape, **FILTERS)
    assert len(filtered(maps)) < 1.02 * array.id.get_storage_size() < 0.6 * maps.nbytes


def archive(path, samples, attributes):
    """Write an archive of small maps, so that tables are most of it."""
    layout = Layout(samples, 1, 2, 12, steps=12, classes=10, blocks=3, conserves=True)
    random = np.random.default_rng(1)
    maps = random.normal(size=(samples, 1, 2, 12)).astype("f4")
    with AttributionWriter(path, layout, attributes) as writer:
        writer.append(
            relevance=maps,
            prediction=random.normal(size=(samples, 10)),
            label=random.integers(0, 10, samples),
            index=np.arange(samples),
            explained_score=random.normal(size=samples),
            start=maps.sum((1, 2, 3), dtype="f8"),
        )
    return path


def test_no_table_has_a_large_chunk(tmp_path, attributes):
    with h5py.File(archive(tmp_path / "a.h5", 5000, attributes)) as file:
        for name, array in file.items():
            chunk = np.prod(array.chunks) * array.dtype.itemsize
            assert chunk <= TABLE_BYTES, name
            assert len(array) == array.chunks[0] or chunk > TABLE_BYTES / 2 or name == "attribution"


@pytest.mark.parametrize("rows", [1, 300, 5000])
def test_any_chunks_are_sound(tmp_path, attributes, rows):
    path = archive(tmp_path / "a.h5", 600, attributes)
    with h5py.File(path) as old, h5py.File(tmp_path / "b.h5", "w", track_order=True) as new:
        for name, value in old.attrs.items():
            new.attrs[name] = value
        for name, array in old.items():
            chunks = (min(rows, len(array)), *array.shape[1:])
            new.create_dataset(name, data=array[...], chunks=chunks, compression="gzip")
            if array.is_scale:
                new[name].make_scale(name)
        for name, array in old.items():
            for axis, dimension in zip(new[name].dims, array.dims, strict=True):
                if len(dimension) and not array.is_scale:
                    axis.attach_scale(new[dimension[0].name])
            for key, value in array.attrs.items():
                if key not in ("CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST"):
                    new[name].attrs[key] = value
    assert verify(tmp_path / "b.h5") == []


MEMORY = """
import sys
from rnnxai.archive.examine import examine
assert examine(sys.argv[1]) == []
with open("/proc/self/status") as status:
    print(*(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says how much memory was used")
def test_verifying_more_samples_takes_no_more_memory(tmp_path, attributes):
    paths = [archive(tmp_path / f"{samples}.h5", samples, attributes) for samples in (16, 10_000)]
    command = [sys.executable, "-c", MEMORY]
    peaks = [
        [int(subprocess.run([*command, path], capture_output=True, check=True).stdout) for path in paths]
        for _ in range(3)
    ]
    few, many = map(min, zip(*peaks, strict=True))  # libraries take more at one start than at another
    assert many - few < 1536, peaks  # KiB: ten chunks of 16 maps of 28 x 84 pixels
