"""Where the workflow puts things below the results folder, as results/README.md says."""

from dataclasses import dataclass
from pathlib import Path

from rnnxai.study import Case, Stack


@dataclass(frozen=True)
class Places:
    """Paths of the outputs and logs of a study.

    Parameters
    ----------
    results : Path
        The results folder.
    """

    results: Path

    def dataset(self, name: str) -> Path:
        """Return the data set file."""
        return self.results / "datasets" / f"{name}.h5"

    def network(self, case: Case) -> Path:
        """Return the weights of a network."""
        return self.results / "models" / f"{path_of(case)}.safetensors"

    def metrics(self, case: Case) -> Path:
        """Return the loss and accuracy of a network, a line for each epoch."""
        return self.results / "models" / f"{path_of(case)}.metrics.jsonl"

    def archive(self, case: Case, explainer: str) -> Path:
        """Return the attribution file of a network and explainer."""
        return self.results / "archives" / path_of(case) / f"{explainer}.attribution.h5"

    def rows(self, case: Case, group: str) -> Path:
        """Return the scores of a network and group of explainers, a row for each archive."""
        return self.results / "scores" / path_of(case) / f"{group}.scores.csv"

    @property
    def scores(self) -> Path:
        """The scores of the study, a row for each archive."""
        return self.results / "scores" / "scores.csv"

    @property
    def summary(self) -> Path:
        """The scores of the study over folds."""
        return self.results / "scores" / "summary.csv"

    @property
    def figures(self) -> list[Path]:
        """The figures there are, as PNG."""
        return sorted(self.results.glob("figures/*/*.png"))

    @property
    def tables(self) -> list[Path]:
        """The tables there are, for reading and of numbers."""
        return sorted([*self.results.glob("tables/*.csv"), *self.results.glob("scores/*.csv")])

    def dataset_log(self, name: str) -> Path:
        """Return what the job said that made a data set."""
        return self.results / "logs" / "dataset" / f"{name}.log"

    def train_log(self, stack: Stack) -> Path:
        """Return what the job said that trained some folds."""
        folds = "-".join(map(str, stack.folds))
        network = f"{stack.dataset}/{stack.architecture}/t{stack.steps}"
        return self.results / "logs" / "train" / network / f"folds-{folds}.log"

    def explain_log(self, case: Case, group: str) -> Path:
        """Return what the job said that explained a network with a group of methods."""
        return self.results / "logs" / "explain" / path_of(case) / f"{group}.log"

    def score_log(self, case: Case, group: str) -> Path:
        """Return what the job said that scored a network's archives."""
        return self.results / "logs" / "score" / path_of(case) / f"{group}.log"


def path_of(case: Case) -> str:
    """Return where a case's files are, inside models/, archives/ and scores/."""
    return f"{case.dataset}/{case.architecture}/t{case.steps}/fold-{case.fold}"
