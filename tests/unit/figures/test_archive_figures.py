"""Block shares and relevance per step: both read sums of archives."""

import numpy as np
import pytest

from rnnxai.archive.read import AttributionArchive
from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.figures import block_shares, relevance_per_step
from rnnxai.figures.relevance_per_step import INK
from rnnxai.figures.save import save


def texts(figure):
    figure.draw_without_rendering()
    found = (text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))
    return " ".join(found).replace("\n", " ")


def test_shares_are_those_of_the_archive(digits_maj, explain_all):
    archives = explain_all(digits_maj)
    _, table = block_shares.draw(digits_maj, archives)
    majority = Dataset.open(digits_maj).majority
    cells = table[["architecture", "explainer"]].drop_duplicates().to_numpy().tolist()
    assert cells == [[a, e] for a in ("deep", "r-lstm") for e in ("dtd", "lrp-a1.5b0.5")]
    own = table[(table["architecture"] == "deep") & (table["explainer"] == "dtd")]
    with AttributionArchive(archives["deep", "dtd"]) as archive:
        rows = archive["index"][:200]
        blocks = archive["relevance_block_positive"][:200]
    assert own["sample"].tolist() == rows.tolist()
    shares = own[["block_1", "block_2", "block_3"]].to_numpy()
    np.testing.assert_allclose(shares, blocks / blocks.sum(axis=1, keepdims=True))
    assert (majority[rows, own["odd"] - 1] == 0).all()


def test_points_are_where_their_shares_are(digits_maj, explain):
    figure, table = block_shares.draw(digits_maj, {("deep", "dtd"): explain(digits_maj)})
    corners = np.array([[0, 0], [0.5, np.sqrt(0.75)], [1, 0]])
    drawn = [collection.get_offsets() for collection in figure.axes[0].collections]
    for odd, points in enumerate(drawn, 1):
        shares = table[table["odd"] == odd][["block_1", "block_2", "block_3"]].to_numpy()
        np.testing.assert_allclose(points, shares @ corners)
    # All relevance is on the majority here, so every point is on the side with its ring.
    first = drawn[0]
    np.testing.assert_allclose(first[:, 1], np.sqrt(3) * (1 - first[:, 0]), atol=1e-6)


def test_fewer_points(digits_maj, explain):
    _, table = block_shares.draw(digits_maj, {("deep", "dtd"): explain(digits_maj)}, points=7)
    assert len(table) == 7


def test_samples_without_relevance_have_no_point(digits_maj, explain):
    def some(maps, rows):
        return maps * (np.arange(len(maps)) % 2)[:, None, None, None]

    _, table = block_shares.draw(digits_maj, {("deep", "dtd"): explain(digits_maj, change=some)})
    assert len(table) == 100


def test_a_triangle_needs_three_blocks(digits, explain):
    with pytest.raises(Error, match="a triangle needs marks of three blocks"):
        block_shares.draw(digits, {("deep", "dtd"): explain(digits)})


def test_shares_per_step_by_hand(digits_maj, explain):
    archives = {("deep", "dtd"): explain(digits_maj, steps=12)}
    figure, table = relevance_per_step.draw(digits_maj, archives)
    dataset = Dataset.open(digits_maj)
    rows = dataset.rows(0, "test")
    assert list(table["group"].unique()) == ["\u25a0\u25a0\u25a1", "\u25a0\u25a1\u25a0", "\u25a1\u25a0\u25a0"]
    own = rows[(dataset.majority[rows] == [1, 0, 1]).all(axis=1)]
    pictures = dataset.sequences(own)[:, 0].astype(float)
    ink = pictures.reshape(len(own), 28, 12, 7).sum(axis=(1, 3))
    kept = ink * np.repeat([1, 0, 1], 4)  # all is on the majority
    group = table[table["group"] == "\u25a0\u25a1\u25a0"]
    for architecture, sums in ((INK, ink), ("deep", kept)):
        shares = (sums / sums.sum(axis=1, keepdims=True)).mean(axis=0)
        found = group[group["architecture"] == architecture]
        np.testing.assert_allclose(found["share"], shares, rtol=1e-5)
        assert set(found["n"]) == {len(own)}
    lines = {tuple(line.get_xdata()): line for line in figure.axes[1].get_lines()}
    curve = lines[tuple(range(1, 13))]
    assert curve.get_ydata().tolist() == group[group["architecture"] == "deep"]["share"].tolist()
    assert np.allclose(table.groupby(["group", "architecture"])["share"].sum(), 1)


def test_single_images_are_of_one_class(digits, explain_all):
    archives = explain_all(digits)
    figure, table = relevance_per_step.draw(digits, archives, of_class=3)
    dataset = Dataset.open(digits)
    assert set(table["group"]) == {"class 3"}
    assert set(table["n"]) == {(dataset.labels[dataset.rows(0, "test")] == 3).sum()}
    assert len(figure.axes) == 2
    assert "Filled squares" not in texts(figure)
    with pytest.raises(Error, match="no sample is of the class 10; those there are of 0, 1, 2"):
        relevance_per_step.draw(digits, archives, of_class=10)


def test_samples_without_relevance_are_counted(digits, explain):
    def nothing(maps, rows):
        return -maps

    figure, table = relevance_per_step.draw(digits, {("deep", "dtd"): explain(digits, change=nothing)})
    deep = table[table["architecture"] == "deep"]
    assert (deep["n_undefined"] == deep["n"]).all()
    assert deep["share"].isna().all()
    assert f"at most {deep['n'].iloc[0]} of a curve" in texts(figure)


@pytest.mark.parametrize("figure", [block_shares, relevance_per_step])
def test_equal_bytes_and_nothing_outside(digits_maj, explain_all, tmp_path, figure, drawn_texts):
    archives = explain_all(digits_maj)
    for stem in ("a", "b"):
        drawn, table = figure.draw(digits_maj, archives)
        save(drawn, table, tmp_path / stem)
    for ending in ("png", "svg", "pdf", "csv"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    drawn.draw_without_rendering()
    for text in drawn_texts(drawn):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= -1
            assert box.x1 <= drawn.bbox.x1 + 1
