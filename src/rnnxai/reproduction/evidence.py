"""Which runs of the book a study may use, and which it still lacks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Self

import pandas as pd

from rnnxai.reproduction.identity import identities, pair_identity
from rnnxai.reproduction.records import CONFIG, RUNS
from rnnxai.scoring.table import KEYS, QUALITY
from rnnxai.study import Case, Study


@dataclass(frozen=True, eq=False)
class Evidence:
    """The runs of a study that are in the book.

    Parameters
    ----------
    runs : DataFrame
        Their rows, under the names that the study gives data sets, architectures and explainers.
    missing : list of (Case, str)
        Networks and explainers that are not there.
    likeness : DataFrame
        How alike the maps of two architectures are, where both are there.
    folds : Mapping[str, int]
        Number of folds of each data set, run or not.
    level : float
        Level of all intervals.
    """

    runs: pd.DataFrame
    missing: list[tuple[Case, str]]
    likeness: pd.DataFrame
    folds: Mapping[str, int]
    level: float = 0.95

    @property
    def networks(self) -> pd.DataFrame:
        """A row for each network, whatever explained it."""
        return self.runs.drop_duplicates([name for name in KEYS if name != "explainer"])

    @property
    def scores(self) -> list[str]:
        """Columns of the runs that are scores."""
        return [str(name) for name in self.runs if name not in (*RUNS.first, *RUNS.last)]

    def of(self, dataset: str, architecture: str, steps: int) -> pd.DataFrame:
        """Return the runs of one network, all folds and explainers."""
        runs = self.runs
        return runs[
            (runs["dataset"] == dataset) & (runs["architecture"] == architecture) & (runs["T"] == steps)
        ]

    def among(self, **names: Iterable[str]) -> Self:
        """Return the evidence of some alone, by column: data sets, architectures, explainers."""
        kept = self.runs
        for column, wanted in names.items():
            kept = kept[kept[column].isin(list(wanted))]
        return replace(self, runs=kept)

    def on_folds(self) -> pd.DataFrame:
        """Return the runs on folds of the cross-validation."""
        return self.runs[self.runs["fold"] != QUALITY]


def gather(study: Study, records: pd.DataFrame, likeness: pd.DataFrame) -> Evidence:
    """Find the runs of a study in the books.

    Parameters
    ----------
    study : Study
    records, likeness : DataFrame
        The books (:func:`rnnxai.reproduction.records.read_records`).

    Returns
    -------
    Evidence
    """
    by_identity = records.set_index(CONFIG)
    found, missing = [], []
    for (case, explainer), name in identities(study).items():
        if name not in by_identity.index:
            missing.append((case, explainer))
            continue
        named = {
            "dataset": case.dataset,
            "architecture": case.architecture,
            "T": case.steps,
            "fold": str(case.fold),
            "explainer": explainer,
        }
        found.append(by_identity.loc[name].to_dict() | named | {CONFIG: name})
    runs = pd.DataFrame(found, columns=list(records.columns))
    texts = (CONFIG, *KEYS, "relevance_steps", "ink_steps", "commit")
    runs = runs.astype({name: "float64" for name in runs if name not in texts} | {"T": "int64"})
    folds = {name: study.config.datasets[name].folds for name in study.datasets}
    beside = runs.groupby(["dataset", "T", "fold", "explainer"], sort=False)[CONFIG]
    pairs = {pair_identity(*pair) for _, names in beside for pair in combinations(names, 2)}
    alike = likeness[likeness[CONFIG].isin(pairs)]
    return Evidence(runs, missing, alike, folds, study.config.statistics.level)
