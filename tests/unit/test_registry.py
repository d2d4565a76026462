import re
from fractions import Fraction

import pytest

from rnnxai.errors import Error
from rnnxai.registry import Entry, Registry

NUMBERS = Registry(
    "number",
    {
        "fraction": Entry("fractions:Fraction", "a ratio of integers"),
        "missing": Entry("no_such_module:Number", "not installed"),
    },
)


def test_it_maps_names_to_summaries_without_importing_anything():
    assert dict(NUMBERS) == {"fraction": "a ratio of integers", "missing": "not installed"}
    assert len(NUMBERS) == 2 and "fraction" in NUMBERS and "half" not in NUMBERS
    assert repr(NUMBERS) == "number names\n  fraction: a ratio of integers\n  missing: not installed"


def test_it_loads_what_is_asked_for():
    assert NUMBERS.target("fraction") == "fractions:Fraction"
    assert NUMBERS.load("fraction") is Fraction
    with pytest.raises(ModuleNotFoundError):
        NUMBERS.load("missing")


@pytest.mark.parametrize("ask", [NUMBERS.target, NUMBERS.load])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fractoin", r"^unknown number 'fractoin'\. Did you mean 'fraction'\? Known: fraction, missing\.$"),
        ("x", r"^unknown number 'x'\. Known: fraction, missing\.$"),
        (3, r"^unknown number 3\. Known: fraction, missing\.$"),
        (["fraction"], r"^unknown number \['fraction'\]\..*Known: fraction, missing\.$"),
        (None, r"^unknown number None\. Known: fraction, missing\.$"),
    ],
)
def test_an_unknown_name_is_an_error_that_knows_better(ask, name, message):
    with pytest.raises(Error, match=message):
        ask(name)


POWERS = Registry(
    "power",
    {
        "x^{exponent}": Entry("math:pow", "a power"),
        "e^{exponent}/{scale}": Entry("math:exp", "an exponential"),
        "e^2": Entry("math:exp2", "not that of the pattern"),
    },
)


@pytest.mark.parametrize(
    ("name", "target", "numbers"),
    [
        ("x^2", "math:pow", {"exponent": 2.0}),
        ("x^0.25", "math:pow", {"exponent": 0.25}),
        ("e^1.5/10", "math:exp", {"exponent": 1.5, "scale": 10.0}),
        ("e^2", "math:exp2", {}),
    ],
)
def test_a_pattern_reads_numbers_from_a_name(name, target, numbers):
    assert POWERS.resolve(name) == (target, numbers)
    assert POWERS.target(name) == target


@pytest.mark.parametrize(
    "name", ["x^", "x^-1", "x^1.", "x^.5", "x^1e3", "x^2 ", "y^2", "x^{exponent}", "e^1/2/3"]
)
def test_a_name_has_to_fit_the_pattern_to_the_end(name):
    with pytest.raises(
        Error, match=r"^unknown power '.*Known: x\^\{exponent\}, e\^\{exponent\}/\{scale\}, e\^2\.$"
    ):
        POWERS.load(name)


def test_a_name_that_fits_a_pattern_is_in_the_mapping():
    assert "x^2" in POWERS and POWERS["x^2"] == "a power"
    assert "e^2" in POWERS and POWERS["e^2"] == "not that of the pattern"
    assert "x^" not in POWERS and POWERS.get("x^") is None
    with pytest.raises(KeyError, match="x\\^"):
        POWERS["x^"]


@pytest.mark.parametrize("name", [3, 2.5, None, ["e^2"]])
def test_what_is_no_string_is_no_name(name):
    assert name not in POWERS and POWERS.get(name) is None
    with pytest.raises(Error, match="unknown power"):
        Registry("power", {"{number}": Entry("math:exp", "any number")}).resolve(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("x^{exponent}", r"\. Write numbers for the letters, e\.g\. 'x\^1'\. Known"),
        ("e^{exponent}/{scale}", r"\. Write numbers for the letters, e\.g\. 'e\^2/1'\. Known"),
        ("x^{exponnt}", r"Did you mean 'x\^\{exponent\}'\? Write numbers for the letters, e\.g\. 'x\^1'\. K"),
    ],
)
def test_a_pattern_says_that_it_wants_numbers(name, hint):
    with pytest.raises(Error, match=hint):
        POWERS.resolve(name)


def test_methods_are_found_by_their_numbers():
    from rnnxai.explain.methods import METHODS

    assert "lrp-a1.5b0.5" in METHODS and METHODS["lrp-a1.5b0.5"] == METHODS["lrp-a{alpha}b{beta}"]
    with pytest.raises(Error, match=r"Write numbers for the letters, e\.g\. 'lrp-a2b1'"):
        METHODS.load("lrp-a{alpha}b{beta}")


def test_packages_list_what_they_have():
    import rnnxai

    assert {"__version__", "models", "explain", "Error"} <= set(dir(rnnxai))
    assert rnnxai.models.gate and rnnxai.models.Dropout and rnnxai.models.Affine
    assert {"gate", "Dropout", "Affine"} <= set(dir(rnnxai.models))


def test_every_registry_names_what_exists():
    from rnnxai.data.sources import SOURCES
    from rnnxai.data.tasks import TASKS
    from rnnxai.explain.methods import METHODS
    from rnnxai.models.zoo import MODELS
    from rnnxai.scoring.scores import SCORES

    for registry in (SOURCES, TASKS, METHODS, MODELS, SCORES):
        assert len(registry) > 0
        for name, summary in registry.items():
            example = re.sub(r"\{\w+\}", "1", name)
            assert callable(registry.load(example)), name
            assert summary and "\n" not in summary, name
