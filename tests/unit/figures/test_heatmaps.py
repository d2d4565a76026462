import numpy as np
import pytest
from matplotlib.collections import LineCollection, PatchCollection

from rnnxai.archive.layout import stored_rows
from rnnxai.archive.read import AttributionArchive
from rnnxai.data.dataset import Dataset, build_dataset
from rnnxai.data.definition import DatasetDefinition
from rnnxai.errors import Error
from rnnxai.figures.grid import SIGNED, UNSIGNED, Grid
from rnnxai.figures.heatmaps import draw, draw_positive
from rnnxai.figures.save import DPI, save
from rnnxai.figures.style import VERMILLION
from rnnxai.scoring.blocks import block_cosine

SAMPLES = 4


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def words(figure):
    return " ".join(texts(figure)).replace("\n", " ")


def images(figure):
    """Return the pictures row by row, without the colour bars."""
    return [image for image in figure.axes[0].images if image.get_array().shape[0] > 1]


def collection(figure, kind):
    (found,) = (item for item in figure.axes[0].collections if type(item) is kind)
    return found


@pytest.fixture
def kept(digits_maj):
    """Rows of the data set that have maps."""
    rows = Dataset.open(digits_maj).rows(0, "test")
    return rows[stored_rows(len(rows), 40, seed=0)]


def test_every_cell_shows_the_map_of_its_sample(digits_maj, explain_all):
    archives = explain_all(digits_maj)
    figure, table = draw(digits_maj, archives, SAMPLES)
    shown = images(figure)
    assert len(shown) == SAMPLES * 5
    rows = table["sample"].to_numpy()[:SAMPLES]
    pictures = Dataset.open(digits_maj).sequences(rows)[:, 0]
    for image, picture in zip(shown, pictures, strict=False):
        assert (image.get_array() == picture).all()
    for image, (_, row) in zip(shown[SAMPLES:], table.iterrows(), strict=True):
        with AttributionArchive(archives[row["architecture"], row["explainer"]]) as archive:
            place = archive["index"][:].tolist().index(row["sample"])
            heatmap = archive.map(place)[0]
            assert row["relevance_sum"] == archive["relevance_sum"][place]
        assert (image.get_array() == heatmap).all()
        assert row["scale"] == np.abs(heatmap).max()
        signed = row["explainer"] != "dtd"
        assert image.get_clim() == (-row["scale"] if signed else 0, row["scale"])
        assert image.get_cmap().name == (SIGNED if signed else UNSIGNED)
        assert image.get_interpolation() == "nearest"


def test_the_table(digits_maj, explain_all):
    archives = explain_all(digits_maj)
    figure, table = draw(digits_maj, archives, SAMPLES)
    dataset = Dataset.open(digits_maj)
    cells = table[["architecture", "explainer"]].drop_duplicates().to_numpy().tolist()
    assert cells == [[a, e] for a in ("deep", "r-lstm") for e in ("dtd", "lrp-a1.5b0.5")]
    for (_, row), image in zip(table.iterrows(), images(figure)[SAMPLES:], strict=True):
        sample = row["sample"]
        assert row["label"] == row["predicted"] == dataset.classes[dataset.labels[sample]]
        assert row["majority"] == "".join(map(str, dataset.majority[sample]))
        heatmap = np.asarray(image.get_array())[None, None]
        assert row["cosine"] == pytest.approx(block_cosine(heatmap, dataset.majority[[sample]])[0])


def test_the_cosine_stands_under_each_map(digits_maj, explain):
    def half(maps, rows):
        maps[..., :28] *= 0.5
        return maps

    figure, table = draw(digits_maj, {("deep", "dtd"): explain(digits_maj, change=half)}, SAMPLES)
    assert table["cosine"].nunique() > 1
    for image, value in zip(images(figure)[SAMPLES:], table["cosine"], strict=True):
        left, right, bottom, _ = image.get_extent()
        below = [
            text.get_text()
            for text in figure.axes[0].texts
            if left < text.get_position()[0] < right and 0 < text.get_position()[1] - bottom < 0.12 * DPI
        ]
        assert below == [f"{value:.2f}".removeprefix("0")]


def test_majority_blocks_are_framed(digits_maj, explain):
    figure, table = draw(digits_maj, {("deep", "dtd"): explain(digits_maj)}, SAMPLES)
    frames = collection(figure, PatchCollection)
    corners = {(path.vertices[:, 0].min(), path.vertices[:, 1].min()) for path in frames.get_paths()}
    expected = set()
    for image, marks in zip(images(figure), [*table["majority"]] * 2, strict=True):
        left, right, _, top = image.get_extent()
        block = (right - left) / 3
        expected |= {(left + k * block, top) for k, mark in enumerate(marks) if mark == "1"}
    assert corners == expected
    assert len(collection(figure, LineCollection).get_segments()) == 2 * len(images(figure))


def test_every_pixel_is_drawn_equally_large(digits_maj, explain, tmp_path):
    figure, _ = draw(digits_maj, {("deep", "dtd"): explain(digits_maj)}, SAMPLES)
    size = figure.get_size_inches() * DPI
    assert figure.axes[0].get_xlim() == pytest.approx((0, size[0]))
    assert figure.axes[0].get_ylim() == pytest.approx((size[1], 0))
    for image in images(figure):
        left, right, bottom, top = image.get_extent()
        assert all(float(value).is_integer() for value in (left, right, bottom, top))
        assert (right - left) % 84 == (bottom - top) % 28 == 0
        assert (right - left) / 84 == (bottom - top) / 28


@pytest.mark.parametrize("samples", [1, 2, 6, 24])
def test_nothing_lies_outside_or_overlaps(digits_maj, explain, samples):
    architecture = "conv-plus-r-lstm-sd"
    path = explain(digits_maj, architecture, "lrp-a1.5b0.5", steps=84)
    figure, _ = draw(digits_maj, {(architecture, "lrp-a1.5b0.5"): path}, samples)
    figure.set_dpi(DPI)
    figure.draw_without_rendering()
    shown = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_window_extent() for text in shown]
    boxes += [image.get_window_extent() for image in figure.axes[0].images]
    assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)
    assert all(box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes)
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            width = min(one.x1, other.x1) - max(one.x0, other.x0)
            height = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert min(width, height) <= 1


def test_maps_of_zeros_are_neutral(digits_maj, explain):
    def nothing(maps, rows):
        return maps * (np.arange(len(maps)) % 2)[:, None, None, None]

    figure, table = draw(digits_maj, {("deep", "dtd"): explain(digits_maj, change=nothing)}, 8)
    empty = (table["scale"] == 0).sum()
    assert 0 < empty < 8
    assert texts(figure).count("no relevance") == empty == table["cosine"].isna().sum()
    assert texts(figure).count("\N{EN DASH}") == empty
    assert len(images(figure)) == 16 - empty


@pytest.mark.parametrize(("dip", "colours"), [(1e-9, UNSIGNED), (0.01, SIGNED)])
def test_rounding_below_zero_is_no_sign(digits_maj, explain, dip, colours):
    figure, _ = draw(
        digits_maj, {("deep", "dtd"): explain(digits_maj, change=lambda maps, rows: maps - dip)}, 2
    )
    assert {image.get_cmap().name for image in images(figure)[2:]} == {colours}


def test_an_explainer_has_one_colour_scale(digits_maj, explain):
    archives = {
        ("deep", "lrp-eps"): explain(digits_maj, "deep", "lrp-eps", change=lambda maps, rows: maps - 0.1),
        ("r-lstm", "lrp-eps"): explain(digits_maj, "r-lstm", "lrp-eps"),
    }
    figure, _ = draw(digits_maj, archives, 2)
    assert {image.get_cmap().name for image in images(figure)[2:]} == {SIGNED}


def test_column_sequences_have_no_frames_and_no_cosine(digits, explain):
    figure, table = draw(digits, {("deep", "dtd"): explain(digits)}, SAMPLES)
    assert not collection(figure, PatchCollection).get_paths()
    assert not collection(figure, LineCollection).get_segments()
    assert table[["majority", "cosine"]].isna().all(axis=None)
    assert "osine" not in words(figure)
    assert images(figure)[0].get_array().shape == (28, 28)


def test_a_wrong_prediction_is_named_beside_its_architecture(digits_maj, explain, kept):
    archives = {
        ("deep", "dtd"): explain(digits_maj, "deep", kept=4, wrong=kept),
        ("r-lstm", "dtd"): explain(digits_maj, "r-lstm", kept=4),
    }
    figure, table = draw(digits_maj, archives, SAMPLES)
    named = [t.get_text() for t in figure.axes[0].texts if t.get_color() == VERMILLION]
    deep = table[table["architecture"] == "deep"]
    assert named == [f"\N{BALLOT X} {name}" for name in deep["predicted"]]
    assert (deep["predicted"] != deep["label"]).all()
    assert "not all right" in words(figure)
    assert "(or else that most do)" in words(figure)


def test_samples_are_kept_right_and_of_many_classes(digits_maj, explain, kept):
    wrong = {"deep": kept[:10], "r-lstm": kept[10:20]}
    archives = {(a, "dtd"): explain(digits_maj, a, wrong=rows) for a, rows in wrong.items()}
    figure, table = draw(digits_maj, archives, 6)
    samples = table["sample"].unique()
    by_class = table[~table["choice"].isin(["best", "median", "worst"])]
    assert set(by_class["sample"]) <= set(kept[20:])
    assert by_class["label"].nunique() == len(samples) - 3
    assert "that all architectures classify rightly; best, median" in words(figure)


def test_only_samples_with_a_map_in_every_archive(digits_maj, explain, kept):
    archives = {
        ("deep", "dtd"): explain(digits_maj, "deep", kept=40),
        ("r-lstm", "dtd"): explain(digits_maj, "r-lstm", kept=5),
    }
    figure, table = draw(digits_maj, archives, 6)
    assert table["sample"].nunique() == 5
    assert "6 were asked for, 5 have maps" in words(figure)


def test_best_median_and_worst_are_by_the_mean_cosine(digits_maj, explain):
    random = np.random.default_rng(0)

    def noisy(maps, rows):
        return maps + random.random((len(maps), 1, 1, 1)) * random.random((len(maps), 1, 1, 84))

    archives = {(a, "dtd"): explain(digits_maj, a, change=noisy) for a in ("deep", "r-lstm")}
    _, all_of_them = draw(digits_maj, archives, 24)
    means = all_of_them.groupby("sample")["cosine"].mean()
    choice = all_of_them.drop_duplicates("sample").set_index("sample")["choice"]
    named = {name: sample for sample, name in choice.items()}
    assert means[named["best"]] == means.max()
    assert means[named["worst"]] == means.min()
    assert means.min() < means[named["median"]] < means.max()


def test_only_the_positive_part_of_what_has_signs(digits_maj, explain_all):
    archives = explain_all(digits_maj)
    figure, table = draw_positive(digits_maj, archives, SAMPLES)
    assert set(table["explainer"]) == {"lrp-a1.5b0.5"}
    assert "Positive relevance alone" in words(figure)
    _, signed = draw(digits_maj, archives, SAMPLES)
    for image, (_, row) in zip(images(figure)[SAMPLES:], table.iterrows(), strict=True):
        with AttributionArchive(archives[row["architecture"], row["explainer"]]) as archive:
            heatmap = archive.map(archive["index"][:].tolist().index(row["sample"]))[0]
        assert (image.get_array() == np.maximum(heatmap, 0)).all()
        assert image.get_cmap().name == UNSIGNED
    assert signed["sample"].unique().tolist() == table["sample"].unique().tolist()
    without = {cell: path for cell, path in archives.items() if cell[1] == "dtd"}
    assert set(draw_positive(digits_maj, without, 2)[1]["explainer"]) == {"dtd"}


def test_equal_bytes(digits_maj, explain_all, tmp_path):
    archives = explain_all(digits_maj)
    save(*draw(digits_maj, archives, 2), tmp_path / "a")
    save(*draw(digits_maj, dict(reversed(archives.items())), 2), tmp_path / "b")
    for ending in ("png", "svg", "pdf", "csv"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_archives_that_do_not_belong_together(digits_maj, explain):
    archives = {
        ("deep", "dtd"): explain(digits_maj),
        ("r-lstm", "dtd"): explain(digits_maj, "r-lstm", steps=12),
    }
    with pytest.raises(Error, match=r"T = 12, fold 0; .*T = 7, fold 0"):
        draw(digits_maj, archives)


def test_archives_of_another_data_set(digits_maj, digits, explain, tmp_path):
    build_dataset(DatasetDefinition("digits", seed=1), tmp_path / "other.h5")
    archives = {("deep", "dtd"): explain(digits_maj)}
    for path in (digits, tmp_path / "other.h5"):
        with pytest.raises(Error, match=f"not made from the data set file {path}"):
            draw(path, archives)


def test_what_cannot_be_drawn(digits_maj, explain):
    path = explain(digits_maj)
    archives = {("deep", "dtd"): path}
    for cell in (("shallow", "dtd"), ("deep", "sa")):
        with pytest.raises(Error, match=f"is of deep and dtd; it was given for {' and '.join(cell)}"):
            draw(digits_maj, {cell: path})
    with pytest.raises(Error, match="no archives"):
        draw(digits_maj, {})
    with pytest.raises(Error, match="samples is 0"):
        draw(digits_maj, archives, 0)
    with pytest.raises(Error, match="no sample has a full map in all 1 archives"):
        draw(digits_maj, {("deep", "dtd"): explain(digits_maj, kept=0)})


def test_a_grid_that_no_picture_can_hold():
    with pytest.raises(Error, match="ask for fewer samples"):
        Grid(400, (28, 84), None, ["input"]).figure()


def test_where_the_thesis_shows_no_samples_they_are_chosen_by_rule(digits_maj, explain_all):
    archives = explain_all(digits_maj)
    (_, by_rule), (_, table) = (draw(digits_maj, archives, SAMPLES, choice) for choice in ("rule", "thesis"))
    assert table.equals(by_rule)
    assert not table["choice"].str.startswith("thesis").any()


@pytest.mark.parametrize(("width", "lines"), [(28, ["#56915", "thesis 8915"]), (84, ["#56915 thesis 8915"])])
def test_remarks_above_narrow_pictures_take_two_lines(width, lines):
    grid = Grid(2, (28, width), None, ["input"])
    grid.header(["2", "1"], ["#56915 thesis 8915"] * 2)
    grid.pictures("input", np.zeros((2, 28, width), dtype=np.uint8))
    written = [text.get_text() for axes in grid.figure().axes for text in axes.texts]
    assert [text for text in written if "thesis" in text or "#" in text] == lines * 2
