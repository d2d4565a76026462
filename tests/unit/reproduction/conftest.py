"""A small study of the thesis' names, and a book in which its networks have run."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import pytest

from rnnxai.config import check_config
from rnnxai.reproduction.evidence import Evidence, gather
from rnnxai.reproduction.identity import identities
from rnnxai.reproduction.records import LIKENESS, RUNS
from rnnxai.study import Case, Study

EXPLAINERS = ["sa", "gb", "dtd", "lrp-a1.5b0.5"]
Values = Callable[[Case, str], Mapping[str, Any]]


@pytest.fixture
def study() -> Study:
    """Return a study of three architectures on three of seven folds, and of one on single images."""
    majority = {"datasets": ["mnist-maj"], "steps": [12], "folds": [0, 1, 2]}
    columns = {
        "datasets": ["mnist"],
        "architectures": ["shallow", "deep"],
        "steps": [1, 7],
        "folds": ["quality"],
    }
    return Study(
        check_config(
            {
                "datasets": {
                    "mnist-maj": {"source": "mnist"},
                    "mnist": {"source": "mnist", "task": "columns"},
                },
                "experiments": {
                    "majority": majority | {"architectures": ["shallow", "deep", "r-lstm"]},
                    "columns": columns,
                },
                "explainers": [EXPLAINERS],
                "reproduction": {"published": "published.csv", "folder": "kept", "page": "kept.md"},
            }
        )
    )


def record(
    study: Study, case: Case, explainer: str, config: str, values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a row of the book."""
    marked = study.config.datasets[case.dataset].marked
    row: dict[str, Any] = dict.fromkeys(RUNS.columns)
    row |= {
        "config": config,
        "dataset": case.dataset,
        "architecture": case.architecture,
        "T": case.steps,
        "fold": str(case.fold),
        "explainer": explainer,
        "epochs": 100,
        "folds_together": 3,
        "accuracy": 0.98,
        "n": 10_000,
        "n_undefined": 0 if marked else None,
        "n_maps": 1000,
        "commit": "0123456789",
    }
    return row | dict(values)


@pytest.fixture
def ran(study: Study) -> Callable[[Values], Evidence]:
    """Return how to make evidence: a function of network and explainer that gives its numbers."""

    def make(values: Values) -> Evidence:
        rows = [
            record(study, case, explainer, config, values(case, explainer))
            for (case, explainer), config in identities(study).items()
        ]
        return gather(study, pd.DataFrame(rows), pd.DataFrame(columns=list(LIKENESS.columns)))

    return make
