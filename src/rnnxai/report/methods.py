"""What a study was made of, in tables: data sets, architectures, explainers, scores, training."""

from collections.abc import Mapping
from typing import Any

import yaml

from rnnxai.data.sources import SOURCES
from rnnxai.data.tasks import TASKS
from rnnxai.explain.methods import METHODS
from rnnxai.figures.style import explainer_title, in_order
from rnnxai.models.zoo import MODELS
from rnnxai.report.tables import Column, Table
from rnnxai.scoring.scores import SCORES
from rnnxai.study import Study


def read_methods(study: Study) -> dict[str, Table]:
    """Describe what a study was made of.

    Parameters
    ----------
    study : Study

    Returns
    -------
    dict
        Heading to table.
    """
    return {
        "Data sets": _datasets(study),
        "Architectures": _architectures(study),
        "Explainers": _explainers(study),
        "Scores": _scores(study),
        "Training": _training(study),
    }


def _datasets(study: Study) -> Table:
    rows = []
    for name in study.datasets:
        of = study.config.datasets[name]
        details = f"{of.folds} folds, seed {of.seed}"
        if of.repeats > 1:
            details += f", each image {of.repeats} times the first of a sequence"
        if of.leak_free:
            details += ", no image in two folds"
        size = "{} \N{MULTIPLICATION SIGN} {}".format(*of.image_size)
        rows.append([name, SOURCES[of.source], TASKS[of.task], size, details])
    return _table(["data set", "images", "task", "pixels", "splits"], rows)


def _architectures(study: Study) -> Table:
    steps: dict[str, set[int]] = {}
    for case in study.cases:
        steps.setdefault(case.architecture, set()).add(case.steps)
    rows = []
    for name in in_order(steps):
        settings = study.architecture(name)
        cell = MODELS[settings.cell] if settings.cell == name else f"{settings.cell}: {MODELS[settings.cell]}"
        rows.append([name, cell, _options(settings.sizes), ", ".join(map(str, sorted(steps[name])))])
    return _table(["architecture", "cell", "sizes of its own", "T"], rows)


def _explainers(study: Study) -> Table:
    members = {member.name: member for group in study.groups.values() for member in group}.values()
    rows = [
        [explainer_title(member.name), member.method, METHODS[member.method], _options(member.options)]
        for member in members
    ]
    return _table(["explainer", "method", "what it is", "options"], rows)


def _scores(study: Study) -> Table:
    rows = [[score.name, SCORES[score.score], _options(score.options)] for score in study.config.scores]
    return _table(["score", "what it is", "options"], rows)


def _training(study: Study) -> Table:
    """Return the settings of training, and which networks have others."""
    exceptions: dict[str, list[str]] = {}
    for override in study.config.overrides:
        when = _options(override.when.model_dump(exclude_none=True)) or "all"
        for name, value in override.set.items():
            exceptions.setdefault(name, []).append(f"{_value(value)} ({when})")
    rows = [
        [name.replace("_", " "), _value(value), "; ".join(exceptions.get(name, []))]
        for name, value in study.config.train.model_dump().items()
    ]
    gates = _options(study.config.accuracy_gate)
    if gates:
        rows.append(["accuracy gate", gates, ""])
    return _table(["setting", "value", "except"], rows)


def _table(titles: list[str], rows: list[list[str]]) -> Table:
    """Return a table without the columns in which nothing stands."""
    used = [place for place in range(len(titles)) if any(row[place] for row in rows)]
    return Table([Column(titles[place]) for place in used], [[row[place] for place in used] for row in rows])


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_value(value)}" for name, value in options.items())


def _value(value: Any) -> str:
    if value is None:
        return "each architecture's own"
    if isinstance(value, Mapping | list | tuple):
        return yaml.safe_dump(value, default_flow_style=True, width=1000).strip()
    return str(value)
