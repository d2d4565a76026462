"""A study as the list of its cases: which networks there are, with which settings."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import product
from typing import NamedTuple

from rnnxai.config import Config, groups_of, train_settings
from rnnxai.config_sections import (
    ArchitectureSettings,
    Experiment,
    ExplainerGroup,
    ExplainerSettings,
    ScoreSettings,
)
from rnnxai.data.dataset import Fold
from rnnxai.data.definition import DatasetDefinition
from rnnxai.data.sources import SOURCES
from rnnxai.data.tasks import TASKS
from rnnxai.explain.methods import METHODS
from rnnxai.explain.strategy import make_strategy
from rnnxai.models.zoo import MODELS
from rnnxai.plugins import is_reference
from rnnxai.scoring.comparisons import Comparison, comparisons_of
from rnnxai.scoring.scores import SCORES
from rnnxai.training.settings import TrainSettings


class Case(NamedTuple):
    """One network of a study."""

    dataset: str
    architecture: str
    steps: int
    fold: Fold


class Stack(NamedTuple):
    """Folds of one network that are trained in one job."""

    dataset: str
    architecture: str
    steps: int
    folds: tuple[Fold, ...]


class Study:
    """What a configuration asks for.

    Parameters
    ----------
    config : Config
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    @cached_property
    def cases(self) -> list[Case]:
        """Every network once, in the order of the configuration."""
        return list(self._groups)

    @cached_property
    def stacks(self) -> list[Stack]:
        """The training jobs: up to ``folds_per_job`` folds of one network each.

        The quality split is a job of its own, since its training set has another size.
        """
        networks: dict[tuple[str, str, int], list[int]] = {}
        stacks = []
        for dataset, architecture, steps, fold in self.cases:
            if isinstance(fold, str):
                stacks.append(Stack(dataset, architecture, steps, (fold,)))
            else:
                networks.setdefault((dataset, architecture, steps), []).append(fold)
        for network, folds in networks.items():
            stacks += [Stack(*network, tuple(chunk)) for chunk in _chunks(folds, self.config.folds_per_job)]
        return stacks

    @cached_property
    def groups(self) -> dict[str, ExplainerGroup]:
        """The explainer groups by name: the names of their members, joined."""
        return {name: group for groups in self._groups.values() for name, group in groups.items()}

    def groups_of(self, case: Case) -> dict[str, ExplainerGroup]:
        """Return the explainer groups of one network, by name."""
        return self._groups[case]

    def explainers_of(self, case: Case) -> list[ExplainerSettings]:
        """Return all explainers of one network."""
        return [member for group in self._groups[case].values() for member in group]

    @cached_property
    def _groups(self) -> dict[Case, dict[str, ExplainerGroup]]:
        found: dict[Case, dict[str, ExplainerGroup]] = {}
        for experiment in self.config.experiments.values():
            groups = {
                "+".join(member.name for member in group): group
                for group in groups_of(self.config, experiment)
            }
            for case in _cases(experiment):
                found.setdefault(case, {}).update(groups)
        return found

    @cached_property
    def datasets(self) -> list[str]:
        """The data sets in use."""
        return list(dict.fromkeys(case.dataset for case in self.cases))

    def of_dataset(self, dataset: str) -> list[Case]:
        """Return the cases on one data set."""
        return [case for case in self.cases if case.dataset == dataset]

    def comparisons(self, dataset: str) -> list[Comparison]:
        """Return which architectures of a data set stand together, and their baselines."""
        defined = {
            name: (comparison.architectures, comparison.baselines)
            for name, comparison in self.config.comparisons.items()
        }
        return comparisons_of((case.architecture for case in self.of_dataset(dataset)), defined)

    def architecture(self, name: str) -> ArchitectureSettings:
        """Return which cell an architecture is made of, and its sizes where they are not the cell's own."""
        return self.config.architectures.get(name) or ArchitectureSettings(cell=name)

    def train_settings(self, dataset: str, architecture: str, steps: int) -> TrainSettings:
        """Return the training settings of a network, overrides applied in order."""
        return train_settings(self.config, dataset, architecture, steps)


def code_of_architecture(architecture: ArchitectureSettings) -> str:
    """Return the registry target or reference of an architecture's cell."""
    return MODELS.target(architecture.cell)


def code_of_group(group: Sequence[ExplainerSettings]) -> list[str]:
    """Return the registry targets and references that a group's methods need."""
    return sorted({METHODS.target(member.method) for member in group})


def may_conserve(explainer: ExplainerSettings) -> bool:
    """Return whether an explainer's archives may hold books; of one from outside only they can tell."""
    return is_reference(explainer.method) or make_strategy(explainer.method, explainer.options).conserves


def code_of_dataset(definition: DatasetDefinition) -> list[str]:
    """Return the registry targets and references that a data set is made with."""
    return [SOURCES.target(definition.source), TASKS.target(definition.task)]


def code_of_scores(scores: Iterable[ScoreSettings]) -> list[str]:
    """Return the registry targets and references of some scores."""
    return sorted({SCORES.target(score.score) for score in scores})


def _cases(experiment: Experiment) -> Iterator[Case]:
    for dataset, architecture, steps, fold in product(
        experiment.datasets, experiment.architectures, experiment.steps, experiment.folds
    ):
        yield Case(dataset, architecture, steps, fold)


def _chunks(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
