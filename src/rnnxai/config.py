"""The configuration of a study: read, checked and completed before anything runs."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from rnnxai.data.definition import DatasetDefinition
from rnnxai.data.sources import SOURCES
from rnnxai.errors import Error
from rnnxai.explain.strategy import make_strategy
from rnnxai.models.zoo import MODELS
from rnnxai.training.settings import TrainSettings

Fold = Annotated[int, Field(ge=0)] | Literal["quality"]
NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")  # names become folders: nothing that could leave them


def _named(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name; small letters, digits, dots and dashes make one")
    return name


def _architecture(name: str) -> str:
    MODELS.target(name)
    return name


def _definition(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    known = DatasetDefinition.__dataclass_fields__
    unknown = [key for key in value if key not in known]
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}; allowed: {', '.join(known)}")
    if "source" not in value:
        raise ValueError(f"source is missing; allowed: {', '.join(SOURCES)}")
    return DatasetDefinition(**value)


Name = Annotated[str, BeforeValidator(_named)]
Architecture = Annotated[str, BeforeValidator(_architecture)]
Definition = Annotated[DatasetDefinition, BeforeValidator(_definition)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(_Settings):
    """Where images come from."""

    root: str = Field("data", description="Folder in torchvision's layout (ROOT/MNIST/raw/...).")
    download: bool = Field(True, description="Whether to download what is missing there.")
    mirrors: tuple[str, ...] = Field((), description="Addresses to try first.")


class Experiment(_Settings):
    """Every combination of these is one network, trained, explained and scored."""

    datasets: tuple[str, ...] = Field(min_length=1)
    architectures: tuple[Architecture, ...] = Field(min_length=1)
    steps: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1, description="T, time steps.")
    folds: tuple[Fold, ...] = Field(
        min_length=1, description="Folds to run: numbers of the cross-validation, or quality."
    )


class Condition(_Settings):
    """What a network must be for an override to apply."""

    dataset: str | None = None
    architecture: Architecture | None = None
    steps: int | None = None


class Override(_Settings):
    """Training settings of some networks."""

    when: Condition
    set: Mapping[str, Any]


class ExplainerSettings(_Settings):
    """One explanation method, with options and the name its archives get."""

    method: str
    name: Name = ""
    options: Mapping[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, value: Any) -> Any:
        value = {"method": value} if isinstance(value, str) else value
        if isinstance(value, Mapping) and "method" in value:
            value = {"name": value["method"], **value}
        return value

    @model_validator(mode="after")
    def _exists(self) -> Self:
        make_strategy(self.method, self.options)
        return self


class ArchiveSettings(_Settings):
    """What relevance archives keep."""

    maps: Annotated[int, Field(ge=0)] | Literal["all"] = Field(
        1000, description="Samples per archive whose full heatmap is kept. Sums per step are kept of all."
    )
    chunk: int = Field(200, ge=1, description="Samples explained at once.")


class StatisticsSettings(_Settings):
    """How scores of folds are put together."""

    level: float = Field(0.95, gt=0, lt=1, description="Level of the intervals.")
    resamples: int = Field(10_000, ge=1, description="Bootstrap resamples.")


class FigureSettings(_Settings):
    """What figures show."""

    samples: int = Field(6, ge=1, le=24, description="Samples in a heatmap grid.")


class Config(_Settings):
    """A whole study."""

    results: str = Field("results", description="Folder of all outputs.")
    data: DataSettings = DataSettings()
    datasets: Mapping[Name, Definition] = Field(min_length=1)
    experiments: Mapping[Name, Experiment] = Field(min_length=1)
    train: TrainSettings = TrainSettings()
    folds_per_job: int = Field(1, ge=1, le=64, description="Folds that one job trains as a stack.")
    overrides: tuple[Override, ...] = ()
    explainers: tuple[tuple[ExplainerSettings, ...], ...] = Field(
        min_length=1, description="Groups: a group is one job and one forward pass."
    )
    archive: ArchiveSettings = ArchiveSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    figures: FigureSettings = FigureSettings()
    accuracy_gate: Mapping[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {}, description="Accuracy by data set below which a network is flagged. It is never left out."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, experiment in self.experiments.items():
            where = f"experiments.{name}"
            for dataset in experiment.datasets:
                definition = self.datasets.get(dataset)
                if definition is None:
                    raise Error(
                        f"{where}.datasets: {dataset!r} is not defined; allowed: {', '.join(self.datasets)}"
                    )
                width = definition.image_size[1]
                for steps in experiment.steps:
                    if width % steps:
                        allowed = ", ".join(str(t) for t in range(1, width + 1) if width % t == 0)
                        raise Error(
                            f"{where}.steps: {steps} does not divide the width {width} of {dataset}; "
                            f"allowed: {allowed}"
                        )
                for fold in experiment.folds:
                    if fold != "quality" and fold >= definition.folds:
                        raise Error(
                            f"{where}.folds: there is no fold {fold} in {dataset}; "
                            f"allowed: 0 to {definition.folds - 1} and quality"
                        )
        names = [explainer.name for group in self.explainers for explainer in group]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise Error(f"explainers: {', '.join(sorted(twice))} stands there twice; names must differ")
        for index, override in enumerate(self.overrides):
            unknown = [key for key in override.set if key not in TrainSettings.model_fields]
            if unknown:
                allowed = ", ".join(TrainSettings.model_fields)
                raise Error(f"overrides.{index}.set: unknown key {unknown[0]!r}; allowed: {allowed}")
            try:
                TrainSettings(**(self.train.model_dump() | dict(override.set)))
            except ValidationError as error:
                raise Error(f"overrides.{index}.set.{_lines(error)[0]}") from error
        for dataset in self.accuracy_gate:
            if dataset not in self.datasets:
                raise Error(f"accuracy_gate: {dataset!r} is not defined; allowed: {', '.join(self.datasets)}")
        return self


def check_config(values: Mapping[str, Any]) -> Config:
    """Check and complete a configuration.

    Parameters
    ----------
    values : Mapping
        What a YAML file holds.

    Returns
    -------
    Config

    Raises
    ------
    Error
        One message that names every wrong key, the value found and what is allowed.
    """
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise Error(
            "the configuration cannot be used:\n" + "\n".join(f"  {line}" for line in _lines(error))
        ) from None
    _check_data_folder(config)
    return config


def read_config(path: str | Path) -> Config:
    """Read and check a YAML configuration file.

    Raises
    ------
    Error
        If the file cannot be read, is no YAML mapping, or holds something wrong.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Error(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(values, Mapping):
        raise Error(f"{path} holds {type(values).__name__}; a mapping of keys to values would be right")
    return check_config(values)


def _check_data_folder(config: Config) -> None:
    used = {name for experiment in config.experiments.values() for name in experiment.datasets}
    files_needed = {config.datasets[name].source for name in used} - {"digits"}
    if files_needed and not config.data.download and not Path(config.data.root).is_dir():
        raise Error(
            f"the configuration cannot be used:\n  data.root: there is no folder {config.data.root!r}; "
            f"one with {', '.join(sorted(files_needed))} in torchvision's layout is needed, "
            "or data.download: true"
        )


def _lines(error: ValidationError) -> list[str]:
    items = error.errors(include_url=False)
    # A list with a wrong item is also reported as too short; the item says it better.
    causes = [item for item in items if not any(_inside(other["loc"], item["loc"]) for other in items)]
    return [_line(item) for item in causes]


def _inside(loc: tuple[int | str, ...], of: tuple[int | str, ...]) -> bool:
    return len(loc) > len(of) and loc[: len(of)] == of


def _line(item: ErrorDetails) -> str:
    path = [part for part in item["loc"] if part != "[key]"]
    key = ".".join(map(str, path))
    found = item["input"]
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key; allowed: {', '.join(_keys_beside(path))}"
    message = item["msg"].removeprefix("Value error, ")
    if not key or item["type"] == "missing" or isinstance(found, Mapping | Config):
        return f"{key}: {message}" if key else message
    return f"{key}: {found!r} is not allowed: {message}"


def _keys_beside(path: list[int | str]) -> list[str]:
    """Return the keys that are known where `path` ends."""
    annotation: Any = Config
    for part in path[:-1]:
        model = _model_in(annotation)
        if model is not None and part in model.model_fields:
            annotation = model.model_fields[str(part)].annotation
    model = _model_in(annotation)
    return list(model.model_fields) if model else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)
