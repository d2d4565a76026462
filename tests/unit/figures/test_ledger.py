from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from rnnxai.archive.read import AttributionArchive
from rnnxai.errors import Error
from rnnxai.figures.ledger import draw, draw_archives
from rnnxai.figures.save import save
from rnnxai.figures.style import BLUE, ORANGE

COLUMNS = ["bias", "stabiliser", "dropped", "initial_state"]


@dataclass
class Books:
    """What a ledger shows, of two samples."""

    start: np.ndarray
    inputs: np.ndarray
    rows: list

    def table(self):
        table = pd.DataFrame(self.rows, columns=["layer", "step", *COLUMNS])
        return table.assign(incoming=1e9, outgoing=-1e9)  # not asked for


def books(inputs=5.0, start=10.0, rows=None):
    rows = rows or [
        ("out", 0, 3.0, 0.5, 0.0, 0.0),
        ("lstm", 1, 2.0, 0.0, 0.25, 0.0),
        ("lstm", 0, -1.0, 0.0, 0.0, 0.25),
    ]
    return Books(np.array([start - 1, 1.0]), np.array([inputs, 0.0]), rows)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def segments(axes):
    """The bars of a panel: left end, right end, colour."""
    found = []
    for bar in axes.patches:
        ends = sorted([bar.get_x(), bar.get_x() + bar.get_width()])
        found.append((*ends, to_hex(bar.get_facecolor()).upper()))
    return found


def test_the_table_says_where_all_of_the_score_went():
    _, table = draw({("deep", "lrp-eps"): books()})
    shares = table.set_index(["place", "layer"])["share"].to_dict()
    wanted = {
        ("input", ""): 0.5,
        ("bias", "out"): 0.3,
        ("bias", "lstm"): 0.1,
        ("stabiliser", "out"): 0.05,
        ("dropped", "lstm"): 0.025,
        ("initial_state", "lstm"): 0.025,
    }
    assert {place: share for place, share in shares.items() if abs(share) > 1e-12} == pytest.approx(wanted)
    assert table["share"].sum() == pytest.approx(1)
    assert table["amount"].sum() == pytest.approx(10)


def test_a_bar_has_a_segment_for_each_place():
    figure, _ = draw({("deep", "lrp-eps"): books()})
    (axes,) = figure.axes
    drawn = segments(axes)
    assert drawn[:3] == [
        (0, pytest.approx(0.5), BLUE),
        (pytest.approx(0.5), pytest.approx(0.8), ORANGE),
        (pytest.approx(0.8), pytest.approx(0.9), ORANGE),
    ]
    assert drawn[-1][1] == pytest.approx(1)
    assert len(drawn) == 6
    assert texts(figure)[:3] == ["50%", "out", "lstm"]


def test_what_speaks_against_the_score_lies_left():
    figure, _ = draw(
        {("deep", "lrp-0"): books(12.0, rows=[("out", 0, -4.0, 0.0, 0.0, 0.0), ("l", 0, 2.0, 0, 0, 0)])}
    )
    drawn = [segment[:2] for segment in segments(figure.axes[0])]
    assert np.array(drawn) == pytest.approx(np.array([[0, 1.2], [-0.4, 0], [1.2, 1.4]]))
    low, high = figure.axes[0].get_xlim()
    assert low < -0.4
    assert high > 1.4


def test_a_negative_score_is_a_whole_too():
    _, table = draw({("deep", "lrp-0"): books(-8.0, start=-10.0, rows=[("out", 0, -2.0, 0.0, 0.0, 0.0)])})
    assert table.set_index("place")["share"][["input", "bias"]].tolist() == pytest.approx([0.8, 0.2])


def test_what_is_missing_is_not_hidden():
    assert legend(draw({("deep", "dtd"): books(5.0)})[0])[-1] != "missing"
    figure, table = draw({("deep", "dtd"): books(4.0)})
    assert table.set_index("place")["share"]["missing"] == pytest.approx(0.1)
    assert legend(figure)[-1] == "missing"


def test_only_places_that_occur_are_named():
    figure, _ = draw({("deep", "dtd"): books(10.0, rows=[("out", 0, 0.0, 0.0, 0.0, 1e-9)])})
    assert legend(figure) == ["arrived at the input"]


def test_one_panel_per_model_and_one_bar_per_explainer():
    order = [("r-lstm", "lrp-eps"), ("r-lstm", "dtd"), ("shallow", "dtd")]
    figure, table = draw(dict.fromkeys(order, books()))
    assert [axes.get_title("left") for axes in figure.axes] == ["shallow", "r-lstm"]
    ticks = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert ticks == [["DTD"], ["DTD", "LRP-eps"]]
    assert table[["model", "explainer"]].drop_duplicates().to_numpy().tolist() == [
        ["shallow", "dtd"],
        ["r-lstm", "dtd"],
        ["r-lstm", "lrp-eps"],
    ]


def test_equal_bytes(tmp_path):
    for stem in ("a", "b"):
        save(*draw({("deep", "dtd"): books()}), tmp_path / stem)
    for ending in ("png", "svg", "pdf", "csv"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


@pytest.mark.parametrize(
    ("ledger", "words"),
    [(None, "does not conserve relevance"), (books(start=0.0), "nothing to divide: the scores sum to 0")],
)
def test_words_where_there_is_no_bar(ledger, words):
    figure, table = draw({("deep", "dtd"): books(), ("deep", "lrp-eps"): ledger})
    assert [text for text in texts(figure) if " " in text] == [words]
    assert len(segments(figure.axes[0])) == 6
    assert table.loc[table["explainer"] == "lrp-eps", "share"].isna().all()
    assert [words] == texts(draw({("deep", "lrp-eps"): ledger})[0])


def test_a_bar_that_dwarfs_the_others_is_cut():
    enormous = books(300.0, rows=[("out", 0, -290.0, 0.0, 0.0, 0.0)])
    figure, table = draw({("deep", "dtd"): books(), ("deep", "lrp-0"): enormous})
    low, high = figure.axes[0].get_xlim()
    assert -2.2 < low < -2 and 3 < high < 3.2
    assert "are cut" in figure.get_supxlabel()
    assert table["share"].max() == pytest.approx(30)
    (middle,) = (text.get_position()[0] for text in figure.axes[0].texts if text.get_text() == "3000%")
    assert middle == pytest.approx(high / 2)
    assert "are cut" not in draw({("deep", "dtd"): books()})[0].get_supxlabel()


def test_nothing_to_draw():
    with pytest.raises(Error, match="there are no ledgers"):
        draw({})


LOST = {"bias": -1.0, "stabiliser": 2.0, "dropped": 0.5, "initial_state": 0.25}


def test_archives_say_where_the_score_went_in_total(digits_maj, explain):
    path = explain(digits_maj, "deep", "lrp-eps", lost=LOST)
    figure, table = draw_archives({("deep", "lrp-eps"): path})
    with AttributionArchive(path) as archive:
        wanted = {place: amount * len(archive) for place, amount in LOST.items()}
        wanted |= {"input": archive["relevance_sum"][:].sum(), "missing": 0}
        start = archive["starting_relevance"][:].sum()
    rows = table.set_index("place")
    assert rows["amount"].to_dict() == pytest.approx(wanted, abs=1e-6)
    assert (rows["share"] * start).to_dict() == pytest.approx(wanted, abs=1e-6)
    assert not table["layer"].any()
    assert legend(figure)[:2] == ["arrived at the input", "kept by biases"]
    assert figure.legends[0].get_title().get_text() == "digits-maj, T = 7, fold 0"


def test_layers_are_told_apart_where_the_books_do():
    assert "kept by biases, layer by layer" in legend(draw({("deep", "dtd"): books()})[0])


def test_archives_without_books_are_named(digits_maj, explain):
    archives = {
        ("deep", "sa"): explain(digits_maj, "deep", "sa"),
        ("deep", "dtd"): explain(digits_maj, "deep", "dtd", lost={}),
    }
    figure, table = draw_archives(archives)
    assert texts(figure) == ["100%", "does not conserve relevance"]
    assert set(table["explainer"]) == {"dtd"}


def test_archives_that_do_not_belong_together(digits_maj, explain):
    archives = {
        ("deep", "dtd"): explain(digits_maj, lost={}),
        ("r-lstm", "dtd"): explain(digits_maj, "r-lstm", steps=12, lost={}),
    }
    with pytest.raises(Error, match=r"T = 12, fold 0; .*T = 7, fold 0"):
        draw_archives(archives)
    with pytest.raises(Error, match="is of deep and dtd; it was given for shallow and dtd"):
        draw_archives({("shallow", "dtd"): archives["deep", "dtd"]})
    with pytest.raises(Error, match="there are no archives"):
        draw_archives({})


def test_a_real_ledger_is_taken():
    torch, rnnxai = pytest.importorskip("torch"), pytest.importorskip("rnnxai")
    model = rnnxai.build_model("shallow", image_size=(3, 8), steps=2, classes=3).double()
    images = torch.linspace(-1, 1, 48, dtype=torch.float64).view(2, 1, 3, 8)
    _, ledger = rnnxai.explain(model, images, method="lrp-0", return_ledger=True)
    _, table = draw({("shallow", "lrp-0"): ledger})
    assert table["amount"].sum() == pytest.approx(ledger.start.sum())
    assert abs(table.set_index("place")["share"]["missing"]) < 1e-12
