import matplotlib
import pytest
from matplotlib.figure import Figure

from rnnxai.figures import style
from rnnxai.figures.catalogue import FIGURES

THESIS = (
    "shallow",
    "deep",
    "deep-sd",
    "deep-v2",
    "conv-deep",
    "conv-plus-deep",
    "r-lstm",
    "r-lstm-sd",
    "conv-r-lstm-sd",
    "conv-plus-r-lstm-sd",
)


def test_the_architectures_of_the_thesis_look_different_even_in_grey():
    looks = [style.look(name) for name in THESIS]
    assert len({(look.marker, look.filled) for look in looks}) == len(THESIS)


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("shallow", (style.INK, "o", True)),
        ("deep-sd", (style.ORANGE, "s", False)),
        ("my-cell", (style.INK, "d", False)),
        ("lenet", (style.GREEN, "d", True)),
    ],
)
def test_a_look_is_fixed_for_good(name, look):
    assert style.look(name) == look


def test_no_new_architecture_takes_the_look_of_one_of_the_thesis():
    markers = {style.look(name).marker for name in THESIS}
    assert not markers & {style.look(f"cell-{i}").marker for i in range(100)}


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["r-lstm", "a-cell", "deep", "shallow", "deep"], ["shallow", "deep", "r-lstm", "a-cell"]),
        (
            ["occlusion", "lrp-eps", "mine", "lrp-a1.5b0.5", "sa", "dtd"],
            ["sa", "dtd", "lrp-a1.5b0.5", "lrp-eps", "occlusion", "mine"],
        ),
    ],
)
def test_order(names, ordered):
    assert style.in_order(names) == ordered


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("sa", "SA"),
        ("gb", "GB"),
        ("dtd", "DTD"),
        ("lrp-a1.5b0.5", "LRP \N{GREEK SMALL LETTER ALPHA}1.5 \N{GREEK SMALL LETTER BETA}0.5"),
        ("lrp-eps", "LRP-eps"),
        ("my-method", "my-method"),
    ],
)
def test_titles_of_explainers(name, title):
    assert style.explainer_title(name) == title


@pytest.mark.parametrize(("value", "text"), [(0.8165, ".82"), (1, "1.00"), (-0.25, "-.25"), (10.5, "10.50")])
def test_numbers(value, text):
    assert style.number(value, 2) == text


def test_the_style_overrides_a_matplotlibrc_and_leaves_it_as_it_was():
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9}):
        with style.styled():
            assert matplotlib.rcParams["font.size"] == 8
            assert matplotlib.rcParams["lines.linewidth"] == 1.5
        assert matplotlib.rcParams["font.size"] == 30


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_can_be_loaded(name):
    assert callable(FIGURES.load(name))


@pytest.mark.parametrize(("most", "angle"), [(1, 30), (2, 0)])
def test_more_titles_than_fit_are_slanted(most, angle):
    axes = Figure().subplots()
    style.label_explainers(axes, ["sa", "lrp-a1.5b0.5"], most)
    assert [label.get_rotation() for label in axes.get_xticklabels()] == [angle, angle]
