"""The configuration of a study: read, checked and completed before anything runs."""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from rnnxai.config_errors import lines
from rnnxai.config_sections import (
    ArchitectureSettings,
    ArchiveSettings,
    ComparisonSettings,
    DataSettings,
    Definition,
    Experiment,
    ExplainerGroup,
    FigureSettings,
    Folder,
    ImportFolder,
    Name,
    Override,
    OwnName,
    ReportSettings,
    ReproductionSettings,
    ScoreSettings,
    Settings,
    StatisticsSettings,
    TrainJobSettings,
)
from rnnxai.data.source import needs_folder
from rnnxai.data.thesis import thesis_shows
from rnnxai.errors import Error
from rnnxai.models.zoo import MODELS
from rnnxai.plugins import add_folders, constant
from rnnxai.registry import Entry
from rnnxai.scoring.comparisons import OTHERS
from rnnxai.scoring.scores import SCORES
from rnnxai.training.settings import TrainSettings


class Config(Settings):
    """A whole study."""

    results: Folder = Field("results", description="Folder of all outputs.")
    data: DataSettings = DataSettings()
    datasets: Mapping[Name, Definition] = Field(min_length=1)
    architectures: Mapping[OwnName, ArchitectureSettings] = Field(
        {}, description="Architectures besides those of rnnxai, by the names they get here."
    )
    experiments: Mapping[Name, Experiment] = Field(min_length=1)
    train: TrainSettings = TrainSettings()
    train_job: TrainJobSettings = TrainJobSettings()
    folds_per_job: int = Field(1, ge=1, le=64, description="Folds that one job trains as a stack.")
    overrides: tuple[Override, ...] = ()
    explainers: tuple[ExplainerGroup, ...] = Field(
        min_length=1, description="Groups: a group is one job and one forward pass."
    )
    archive: ArchiveSettings = ArchiveSettings()
    scores: tuple[ScoreSettings, ...] = Field(
        tuple(ScoreSettings(score=name, name=name) for name in SCORES),
        description="What is computed of each sample with marks.",
    )
    statistics: StatisticsSettings = StatisticsSettings()
    comparisons: Mapping[Name, ComparisonSettings] = Field(
        {}, description="Architectures that stand together in figures and tables; all, if left out."
    )
    figures: FigureSettings = FigureSettings()
    report: ReportSettings = ReportSettings()
    reproduction: ReproductionSettings | None = Field(
        None, description="Published numbers to set the study beside; null for none."
    )
    accuracy_gate: Mapping[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {}, description="Accuracy by data set below which a network is flagged. It is never left out."
    )
    python_path: tuple[ImportFolder, ...] = Field(
        (), description="Folders with code of your own, besides what is installed."
    )


def check_config(values: Mapping[str, Any]) -> Config:
    """Check and complete a configuration.

    Parameters
    ----------
    values : Mapping
        What a YAML file holds. The folders of ``python_path`` are put on ``sys.path``.

    Returns
    -------
    Config

    Raises
    ------
    Error
        One message that names every wrong key, the value found and what is allowed.
    """
    folders = values.get("python_path")
    if isinstance(folders, list | tuple):
        add_folders(folder for folder in folders if isinstance(folder, str) and Path(folder).is_dir())
    own = values.get("architectures")
    names = {str(name): Entry("", "") for name in own} if isinstance(own, Mapping) else {}
    try:
        config = Config.model_validate(values, context={"architectures": names})
        wrong = [line for check in CHECKS for line in check(config)]
    except ValidationError as error:
        wrong = lines(error, Config)
    if wrong:
        raise Error("the configuration cannot be used:\n" + "\n".join(f"  {line}" for line in wrong))
    return config


def read_config(path: str | Path, instead: Mapping[str, Any] | None = None) -> Config:
    """Read and check a YAML configuration file.

    Parameters
    ----------
    path : str or Path
    instead : Mapping, optional
        Keys to take in place of the file's.

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
    return check_config({**values, **(instead or {})})


def groups_of(config: Config, experiment: Experiment) -> tuple[ExplainerGroup, ...]:
    """Return the groups of explainers of an experiment: its own, or those of the study."""
    return config.explainers if experiment.explainers is None else experiment.explainers


def train_settings(config: Config, dataset: str, architecture: str, steps: int) -> TrainSettings:
    """Return the training settings of a network, overrides applied in order."""
    network = {"dataset": dataset, "architecture": architecture, "steps": steps}
    settings = config.train.model_dump()
    for override in config.overrides:
        wanted = override.when.model_dump(exclude_none=True)
        if all(network[key] == value for key, value in wanted.items()):
            settings |= dict(override.set)
    return TrainSettings(**settings)


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
    """Check that a name is one explainer's, and that it is in one group, for every architecture."""
    groups: dict[str, list[ExplainerGroup]] = {}
    for experiment in config.experiments.values():
        for architecture in dict.fromkeys(experiment.architectures):
            others = groups.get(architecture, [])  # of other experiments, which may ask for the same
            new = [group for group in groups_of(config, experiment) if group not in others]
            groups[architecture] = others + new
    seen: set[str] = set()
    for architecture, own in groups.items():
        names = [explainer.name for group in own for explainer in group]
        for name in sorted({name for name in names if names.count(name) > 1} - seen):
            seen.add(name)
            yield f"explainers: {name} stands there twice for {architecture}; names must differ"
    named: dict[str, ExplainerGroup] = {}
    for group in (group for own in groups.values() for group in own):
        name = "+".join(explainer.name for explainer in group)
        if named.setdefault(name, group) != group:
            yield f"explainers: {name} is not the same everywhere; groups with other options need other names"


def _in_scores(config: Config) -> Iterator[str]:
    names = [score.name for score in config.scores]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"scores: {name} stands there twice; names must differ"
    if "cosine" not in names:
        yield f"scores: cosine is missing beside {', '.join(names) or 'nothing'}; the figures show it"


def _in_comparisons(config: Config) -> Iterator[str]:
    for name in config.comparisons:
        if name == OTHERS:
            yield f"comparisons: {name} is what remains of all; another name would be right"


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


def _in_cells(config: Config) -> Iterator[str]:
    """Check what only some architectures can do, as their classes say."""
    for name, experiment in config.experiments.items():
        for architecture in experiment.architectures:
            own = config.architectures.get(architecture)
            target = MODELS.target(architecture if own is None else own.cell)
            several = [steps for steps in experiment.steps if steps > 1]
            if several and constant(target, "single_step"):
                yield (
                    f"experiments.{name}.steps: {architecture} reads an image in one step, not in "
                    f"{several[0]}; allowed: 1"
                )
            networks = product(experiment.datasets, [architecture], experiment.steps)
            asked = {pooling for network in networks if (pooling := _pooling(config, *network))}
            if asked and constant(target, "own_pooling") is None:
                yield (
                    f"train.pooling: {architecture} of experiments.{name} does not pool, so {min(asked)!r} "
                    "means nothing to it; set it by an override for architectures that do"
                )


def _pooling(config: Config, dataset: str, architecture: str, steps: int) -> str | None:
    try:
        return train_settings(config, dataset, architecture, steps).pooling
    except ValidationError:  # which the check of overrides names
        return None


def _in_figures(config: Config) -> Iterator[str]:
    if config.figures.choice != "thesis":
        return
    if config.archive.maps != "all":
        yield (
            f"archive.maps: {config.archive.maps} keeps the samples of figures.choice: thesis by chance "
            "alone; allowed with it: all"
        )
    split = {
        name for each in config.experiments.values() if "quality" in each.folds for name in each.datasets
    }
    if not any(thesis_shows(config.datasets[name]) for name in split & set(config.datasets)):
        yield (
            "figures.choice: thesis shows samples of the fixed split (folds: [quality]) of MNIST and "
            "FashionMNIST, and no experiment has these; allowed: rule"
        )


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


CHECKS = (
    _in_experiments,
    _in_cells,
    _in_explainers,
    _in_scores,
    _in_comparisons,
    _in_overrides,
    _in_figures,
    _elsewhere,
)
"""What no single value shows: each yields one line for each thing that does not fit the rest."""
