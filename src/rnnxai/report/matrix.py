"""What a study asks for, and what became of it: done, below the gate, failed, begun or missing."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from rnnxai.data.dataset import Fold
from rnnxai.errors import Error
from rnnxai.report.places import Places
from rnnxai.study import Case, Study

_LONGEST = 300  # letters of a reason
_NO_ERROR = re.compile(  # what a job says while all is well, or before it goes on
    r"\{|going on after epoch|starting anew: |Slurm has put the job back|"
    r".*the next attempt goes on from there$"
)


class State(Enum):
    """What became of a cell of the study; the value is how a page names it."""

    DONE = "done"
    BELOW = "below the gate"
    FAILED = "failed"
    BEGUN = "begun"
    MISSING = "missing"

    @property
    def finished(self) -> bool:
        """Whether its files are there; the gate is no part of that."""
        return self in (State.DONE, State.BELOW)


class Key(NamedTuple):
    """A cell of the study; as text, the address of its samples on the page."""

    case: Case
    explainer: str

    def __str__(self) -> str:
        of = self.case
        return f"{of.dataset}/t{of.steps}/{of.architecture}/{of.fold}/{self.explainer}"


class Found(NamedTuple):
    """A state and, unless all is well, the reason."""

    state: State
    reason: str = ""


@dataclass(frozen=True)
class Network:
    """One network of a study and its explanations.

    Attributes
    ----------
    case : Case
    accuracy : float or None
        On its test set, after the last epoch.
    gate : float or None
        The accuracy it should reach.
    found : Found
        What became of its training.
    cells : dict[str, Found]
        What became of its explanation by each explainer, down to the scores.
    """

    case: Case
    accuracy: float | None
    gate: float | None
    found: Found
    cells: dict[str, Found]


@dataclass(frozen=True)
class Matrix:
    """All networks of a study, in the order of the configuration."""

    networks: list[Network]

    def __iter__(self) -> Iterator[Network]:
        return iter(self.networks)

    @property
    def counts(self) -> dict[State, int]:
        """How many cells (network and explainer) are in each state."""
        counted = Counter(found.state for network in self for found in network.cells.values())
        return {state: counted[state] for state in State}

    @property
    def complete(self) -> bool:
        """Whether every cell is there."""
        return all(found.state.finished for network in self for found in network.cells.values())

    @property
    def panels(self) -> dict[tuple[str, int], dict[str, dict[Fold, Network]]]:
        """Networks by data set and T, then by architecture, then by fold."""
        found: dict[tuple[str, int], dict[str, dict[Fold, Network]]] = {}
        for network in self:
            of = network.case
            rows = found.setdefault((of.dataset, of.steps), {})
            rows.setdefault(of.architecture, {})[of.fold] = network
        return found

    @property
    def unfinished(self) -> dict[Key, Found]:
        """The cells that are not there, and why."""
        return {
            Key(network.case, explainer): found
            for network in self
            for explainer, found in network.cells.items()
            if not found.state.finished
        }

    @property
    def problems(self) -> list[tuple[Case, list[str], Found]]:
        """The same, explainers of a network put together that are missing for one reason."""
        found: dict[tuple[Case, Found], list[str]] = {}
        for key, why in self.unfinished.items():
            found.setdefault((key.case, why), []).append(key.explainer)
        return [(case, explainers, why) for (case, why), explainers in found.items()]

    def with_broken(self, broken: Mapping[Key, str]) -> "Matrix":
        """Return the matrix in which some cells have failed, for the reasons given."""
        return Matrix([_with_broken(network, broken) for network in self])


def read_matrix(study: Study, places: Places) -> Matrix:
    """Look what is there of a study.

    A cell without its file has *failed* if its job's log ends with an error, has *begun* if there is a log
    without one (the job is at work, or was killed), and is *missing* otherwise.

    Parameters
    ----------
    study : Study
    places : Places

    Returns
    -------
    Matrix
    """
    stacks = {
        Case(stack.dataset, stack.architecture, stack.steps, fold): stack
        for stack in study.stacks
        for fold in stack.folds
    }
    datasets = {
        name: _found(places.dataset(name), places.dataset_log(name), "the data set")
        for name in study.datasets
    }
    networks = []
    for case in study.cases:
        gate = study.config.accuracy_gate.get(case.dataset)
        trained, accuracy = _trained(
            case, gate, datasets[case.dataset], places, places.train_log(stacks[case])
        )
        cells = {
            member.name: _explained(case, group, member.name, trained, places)
            for group, members in study.groups_of(case).items()
            for member in members
        }
        networks.append(Network(case, accuracy, gate, trained, cells))
    return Matrix(networks)


def last_words(log: Path) -> str:
    """Return the error that a job's log ends with, or nothing if it ends with none.

    Training says a line of JSON for each epoch, and where it goes on; when it stops before its time is up
    it says so, and that is no error.
    """
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if _NO_ERROR.match(last):
        return ""
    return last if len(last) <= _LONGEST else f"{last[:_LONGEST]} ..."


def _with_broken(network: Network, broken: Mapping[Key, str]) -> Network:
    reasons = {key.explainer: reason for key, reason in broken.items() if key.case == network.case}
    return replace(
        network,
        cells={
            explainer: Found(State.FAILED, reasons[explainer]) if explainer in reasons else found
            for explainer, found in network.cells.items()
        },
    )


def _trained(
    case: Case, gate: float | None, dataset: Found, places: Places, log: Path
) -> tuple[Found, float | None]:
    network = places.network(case)
    if not network.exists():
        if not dataset.state.finished:
            return Found(State.MISSING, f"there is no data set: {dataset.reason}"), None
        return _found(network, log, "training"), None
    try:
        accuracy = _accuracy(places.metrics(case))
    except Error as error:
        return Found(State.FAILED, str(error)), None
    if gate is not None and accuracy < gate:
        return Found(State.BELOW, f"test accuracy {accuracy:.4f}, gate {gate:g}"), accuracy
    return Found(State.DONE), accuracy


def _explained(case: Case, group: str, explainer: str, trained: Found, places: Places) -> Found:
    archive, rows = places.archive(case, explainer), places.rows(case, group)
    if not archive.exists():
        if not trained.state.finished:
            return Found(State.MISSING, f"there is no network: {trained.reason}")
        return _found(archive, places.explain_log(case, group), "explaining")
    if not rows.exists():
        return _found(rows, places.score_log(case, group), "scoring")
    return trained


def _found(path: Path, log: Path, what: str) -> Found:
    if path.exists():
        return Found(State.DONE)
    if not log.exists():
        return Found(State.MISSING, f"{what} has not begun")
    if error := last_words(log):
        return Found(State.FAILED, f"{what}: {error}")
    return Found(State.BEGUN, f"{what} has begun and left neither a result nor an error")


def _accuracy(path: Path) -> float:
    """Return the test accuracy after the last epoch."""
    try:
        *_, last = path.read_text(encoding="utf-8").splitlines()
        return float(json.loads(last)["test_accuracy"])
    except OSError as error:
        raise Error(f"{path}: the metrics cannot be read ({error.strerror})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise Error(f"{path}: its last line must be JSON with test_accuracy ({error!r})") from error
