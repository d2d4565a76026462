"""What decides a score, in twelve letters: runs of one identity may stand in for each other."""

import hashlib
import json
from dataclasses import asdict

from rnnxai.config_sections import ExplainerSettings
from rnnxai.study import Case, Study

_HOW = {"device", "threads"}
"""Training settings that say how to compute and not what."""
_LETTERS = 12


def identity(study: Study, case: Case, explainer: ExplainerSettings) -> str:
    """Return the hash of all settings that the scores of one network and explainer hang on.

    The recipe of the data set, the cell and its sizes, the steps, the fold, the training settings and the
    explainer's method and options. Names that the configuration gives are no part of it, nor is what changes
    only the last bits: the machine, its threads, how many folds are trained together. So a study that grows
    keeps its earlier runs, and those of another machine fit in.

    Parameters
    ----------
    study : Study
    case : Case
        One of its networks.
    explainer : ExplainerSettings
        One of its explainers.

    Returns
    -------
    str
        Hexadecimal.
    """
    training = study.train_settings(case.dataset, case.architecture, case.steps)
    parts = {
        "dataset": asdict(study.config.datasets[case.dataset]),
        "architecture": study.architecture(case.architecture).model_dump(),
        "steps": case.steps,
        "fold": case.fold,
        "training": training.model_dump(exclude=_HOW),
        "explainer": explainer.model_dump(exclude={"name"}),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:_LETTERS]


def identities(study: Study) -> dict[tuple[Case, str], str]:
    """Return the identity of every network of a study with every explainer, by its name."""
    return {
        (case, explainer.name): identity(study, case, explainer)
        for case in study.cases
        for explainer in study.explainers_of(case)
    }


def pair_identity(first: str, second: str) -> str:
    """Return the identity of what two runs have in common, whichever comes first."""
    return hashlib.sha256(" ".join(sorted((first, second))).encode()).hexdigest()[:_LETTERS]
