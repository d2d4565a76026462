"""The configuration of a study: read, checked and completed before anything runs."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from rnnxai.config_errors import lines
from rnnxai.data.definition import DatasetDefinition
from rnnxai.data.source import needs_folder
from rnnxai.data.sources import SOURCES
from rnnxai.errors import Error
from rnnxai.explain.strategy import make_strategy
from rnnxai.models.zoo import MODELS
from rnnxai.training.settings import TrainSettings

Fold = Annotated[int, Field(ge=0, strict=True)] | Literal["quality"]
NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")  # names become folders: nothing that could leave them


def _named(name: Any) -> Any:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name; small letters, digits, dots and dashes make one")
    return name


def _folder(path: Any) -> Any:
    # Braces would be wildcards to Snakemake.
    if not isinstance(path, str) or not path.strip("./ ") or set(path) & set("{}*?\n"):
        raise ValueError(f"{path!r} is no folder to write to; a path such as results would be right")
    return str(PurePosixPath(path))


def _architecture(name: Any) -> Any:
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is no name of an architecture")
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
    steps: tuple[Annotated[int, Field(ge=1, strict=True)], ...] = Field(
        min_length=1, description="T, time steps."
    )
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

    results: Annotated[str, BeforeValidator(_folder)] = Field("results", description="Folder of all outputs.")
    data: DataSettings = DataSettings()
    datasets: Mapping[Name, Definition] = Field(min_length=1)
    experiments: Mapping[Name, Experiment] = Field(min_length=1)
    train: TrainSettings = TrainSettings()
    folds_per_job: int = Field(1, ge=1, le=64, description="Folds that one job trains as a stack.")
    overrides: tuple[Override, ...] = ()
    explainers: tuple[Annotated[tuple[ExplainerSettings, ...], Field(min_length=1)], ...] = Field(
        min_length=1, description="Groups: a group is one job and one forward pass."
    )
    archive: ArchiveSettings = ArchiveSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    figures: FigureSettings = FigureSettings()
    accuracy_gate: Mapping[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {}, description="Accuracy by data set below which a network is flagged. It is never left out."
    )


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
        wrong = [line for check in CHECKS for line in check(config)]
    except ValidationError as error:
        wrong = lines(error, Config)
    if wrong:
        raise Error("the configuration cannot be used:\n" + "\n".join(f"  {line}" for line in wrong))
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


def _in_experiments(config: Config) -> Iterator[str]:
    for name, experiment in config.experiments.items():
        where = f"experiments.{name}"
        for dataset in experiment.datasets:
            definition = config.datasets.get(dataset)
            if definition is None:
                yield f"{where}.datasets: {dataset!r} is not defined; allowed: {', '.join(config.datasets)}"
                continue
            width = definition.image_size[1]
            divisors = [t for t in range(1, width + 1) if width % t == 0]
            for steps in experiment.steps:
                if steps not in divisors:
                    allowed = ", ".join(map(str, divisors))
                    yield (
                        f"{where}.steps: {steps} does not divide the width {width} of {dataset}; "
                        f"allowed: {allowed}"
                    )
            for fold in experiment.folds:
                if fold != "quality" and fold >= definition.folds:
                    yield (
                        f"{where}.folds: there is no fold {fold} in {dataset}; "
                        f"allowed: 0 to {definition.folds - 1} and quality"
                    )


def _in_explainers(config: Config) -> Iterator[str]:
    names = [explainer.name for group in config.explainers for explainer in group]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"explainers: {name} stands there twice; names must differ"


def _in_overrides(config: Config) -> Iterator[str]:
    experiments = config.experiments.values()
    for index, override in enumerate(config.overrides):
        when, where = override.when, f"overrides.{index}"
        if not any(
            (when.dataset is None or when.dataset in experiment.datasets)
            and (when.architecture is None or when.architecture in experiment.architectures)
            and (when.steps is None or when.steps in experiment.steps)
            for experiment in experiments
        ):
            yield f"{where}.when: no network of any experiment is {when.model_dump(exclude_none=True)}"
        try:
            TrainSettings(**(config.train.model_dump() | dict(override.set)))
        except ValidationError as error:
            yield from (f"{where}.set.{line}" for line in lines(error, TrainSettings))


def _elsewhere(config: Config) -> Iterator[str]:
    for dataset in config.accuracy_gate:
        if dataset not in config.datasets:
            yield f"accuracy_gate: {dataset!r} is not defined; allowed: {', '.join(config.datasets)}"
    used = {name for experiment in config.experiments.values() for name in experiment.datasets}
    sources = {config.datasets[name].source for name in used & set(config.datasets)}
    sources = {source for source in sources if needs_folder(source)}
    if sources and not config.data.download and not Path(config.data.root).is_dir():
        yield (
            f"data.root: there is no folder {config.data.root!r}; one with {', '.join(sorted(sources))} "
            "in torchvision's layout is needed, or data.download: true"
        )


CHECKS = (_in_experiments, _in_explainers, _in_overrides, _elsewhere)
"""What no single value shows: each yields one line for each thing that does not fit the rest."""
