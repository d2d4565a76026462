"""What is wrong with a configuration, in words."""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


def lines(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Say what is wrong with the values of a model, one line for each.

    Parameters
    ----------
    error : ValidationError
    model : type
        The model that was validated.

    Returns
    -------
    list of str
        Key, value found and what is allowed.
    """
    items = error.errors(include_url=False)
    # A list with a wrong item is also reported as too short; the item says it better.
    causes = [item for item in items if not any(_inside(other["loc"], item["loc"]) for other in items)]
    return [_line(item, model) for item in causes]


def _inside(loc: tuple[int | str, ...], of: tuple[int | str, ...]) -> bool:
    return len(loc) > len(of) and loc[: len(of)] == of


def _line(item: ErrorDetails, model: type[BaseModel]) -> str:
    path = [part for part in item["loc"] if part != "[key]"]
    key = ".".join(map(str, path))
    found = item["input"]
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key; allowed: {', '.join(_keys_beside(path, model))}"
    message = item["msg"].removeprefix("Value error, ")
    if not key or item["type"] == "missing" or isinstance(found, Mapping | BaseModel):
        return f"{key}: {message}" if key else message
    return f"{key}: {found!r} is not allowed: {message}"


def _keys_beside(path: list[int | str], model: type[BaseModel]) -> list[str]:
    """Return the keys that are known where `path` ends."""
    annotation: Any = model
    for part in path[:-1]:
        inner = _model_in(annotation)
        if inner is not None and part in inner.model_fields:
            annotation = inner.model_fields[str(part)].annotation
    inner = _model_in(annotation)
    return list(inner.model_fields) if inner else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)
