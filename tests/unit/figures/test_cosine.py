from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from rnnxai.errors import Error
from rnnxai.figures import cosine, look
from rnnxai.figures.save import save
from rnnxai.figures.score_panels import LEVELS
from rnnxai.scoring.statistics import corrected_interval, mean_interval

EXPLAINERS = ("sa", "dtd")
REFERENCES = pd.DataFrame(
    {
        "reference": ["uniform", "ink", "one correct block", "last block", "majority ink"],
        "n": 100,
        "cosine": [0.8165, 0.784, 0.7071, 0.4714, 0.98],
        "ink_share": [0.16, 0.97, 0.16, 0.16, 0.97],
        "mass_accuracy": [0.1, 0.64, 0.16, 0.1, 0.97],
    }
)
SHOWN = REFERENCES["cosine"][:4]


def draw(given, level=0.95, references=REFERENCES):
    return cosine.draw(given, references, 7, level)


def scores(architectures=("shallow", "deep"), folds=3, steps=(12,), undefined=0, low=0.5, high=0.9):
    random = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "dataset": "mnist-maj",
                "architecture": architecture,
                "T": T,
                "fold": str(fold),
                "explainer": explainer,
                "n": 100,
                "n_undefined": undefined if explainer == "dtd" else 0,
                "n_maps": 50,
                "cosine": random.uniform(low, high),
                "ink_share": random.uniform(0.1, 0.3),
                "mass_accuracy": random.uniform(0.1, 0.3),
            }
            for architecture in architectures
            for T in steps
            for fold in range(folds)
            for explainer in EXPLAINERS
        ]
    )


def texts(figure):
    figure.draw_without_rendering()
    return " ".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_the_table_holds_folds_and_means():
    given = scores()
    _, table = draw(given, level=0.9)
    assert len(table) == len(given)
    assert table["architecture"].unique().tolist() == ["shallow", "deep"]
    for _, row in table.iterrows():
        cell = given[
            (given["architecture"] == row["architecture"]) & (given["explainer"] == row["explainer"])
        ]
        assert row["value"] == cell.set_index("fold").loc[row["fold"], "cosine"]
        assert row["mean"] == pytest.approx(cell["cosine"].mean())
        assert (row["t_low"], row["t_high"]) == pytest.approx(tuple(mean_interval(cell["cosine"], 0.9)))
        wider = corrected_interval(cell["cosine"], 1 / 6, 0.9)
        assert (row["corrected_low"], row["corrected_high"]) == pytest.approx(tuple(wider))
        assert row["folds"] == 3


def test_means_and_folds_are_where_the_table_says():
    figure, table = draw(scores())
    axes = figure.axes[0]
    for folds, architecture in zip(axes.collections[::3], ("shallow", "deep"), strict=True):
        shown = table[table["architecture"] == architecture]
        assert folds.get_offsets()[:, 1].tolist() == shown["value"].tolist()
        means = shown.drop_duplicates("explainer")["mean"].tolist()
        assert list(lines(axes)[architecture].get_ydata()) == means


def test_the_intervals_are_drawn():
    figure, table = draw(scores(["deep"]))
    cells = table.drop_duplicates("explainer")
    for lines_, kind in zip(figure.axes[0].collections[1:3], ("corrected", "t"), strict=True):
        ends = cells[[f"{kind}_low", f"{kind}_high"]].to_numpy()
        assert np.array([s[:, 1] for s in lines_.get_segments()]) == pytest.approx(ends)


def test_reference_lines_are_at_the_levels_and_named():
    figure, _ = draw(scores())
    levels = REFERENCES.set_index("reference")["cosine"]
    for name in LEVELS:
        assert set(lines(figure.axes[0])[name].get_ydata()) == {levels[name]}
        assert f"{name} {levels[name]:.3f}".replace("0.", ".") in texts(figure)
    assert "majority ink" not in texts(figure)


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.9), (0.001, 0.002), (0.99, 1)])
@pytest.mark.parametrize("folds", [1, 2, 7])
def test_nothing_is_cropped(low, high, folds):
    figure, table = draw(scores(folds=folds, steps=(6, 12), low=low, high=high))
    shown = [*table[["value", "corrected_low", "corrected_high"]].to_numpy().ravel(), *SHOWN]
    for axes in figure.axes:
        bottom, top = axes.get_ylim()
        assert bottom < max(np.nanmin(shown), 0)  # a cosine of positive relevance is no less than 0
        assert top > min(np.nanmax(shown), 1)


@pytest.mark.parametrize("levels", [SHOWN, (0.5, 0.52, 0.5, 0.51)], ids=["apart", "close"])
def test_labels_of_reference_lines_do_not_overlap(levels):
    figure, _ = draw(scores(low=0, high=1), references=REFERENCES[:4].assign(cosine=list(levels)))
    figure.draw_without_rendering()
    boxes = sorted((t.get_window_extent() for t in figure.axes[0].texts), key=lambda box: box.y0)
    assert len(boxes) == 4
    assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)


def test_a_single_fold_has_no_interval_and_says_so():
    figure, table = draw(scores(folds=1))
    assert table[["t_low", "t_high", "corrected_low"]].isna().all(axis=None)
    assert "no interval" in texts(figure)
    assert "no interval" not in texts(draw(scores())[0])


def fixed_split(given):
    """Rows of the same cells for the fixed split, lower than any fold."""
    return given[given["fold"] == "0"].assign(fold="quality", cosine=0.1)


def test_the_fixed_split_is_no_fold():
    given = scores()
    figure, table = draw(pd.concat([given, fixed_split(given)]))
    pd.testing.assert_frame_equal(table, draw(given)[1])
    assert "split" not in texts(figure)


def test_the_fixed_split_is_shown_where_it_is_all_there_is():
    given = scores()
    figure, table = draw(fixed_split(given))
    assert (table["mean"] == 0.1).all()
    assert "the fixed split, hence no interval" in texts(figure)

    deep = given["architecture"] == "deep"
    figure, table = draw(pd.concat([given[~deep], fixed_split(given)]))
    means = table.groupby("architecture")["fold"].agg(list).to_dict()
    assert means == {"deep": ["quality"] * 2, "shallow": ["0", "1", "2"] * 2}
    assert "fixed split stands in where there are no folds (2 of 4)" in texts(figure).replace("\n", " ")


def test_undefined_scores_are_counted():
    given = scores(undefined=4)
    gone = (given["architecture"] == "deep") & (given["explainer"] == "dtd")
    given.loc[gone, "n_undefined"] = 100
    given.loc[gone, "cosine"] = np.nan
    figure, table = draw(given)
    words = texts(figure)
    assert "shallow DTD: 12 of 300" in words.replace("\n", " ")
    assert "deep DTD: 300 of 300" in words.replace("\n", " ")
    assert "without positive relevance" not in texts(draw(scores())[0])
    assert (table.loc[table["mean"].isna(), "folds"] == 0).all()
    assert len(lines(figure.axes[0])["deep"].get_ydata()) == 1


def test_one_panel_per_number_of_steps():
    figure, _ = draw(scores(steps=(12, 4)))
    assert [axes.get_title("left") for axes in figure.axes] == ["mnist-maj, T = 4", "mnist-maj, T = 12"]


def test_the_folds_of_the_table_keep_their_order():
    _, table = draw(scores(["deep"], folds=12))
    assert table["fold"].tolist() == [str(fold) for fold in range(12)] * 2


def test_equal_bytes(tmp_path):
    for stem in ("a", "b"):
        save(*draw(scores()), tmp_path / stem)
    for ending in ("png", "svg", "pdf", "csv"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (scores().drop(columns="fold"), "columns fold are missing"),
        (scores().assign(n_undefined=None), "mnist-maj has no marks"),
        (pd.concat([scores(), scores().assign(dataset="digits-maj")]), "digits-maj, mnist-maj"),
        (scores()[:0], r"\(none\)"),
    ],
)
def test_what_cannot_be_drawn(given, message):
    with pytest.raises(Error, match=message):
        draw(given)


def test_the_look_has_a_panel_for_each_score_that_there_is():
    figure, table = look.draw(scores(steps=(4, 12)), REFERENCES, 7)
    labels = [axes.get_ylabel().replace("\n", " ") for axes in figure.axes]
    assert labels == ["share on ink, of relevance on majority", "relevance mass accuracy"] * 2
    assert list(dict.fromkeys(table["score"])) == ["ink_share", "mass_accuracy"]
    assert set(lines(figure.axes[1])["ink"].get_ydata()) == {0.64}
    with pytest.raises(Error, match="the table has none of ink_share, mass_accuracy, rank_accuracy"):
        look.draw(scores().drop(columns=["ink_share", "mass_accuracy"]), REFERENCES, 7)


def test_a_score_without_levels_has_no_lines():
    figure, _ = draw(scores(), references=REFERENCES[["reference", "n"]])
    assert not set(lines(figure.axes[0])) & set(LEVELS)


def test_all_text_is_inside(drawn_texts):
    for figure, _ in (draw(scores(undefined=4)), look.draw(scores(undefined=4), REFERENCES, 7)):
        figure.draw_without_rendering()
        for text in drawn_texts(figure):
            if text.get_text() and text.get_visible():
                box = text.get_window_extent()
                assert box.x0 >= -1
                assert box.x1 <= figure.bbox.x1 + 1
