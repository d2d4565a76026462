import numpy as np
import pandas as pd
import pytest

from rnnxai.errors import Error
from rnnxai.figures.differences import draw
from rnnxai.figures.save import save
from rnnxai.scoring.comparisons import Comparison
from rnnxai.scoring.differences import SEPARATED, differences

BETTER = {"shallow": 0, "deep": 0.2, "r-lstm": 0.003}


def made(folds=5, baselines=("shallow",), steps=(12,), scores=("cosine", "mass_accuracy")):
    random = np.random.default_rng(0)
    rows = [
        {
            "dataset": "maj", "architecture": architecture, "T": T, "fold": str(fold), "explainer": explainer,
            **{score: 0.5 + better + random.normal(0, 0.02) for score in scores},
        }
        for T in steps
        for architecture, better in BETTER.items()
        for explainer in ("sa", "dtd")
        for fold in range(folds)
    ]  # fmt: skip
    comparison = Comparison("all", tuple(BETTER), tuple(baselines))
    return differences(pd.DataFrame(rows), scores, {"maj": [comparison]}, {"maj": 7})


def texts(figure):
    figure.draw_without_rendering()
    found = (text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))
    return " ".join(found).replace("\n", " ")


def markers(axes):
    """Return the markers from top to bottom: place and whether filled."""
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) == 1]
    return [(line.get_xdata()[0], line.get_markerfacecolor() != "white") for line in lines]


def test_markers_are_where_the_table_says_and_filled_where_separated():
    figure, table = draw(made())
    assert len(table) == 8
    assert 0 < (table["verdict"] == SEPARATED).sum() < 8
    panels = table.groupby(["T", "score"], sort=False)
    for axes, (_, rows) in zip(figure.axes, panels, strict=True):
        expected = zip(rows["difference"], rows["verdict"] == SEPARATED, strict=True)
        assert markers(axes) == [(place, filled) for place, filled in expected]


def test_both_intervals_are_drawn():
    figure, table = draw(made())
    rows = table[table["score"] == "cosine"]
    drawn = [tuple(item.get_segments()[0][:, 0]) for item in figure.axes[0].collections]
    for kind, lines in (("holm_", drawn[::2]), ("", drawn[1::2])):
        np.testing.assert_allclose(lines, rows[[f"{kind}low", f"{kind}high"]])
    low, high = figure.axes[0].get_xlim()
    assert low < rows["holm_low"].min() < 0 < rows["holm_high"].max() < high


def test_long_intervals_are_cut_and_said_so():
    wide = made()
    assert "Long lines are cut" not in texts(draw(wide)[0])
    wide.loc[0, ["holm_low", "holm_high"]] = [-9, 9]
    figure, table = draw(wide)
    assert "Long lines are cut" in texts(figure)
    assert figure.axes[0].get_xlim()[1] < 1
    assert table["holm_high"].max() == 9


def test_several_baselines_are_named():
    figure, table = draw(made(baselines=("shallow", "r-lstm")))
    assert set(table["architecture"]) == {"deep"}
    assert "SA less r-lstm" in texts(figure)
    assert "difference to shallow and to r-lstm" in texts(figure)


def test_one_panel_for_each_score_and_t():
    figure, _ = draw(made(steps=(4, 12), scores=("cosine", "own_score")))
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["cosine, T = 4", "own score, T = 4", "cosine, T = 12", "own score, T = 12"]


def test_a_single_fold_has_no_verdict():
    figure, _ = draw(made(folds=1))
    assert "hence no interval and no verdict" in texts(figure)
    assert not any(filled for _, filled in markers(figure.axes[0]))


def test_equal_bytes(tmp_path):
    for stem in ("a", "b"):
        save(*draw(made()), tmp_path / stem)
    for ending in ("png", "svg", "pdf", "csv"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_what_cannot_be_drawn():
    with pytest.raises(Error, match=r"differences are of \(none\)"):
        draw(made()[:0])
    with pytest.raises(Error, match="differences are of maj/all, maj/other"):
        draw(pd.concat([made(), made().assign(comparison="other")]))
