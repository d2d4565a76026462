import json

import h5py
import numpy as np
import pytest

from rnnxai.archive.format import EXPLANATION, FIELDS, PROVENANCE
from rnnxai.archive.layout import Layout, stored_rows
from rnnxai.archive.read import AttributionArchive
from rnnxai.archive.reductions import column_sums
from rnnxai.archive.write import AttributionWriter
from rnnxai.errors import Error


def naive_sums(relevance, parts, positive):
    """Pixel by pixel, as one would with pencil and paper."""
    width = relevance.shape[3] // parts
    sums = np.zeros((len(relevance), parts))
    for (n, _, _, x), value in np.ndenumerate(relevance.astype(np.float64)):
        sums[n, x // width] += max(value, 0) if positive else value
    return sums


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(("name", "parts"), [("step", 6), ("block", 3)])
def test_reductions_equal_naive_loops(archive, name, parts, positive):
    with AttributionArchive(archive.path) as read:
        found = read[f"relevance_{name}" + "_positive" * positive][:]
    np.testing.assert_allclose(found, naive_sums(archive.relevance, parts, positive), rtol=0, atol=1e-12)


def test_sums_are_taken_before_maps_are_rounded(tmp_path, write, rows):
    maps = np.full((20, 1, 4, 12), 1 + 2.0**-30)  # rounds to 1 in float32
    path = write(tmp_path / "a.h5", changes={"relevance": maps}).path
    with AttributionArchive(path) as read:
        assert (read["relevance_sum"][:] == 48 * (1 + 2.0**-30)).all()
        assert (read.map(0) == 1).all()


def test_conservation_error_is_relative_to_the_absolute_sum(archive):
    scale = np.abs(archive.relevance.astype(np.float64)).sum(axis=(1, 2, 3))
    with AttributionArchive(archive.path) as read:
        np.testing.assert_allclose(read["conservation_error"][:], 0.5 / scale, rtol=1e-9)
        assert read.attributes["conservation_max_error"] == read["conservation_error"][:].max()
        assert read.attributes["conservation_expected"] == 1


def test_what_was_kept_on_the_way_belongs_to_the_books(tmp_path, write, rows):
    sums = rows["relevance"].astype(np.float64).sum(axis=(1, 2, 3))
    kept = {"bias": np.arange(20.0), "initial_state": np.full(20, -3.0)}
    changes = {"kept": kept, "start": sums + kept["bias"] - 3}
    with AttributionArchive(write(tmp_path / "a.h5", changes=changes).path) as read:
        assert read["conservation_error"][:].max() < 1e-12
        assert (read["starting_relevance"][:] == changes["start"]).all()
        assert (read["kept_by_biases"][:] == kept["bias"]).all()
        assert (read["left_in_initial_states"][:] == -3).all()
        assert not (read["dropped"][:].any() or read["absorbed_by_stabilisers"][:].any())


@pytest.mark.parametrize(("start", "error"), [(0.0, 0.0), (2.0, 1.0)])
def test_conservation_error_of_an_empty_map(tmp_path, write, start, error):
    empty = {"relevance": np.zeros((20, 1, 4, 12)), "start": np.full(20, start)}
    with AttributionArchive(write(tmp_path / "a.h5", changes=empty).path) as read:
        assert (read["conservation_error"][:] == error).all()


@pytest.mark.parametrize("layout", [{}, {"maps": np.array([3, 19])}, {"blocks": None}])
def test_equal_content_gives_equal_bytes_whatever_the_batches(tmp_path, write, layout):
    files = [write(tmp_path / f"{batch}.h5", batch, **layout).path for batch in (1, 7, 7, 20)]
    assert len({path.read_bytes() for path in files}) == 1


def test_optional_arrays_are_there_exactly_when_they_apply(tmp_path, write):
    path = write(tmp_path / "a.h5", blocks=None, conserves=False).path
    with AttributionArchive(path) as read, h5py.File(path) as file:
        expected = {f.name for f in FIELDS if not f.only_with}
        assert set(file) == expected | {"attribution"} | {"sample", "channel", "y", "x", "step", "class"}
        assert "conservation_max_error" not in read.attributes
        assert read.attributes["conservation_expected"] == 0


def test_dimensions_filters_and_root_attributes(archive):
    with h5py.File(archive.path) as file:
        assert list(file.attrs["axes"]) == ["sample", "channel", "y", "x"]
        assert file.attrs["NX_class"] == "NXdata"
        assert file.attrs["signal"] == "attribution"
        assert list(file.attrs)[-1] == "complete"
        assert {*PROVENANCE, *EXPLANATION} <= set(file.attrs)
        assert json.loads(file.attrs["config_json"]) == {"a": None, "b": [1, 2]}
        for field in FIELDS:
            array = file[field.name]
            assert [axis.label or axis[0].name.strip("/") for axis in array.dims] == list(field.dims)
            assert (array.compression, array.shuffle, array.fletcher32) == ("gzip", True, True)
        assert file["attribution"].chunks == (16, 1, 4, 12)
        assert file["map_stored"].attrs["flag_meanings"] == "not_stored stored"
        assert list(file["x"][:]) == list(range(12))


def test_maps_of_a_subset_only(tmp_path, write):
    rows = stored_rows(20, 3, seed=1)
    made = write(tmp_path / "a.h5", maps=rows)
    with AttributionArchive(made.path) as read:
        assert list(np.flatnonzero(read["map_stored"][:])) == list(rows)
        np.testing.assert_array_equal(read.map(rows[0]), made.relevance[rows[0]])
        other = min(set(range(20)) - set(rows))
        assert np.isnan(read["attribution"][other]).all()
        with pytest.raises(Error, match=f"sample {other} is not kept"):
            read.map(other)
        assert read["relevance_sum"][other] == pytest.approx(made.relevance[other].sum(), abs=1e-5)


def test_maps_that_are_not_kept_cost_nothing(tmp_path, write):
    whole, none = write(tmp_path / "a.h5"), write(tmp_path / "b.h5", maps=np.array([], dtype=int))
    with h5py.File(none.path) as file:
        assert file["attribution"].id.get_storage_size() == 0
    assert none.path.stat().st_size < whole.path.stat().st_size


@pytest.mark.parametrize(("maps", "count"), [("all", 50), (0, 0), (10, 10), (99, 50)])
def test_stored_rows_are_sorted_distinct_and_of_the_asked_number(maps, count):
    rows = stored_rows(50, maps, seed=3)
    assert len(rows) == count
    assert list(rows) == sorted(set(rows.tolist()))


def test_stored_rows_depend_on_the_seed_and_grow_by_adding():
    assert list(stored_rows(50, 10, 3)) == list(stored_rows(50, 10, 3)) != list(stored_rows(50, 10, 4))
    assert set(stored_rows(50, 10, 3)) < set(stored_rows(50, 20, 3))


@pytest.mark.parametrize("seed", range(20))
def test_a_viewer_that_opens_on_the_first_row_has_a_map_to_show(seed):
    assert stored_rows(50, 1, seed).tolist() == [0]
    assert stored_rows(50, 5, seed)[0] == 0
    assert stored_rows(50, 0, seed).size == 0


@pytest.mark.parametrize("maps", [-1, "some", True, 2.5])
def test_stored_rows_refuse_other_requests(maps):
    with pytest.raises(Error, match="maps is"):
        stored_rows(50, maps, 0)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"steps": 5}, "12 columns do not divide into 5 equal steps"),
        ({"blocks": 7}, "12 columns do not divide into 7 equal blocks"),
        ({"samples": 0}, "samples is 0"),
        ({"maps": np.array([20])}, "rows are 0..19"),
        ({"maps": np.array([-1])}, "rows are 0..19"),
    ],
)
def test_layout_refuses_what_cannot_be(sizes, message):
    base = {"samples": 20, "channels": 1, "height": 4, "width": 12, "steps": 6, "blocks": 3, "classes": 5}
    with pytest.raises(Error, match=message):
        Layout(**{**base, **sizes})


def spoiled(rows, name, value):
    array = np.array(rows[name], dtype=np.float64 if isinstance(value, float) else None)
    array[13] = value
    return {name: array}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("relevance", np.nan, "relevance of row 13 is not finite"),
        ("relevance", 1e300, "relevance of row 13 is not finite in float32"),
        ("prediction", np.inf, "prediction of row 13 is not finite"),
        ("explained_score", np.nan, "explained_score of row 13"),
        ("label", 5, r"label spans \d..5; it must lie in 0..4"),
        ("label", -1, "label spans -1"),
        ("label", 1.0, "must be whole numbers"),
        ("index", -2, "index spans -2"),
        ("start", np.inf, "starting_relevance of row 13 is not finite"),
    ],
)
def test_bad_numbers_leave_no_file(tmp_path, write, rows, name, value, message):
    with pytest.raises(Error, match=message):
        write(tmp_path / "a.h5", changes=spoiled(rows, name, value))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"relevance": np.zeros((20, 4, 12))},
            r"relevance has shape \(7, 4, 12\); it must be \(n, 1, 4, 12\)",
        ),
        (
            {"prediction": np.zeros((20, 4))},
            r"prediction has shape \(7, 4\); for these rows it must be \(7, 5\)",
        ),
        ({"index": np.arange(20) // 2}, "index 0 occurs twice"),
        ({"start": None}, "start is missing"),
        ({"start": np.zeros((20, 1))}, r"start has shape \(7, 1\)"),
    ],
)
def test_bad_shapes_leave_no_file(tmp_path, write, changes, message):
    with pytest.raises(Error, match=message):
        write(tmp_path / "a.h5", changes=changes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("samples", "message"), [(21, "20 rows were written"), (19, "20 rows given; the layout has 19")]
)
def test_a_wrong_number_of_rows_leaves_no_file(tmp_path, write, samples, message):
    with pytest.raises(Error, match=message):
        write(tmp_path / "a.h5", samples=samples)
    assert not list(tmp_path.iterdir())


def test_a_failure_inside_the_block_passes_through_and_keeps_the_old_file(archive, attributes):
    before = archive.path.read_bytes()
    with pytest.raises(KeyError, match="mine"), AttributionWriter(archive.path, archive.layout, attributes):
        raise KeyError("mine")
    assert archive.path.read_bytes() == before
    assert list(archive.path.parent.iterdir()) == [archive.path]


def test_missing_attributes_are_named(tmp_path, write, attributes):
    without = {k: v for k, v in attributes.items() if k not in ("seed", "fold")}
    with pytest.raises(Error, match="attributes seed, fold are missing"):
        write(tmp_path / "a.h5", attributes=without)


@pytest.mark.parametrize(("shape", "parts"), [((2, 4, 12), 3), ((2, 1, 4, 12), 5)])
def test_column_sums_refuse_what_does_not_divide(shape, parts):
    with pytest.raises(Error, match=r"maps have shape|do not divide"):
        column_sums(np.zeros(shape), parts)
