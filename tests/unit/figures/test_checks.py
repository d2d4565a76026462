import numpy as np
import pandas as pd
import pytest

from rnnxai.errors import Error
from rnnxai.figures.checks import draw
from rnnxai.figures.save import save


def scores(marked=True):
    return pd.DataFrame(
        [
            {
                "dataset": "maj",
                "architecture": architecture,
                "T": 12,
                "fold": str(fold),
                "explainer": explainer,
                "n": 100,
                "n_undefined": (3 + fold if explainer == "dtd" else 0) if marked else pd.NA,
                "conservation_max_error": 10.0 ** -(6 + fold) if explainer == "dtd" else np.nan,
            }
            for architecture in ("deep", "deep-sd")
            for explainer in ("sa", "dtd")
            for fold in range(2)
        ]
    ).astype({"n_undefined": "Int64"})


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_counts_are_added_and_the_largest_error_is_shown():
    figure, table = draw(scores())
    assert table[["explainer", "architecture"]].to_numpy().tolist() == [
        ["sa", "deep"], ["sa", "deep-sd"], ["dtd", "deep"], ["dtd", "deep-sd"]
    ]  # fmt: skip
    assert table["n"].tolist() == [200] * 4
    assert table["n_undefined"].tolist() == [0, 0, 7, 7]
    assert table["share_undefined"].tolist() == [0, 0, 0.035, 0.035]
    assert table["conservation_max_error"].dropna().tolist() == [1e-6, 1e-6]
    assert texts(figure)[2:] == ["deep  7 of 200", "deep-sd  7 of 200"]
    undefined, errors = figure.axes
    assert [bar.get_width() for bar in undefined.patches] == table["share_undefined"].tolist()
    assert [line.get_xdata()[0] for line in errors.get_lines() if line.get_marker() != "None"] == [1e-6, 1e-6]


def test_without_marks_nothing_is_undefined():
    figure, table = draw(scores(marked=False))
    assert table["n_undefined"].isna().all()
    assert set(texts(figure)) == {f"{name}  not counted, without marks" for name in ("deep", "deep-sd")}
    assert not figure.axes[0].patches


def test_equal_bytes(tmp_path):
    for stem in ("a", "b"):
        save(*draw(scores()), tmp_path / stem)
    for ending in ("png", "svg", "pdf", "csv"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_what_cannot_be_drawn():
    with pytest.raises(Error, match="columns n_undefined are missing"):
        draw(scores().drop(columns="n_undefined"))
    with pytest.raises(Error, match="data sets maj, other; a figure shows one"):
        draw(pd.concat([scores(), scores().assign(dataset="other")]))
