"""The page and its pictures, made of runs that are there and of runs that are not."""

from pathlib import Path

import pytest

from rnnxai.reproduction.compare import compare
from rnnxai.reproduction.numbers import sources
from rnnxai.reproduction.page import Made, write
from rnnxai.reproduction.picture import draw_cosines, draw_steps
from rnnxai.reproduction.published import read_published
from rnnxai.scoring.differences import differences

PUBLISHED = Path(__file__).parents[3] / "docs" / "reproduction" / "published.csv"


def values(case, explainer):
    if case.dataset == "mnist":
        return {"relevance_steps": " ".join(["0.1429"] * 7), "ink_steps": " ".join(["0.1429"] * 7)}
    cosine = {"shallow": 0.48, "deep": 0.68, "r-lstm": 0.92}[case.architecture] + case.fold / 1000
    return {"cosine": cosine, "cosine_zero": cosine, "cosine_correct": cosine}


@pytest.fixture
def evidence(ran):
    return ran(values)


@pytest.fixture
def compared(evidence):
    return compare(read_published(PUBLISHED), evidence, {})


def test_the_page_sets_each_number_beside_ours(study, evidence, compared):
    comparisons = {name: study.comparisons(name) for name in study.datasets}
    apart = differences(evidence.runs, ["cosine"], comparisons, evidence.folds)
    made = Made(study, evidence, read_published(PUBLISHED), compared, apart)
    text = write(made, "make it so", [("book/picture.png", "A picture.")])
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    (deep,) = (
        row for row in rows if row[:4] == ["mnist-maj", "deep", "12", "DTD"] and row[-1] == "reproduced"
    )
    assert deep[5].startswith(".681") and deep[6] == "3"
    assert [row for row in rows if row[:2] == ["mnist-maj", "conv-deep"] and row[-1] == "not run"]
    assert "**Supported.** (Sections 3.3 and 3.4.)" in text  # R-LSTM above Deep above Shallow
    assert "make it so" in text and "![A picture.](book/picture.png)" in text
    assert f"{len(evidence.runs)} have run so far" in text
    assert "are kept" not in text
    assert "[are kept](book/kept.md)" in write(made, "make it so", [], "book/kept.md")


def test_held_values_take_a_sentence_and_no_rows(compared):
    (table,) = (part for part in sources(compared) if "conv-deep" in part and ".769" in part)
    assert "fashion-mnist-maj" not in table
    assert "Published values of fashion-mnist-maj: held." in list(sources(compared))


def test_pictures_hold_what_has_run_beside_what_was_published(compared):
    _, cosines = draw_cosines(compared, "mnist-maj")
    assert set(cosines["architecture"]) >= {"shallow", "conv-deep"}
    assert cosines["ours"].notna().sum() == 3 * 4
    figure, steps = draw_steps(compared)
    assert len(steps) == 2 * 2 * 7
    assert len(figure.axes) == 2


def test_nothing_is_drawn_where_nothing_has_run(ran, compared):
    assert draw_cosines(compared, "fashion-mnist-maj") is None
    nothing = compare(read_published(PUBLISHED), ran(lambda *_: {}), {})
    assert draw_cosines(nothing, "mnist-maj") is None
    assert draw_steps(nothing) is None
