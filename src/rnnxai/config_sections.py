"""The sections of a configuration, each checked by itself."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from rnnxai.data.definition import DatasetDefinition
from rnnxai.data.sources import SOURCES
from rnnxai.data.tasks import TASKS
from rnnxai.explain.methods import METHODS
from rnnxai.explain.strategy import make_strategy
from rnnxai.models.zoo import MODELS
from rnnxai.plugins import is_reference, parameters
from rnnxai.registry import Entry, Registry
from rnnxai.scoring.scores import SCORES

Fold = Annotated[int, Field(ge=0, strict=True)] | Literal["quality"]
NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")  # names become folders: nothing that could leave them
GIVEN_TO_CELLS = ("folds", "patch", "classes", "dropout", "bias", "pooling")
"""What every cell gets, and is therefore no size of its own."""
COLUMNS = frozenset(
    {
        "dataset",
        "architecture",
        "T",
        "fold",
        "explainer",
        "n",
        "n_undefined",
        "n_maps",
        "accuracy",
        "conservation_max_error",
        "cosine_zero",
        "cosine_correct",
        "index",
        "correct",
        "sample",
    }
)
"""Columns of the score files and tables that are no score of the configuration."""


def _named(name: Any) -> Any:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name; small letters, digits, dots and dashes make one")
    return name


def _folder(path: Any) -> Any:
    # Braces would be wildcards to Snakemake.
    if not isinstance(path, str) or not path.strip("./ ") or set(path) & set("{}*?\n"):
        raise ValueError(f"{path!r} is no folder to write to; a path such as results would be right")
    return str(PurePosixPath(path))


def _architecture(name: Any, info: ValidationInfo) -> Any:
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is no name of an architecture")
    if is_reference(name):
        raise ValueError(f"it needs a name; write architectures: {{my-cell: {{cell: {name}}}}}")
    own = (info.context or {}).get("architectures", {})
    Registry(MODELS.kind, {key: Entry("", summary) for key, summary in MODELS.items()} | own).target(name)
    return name


def _own_name(name: Any) -> Any:
    if name in MODELS:
        raise ValueError(f"{name} is one of the architectures of rnnxai; another name would be right")
    return _named(name)


def _import_folder(path: Any) -> Any:
    if not isinstance(path, str) or not Path(path).is_dir():
        raise ValueError(f"there is no folder {path!r}")
    return path


def _definition(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    known = DatasetDefinition.__dataclass_fields__
    unknown = [key for key in value if key not in known]
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}; allowed: {', '.join(known)}")
    if "source" not in value:
        raise ValueError(f"source is missing; allowed: {', '.join(SOURCES)}")
    definition = DatasetDefinition(**value)
    SOURCES.check(definition.source)
    TASKS.check(definition.task)
    return definition


Name = Annotated[str, BeforeValidator(_named)]
Folder = Annotated[str, BeforeValidator(_folder)]
Architecture = Annotated[str, BeforeValidator(_architecture)]
OwnName = Annotated[str, BeforeValidator(_own_name)]
ImportFolder = Annotated[str, BeforeValidator(_import_folder)]
Definition = Annotated[DatasetDefinition, BeforeValidator(_definition)]


def _with_name(value: Any, key: str) -> Any:
    """Let something be called by what it is, unless that is a reference, which makes no folder."""
    if not isinstance(value, Mapping) or key not in value:
        return value
    if "name" not in value and is_reference(value[key]):
        raise ValueError(f"it needs a name; write {{{key}: {value[key]}, name: my-{key}}}")
    return {"name": value[key], **value}


def _check_keywords(
    name: str, target: str, keywords: Mapping[str, Any], given: tuple[str, ...] | int = ()
) -> None:
    """Refuse keywords that a function or constructor does not take, if its source shows what it takes."""
    taken = parameters(target)
    if taken is None:
        return
    left = taken[given:] if isinstance(given, int) else [name for name in taken if name not in given]
    wrong = [keyword for keyword in keywords if keyword not in left]
    if wrong:
        raise ValueError(f"{name} does not take {wrong[0]!r}; allowed: {', '.join(left) or 'nothing'}")


class Settings(BaseModel):
    """What all sections have in common: no unknown keys, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(Settings):
    """Where images come from."""

    root: str = Field("data", description="Folder in torchvision's layout (ROOT/MNIST/raw/...).")
    download: bool = Field(True, description="Whether to download what is missing there.")
    mirrors: tuple[str, ...] = Field((), description="Addresses to try first.")


class ArchitectureSettings(Settings):
    """An architecture that the configuration gives a name."""

    cell: str = Field(description="A name of rnnxai.MODELS, or package.module:Class.")
    sizes: Mapping[str, Annotated[int, Field(ge=1, strict=True)]] = Field(
        {}, description="Layer sizes, by the names of the cell's constructor."
    )

    @model_validator(mode="after")
    def _exists(self) -> Self:
        MODELS.check(self.cell)
        _check_keywords(self.cell, MODELS.target(self.cell), self.sizes, given=GIVEN_TO_CELLS)
        return self


class ExplainerSettings(Settings):
    """One explanation method, with options and the name its archives get."""

    method: str
    name: Name = ""
    options: Mapping[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, value: Any) -> Any:
        value = {"method": value} if isinstance(value, str) else value
        return _with_name(value, "method")

    @model_validator(mode="after")
    def _exists(self) -> Self:
        if is_reference(self.method):
            METHODS.check(self.method)
            _check_keywords(self.method, self.method, self.options)
        else:
            make_strategy(self.method, self.options)
        return self


ExplainerGroup = Annotated[tuple[ExplainerSettings, ...], Field(min_length=1)]
"""Explainers of one job and one forward pass."""


class Experiment(Settings):
    """Every combination of these is one network, trained, explained and scored."""

    datasets: tuple[str, ...] = Field(min_length=1)
    architectures: tuple[Architecture, ...] = Field(min_length=1)
    steps: tuple[Annotated[int, Field(ge=1, strict=True)], ...] = Field(
        min_length=1, description="T, time steps."
    )
    folds: tuple[Fold, ...] = Field(
        min_length=1, description="Folds to run: numbers of the cross-validation, or quality."
    )
    explainers: tuple[ExplainerGroup, ...] | None = Field(
        None,
        min_length=1,
        description="Groups of explainers of these networks; those of the study, if left out.",
    )


class Condition(Settings):
    """What a network must be for an override to apply."""

    dataset: str | None = None
    architecture: Architecture | None = None
    steps: int | None = None


class Override(Settings):
    """Training settings of some networks."""

    when: Condition
    set: Mapping[str, Any]


class ScoreSettings(Settings):
    """One score, with options and the name its columns get."""

    score: str
    name: Name = ""
    options: Mapping[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, value: Any) -> Any:
        value = {"score": value} if isinstance(value, str) else value
        return _with_name(value, "score")

    @model_validator(mode="after")
    def _exists(self) -> Self:
        SCORES.check(self.score)
        if self.name in SCORES and self.name != self.score:
            raise ValueError(f"{self.name} is one of the scores of rnnxai; another name would be right")
        if self.name.replace("-", "_") in COLUMNS or self.name.endswith("-status"):
            raise ValueError(f"{self.name} is a column of every table; another name would be right")
        _check_keywords(self.score, SCORES.target(self.score), self.options, given=1)
        return self


class TrainJobSettings(Settings):
    """How a training job is run. Nothing here changes what it computes, so a change reruns nothing."""

    minutes: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="After so many a job stops with a checkpoint, for a retry to go on from; null: shortly "
        "before the end of Slurm's limit, if it runs under Slurm.",
    )
    checkpoint_seconds: float = Field(
        60, ge=0, allow_inf_nan=False, description="What a job that is killed loses at most."
    )


class ArchiveSettings(Settings):
    """What relevance archives keep."""

    maps: Annotated[int, Field(ge=0)] | Literal["all"] = Field(
        1000, description="Samples per archive whose full heatmap is kept. Sums per step are kept of all."
    )
    chunk: int = Field(200, ge=1, description="Samples explained at once.")
    keep_bits: int | None = Field(
        None,
        ge=1,
        le=22,
        strict=True,
        description="Bits of the mantissa to which heatmaps are rounded: 10 halves the files; null rounds "
        "nothing. Sums are taken before.",
    )


class StatisticsSettings(Settings):
    """How scores of folds are put together."""

    level: float = Field(0.95, gt=0, lt=1, description="Level of the intervals.")
    resamples: int = Field(10_000, ge=1, description="Bootstrap resamples.")


class ComparisonSettings(Settings):
    """Architectures that stand together in figures and tables."""

    architectures: tuple[Architecture, ...] = Field(min_length=1)
    baselines: tuple[Architecture, ...] = Field(
        (), description="What the others are compared with; the first architecture if left out."
    )

    @model_validator(mode="after")
    def _among_them(self) -> Self:
        for baseline in self.baselines:
            if baseline not in self.architectures:
                raise ValueError(
                    f"baseline {baseline!r} is not compared; allowed: {', '.join(self.architectures)}"
                )
        return self


class FigureSettings(Settings):
    """What figures show."""

    samples: int = Field(6, ge=1, le=24, description="Samples in a heatmap grid.")
    choice: Literal["rule", "thesis"] = Field(
        "rule",
        description="Samples by rule (first right of each class, best, median, worst), or the thesis' own "
        "of the fixed split of its data sets; that needs archive.maps: all.",
    )
    step_class: int = Field(1, ge=0, description="Class whose relevance per step is drawn for single images.")
    overview: tuple[Architecture, ...] = Field(
        (), description="Architectures of the overview; up to five of the study if left out."
    )


class ReportSettings(Settings):
    """What the report shows."""

    samples: int = Field(
        3, ge=0, le=20, description="Samples of each kind (best, median, worst, undefined), at most."
    )
    megabytes: float = Field(
        20, gt=0, allow_inf_nan=False, description="Size of the page that samples may fill it up to."
    )


class ReproductionSettings(Settings):
    """Where a study is set beside published numbers, and where the book of its runs is kept."""

    published: str = Field(description="CSV file of published values, each with its source.")
    folder: Folder = Field(
        description="Folder of the books of runs, and of the tables and pictures of the page."
    )
    page: str = Field(description="The page, a Markdown file beside that folder.")
