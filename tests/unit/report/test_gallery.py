"""Which samples stand for a score, and how many fit."""

from pathlib import Path

import numpy as np
import pytest
from made_study import EMPTY

from rnnxai.archive.read import AttributionArchive
from rnnxai.errors import Error
from rnnxai.report.gallery import Samples, as_json, choose, in_base64, read_samples, within
from rnnxai.report.matrix import Key
from rnnxai.report.places import Places
from rnnxai.scoring.blocks import block_cosine
from rnnxai.study import Case

DEEP = Case("digits-maj", "deep", 12, 0)
NAN = np.nan


@pytest.mark.parametrize(
    ("values", "samples", "expected"),
    [
        ([0.1, 0.9, 0.5, NAN, 0.3, 0.7], 1, ([1], [2], [0], [3])),
        ([0.1, 0.9, 0.5, NAN, 0.3, 0.7], 2, ([1, 5], [2], [0, 4], [3])),
        ([0.5, 0.5, 0.5], 1, ([0], [1], [2], [])),
        ([0.5], 3, ([0], [], [], [])),
        ([NAN, NAN], 1, ([], [], [], [0])),
        ([0.2, 0.4, 0.6, 0.8], 1, ([3], [2], [0], [])),
        ([0.2, 0.4], 0, ([], [], [], [])),
    ],
)
def test_the_choice(values, samples, expected):
    found = choose(np.array(values), np.ones(len(values), dtype=bool), samples, marked=True)
    assert tuple(found.values()) == expected
    assert list(found) == ["best", "median", "worst", "undefined"]


def test_only_kept_maps_are_chosen():
    kept = np.array([False, True, True, True, False])
    found = choose(np.array([0.9, 0.5, 0.4, 0.3, NAN]), kept, 1, marked=True)
    assert found == {"best": [1], "median": [2], "worst": [3], "undefined": []}


def test_without_marks_there_is_nothing_undefined():
    found = choose(np.array([3.0, 1.0, 2.0]), np.ones(3, dtype=bool), 1, marked=False)
    assert found == {"highest": [0], "median": [2], "lowest": [1]}


@pytest.fixture
def places(finished):
    return Places(Path(finished.config.results))


@pytest.fixture
def of(places):
    return Samples(places.dataset("digits-maj"))


def test_samples_are_as_the_archive_has_them(places, of):
    path = places.archive(DEEP, "dtd")
    shown = list(read_samples(path, of, 2))
    with AttributionArchive(path) as archive:
        index, stored = archive["index"][:], archive["map_stored"][:].astype(bool)
        maps = np.stack([archive.map(i) for i in np.flatnonzero(stored)])
        steps = archive["relevance_step"][:]
    cosines = block_cosine(maps, of.dataset.majority[index[stored]])
    best = next(sample for sample in shown if (sample.kind, sample.rank) == ("best", 0))
    assert best.about["v"] == pytest.approx(np.nanmax(cosines), abs=1e-4)
    assert best.row == index[stored][np.nanargmax(cosines)]
    own = steps[np.flatnonzero(index == best.row)[0]]
    assert best.about["s"] == list(np.round(own / own.max() * 1000).astype(int))
    undefined = [sample for sample in shown if sample.kind == "undefined"]
    assert 1 <= len(undefined) <= EMPTY
    assert undefined[0].about["v"] is None and undefined[0].about["m"] == 0
    assert set(undefined[0].about["s"]) == {0}
    entry = of.entry(best.row)
    assert entry["label"] == of.dataset.labels[best.row]
    assert sum(entry["marks"]) == 2


def test_an_archive_of_other_data_is_refused(places):
    columns = Samples(places.dataset("digits"))
    with pytest.raises(Error, match="made from another data set file"):
        list(read_samples(places.archive(DEEP, "sa"), columns, 1))


def test_turns_are_served_in_order_and_the_room_is_kept(places, of):
    cells = {
        Key(DEEP, explainer): list(read_samples(places.archive(DEEP, explainer), of, 3))
        for explainer in ("sa", "dtd")
    }
    every = within(cells, 10**9, {"digits-maj": of})
    assert every.cells == {key: sorted(shown, key=lambda s: s.rank) for key, shown in cells.items()}
    assert set(every.samples) == {("digits-maj", s.row) for shown in cells.values() for s in shown}
    sizes = []
    for room in (0, 10_000, 20_000, 40_000):
        kept = within(cells, room, {"digits-maj": of})
        text = as_json([sample.entry for shown in kept.cells.values() for sample in shown])
        sizes.append(len(text) + len(as_json({str(row): e for (_, row), e in kept.samples.items()})))
        assert sizes[-1] <= room + 4
        ranks = [{s.rank for s in kept.cells[key]} for key in cells]
        assert ranks[0] >= ranks[1]
        assert kept.count == sum(map(len, kept.cells.values()))
    assert sizes == sorted(sizes) and sizes[0] == 4 and sizes[-1] > sizes[1]


def test_json_may_stand_in_html():
    assert as_json({"a": "</script>"}) == '{"a":"\\u003c/script>"}'
    assert in_base64(b"abc") == "YWJj"
