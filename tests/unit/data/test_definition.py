import pytest

from rnnxai.data.definition import DatasetDefinition
from rnnxai.errors import Error


@pytest.mark.parametrize(
    ("values", "image_size"),
    [
        ({}, (28, 84)),
        ({"blocks": 4}, (28, 112)),
        ({"task": "columns"}, (28, 28)),
        ({"task": "columns", "blocks": 1}, (28, 28)),
    ],
)
def test_image_size(values: dict, image_size: tuple[int, int]) -> None:
    assert DatasetDefinition("mnist", **values).image_size == image_size


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "mnits"}, "unknown source 'mnits'. Did you mean 'mnist'"),
        ({"task": "rows"}, "unknown task 'rows'. Known: majority, columns"),
        ({"blocks": 2}, "blocks is 2; it must be a whole number from 3 to 255"),
        ({"blocks": 1}, "blocks is 1; it must be a whole number from 3"),
        ({"blocks": "3"}, "blocks is '3'"),
        ({"repeats": 0}, "repeats is 0; it must be a whole number from 1"),
        ({"folds": 1}, "folds is 1; it must be a whole number from 2 to 127"),
        ({"folds": 7.0}, "folds is 7.0"),
        ({"folds": 128}, "folds is 128"),
        ({"seed": -1}, "seed is -1; it must be a whole number from 0"),
        ({"seed": True}, "seed is True"),
        ({"leak_free": 1}, "leak_free is 1; it must be true or false"),
        ({"task": "columns", "blocks": 5}, "blocks is 5 .* a column sequence is one image"),
        ({"task": "columns", "repeats": 2}, "repeats is 2, but a column sequence is one image"),
    ],
)
def test_bad_values(values: dict, message: str) -> None:
    with pytest.raises(Error, match=message):
        DatasetDefinition(**({"source": "mnist"} | values))


def test_json_round_trip() -> None:
    definition = DatasetDefinition("digits", blocks=5, leak_free=True)
    assert DatasetDefinition.from_json(definition.to_json()) == definition
    assert definition.to_json().index("blocks") < definition.to_json().index("task")


@pytest.mark.parametrize("text", ["", "[]", '{"source": "mnist"}', '{"source": "mnist", "colour": 1}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(Error, match="a data set definition is"):
        DatasetDefinition.from_json(text)
