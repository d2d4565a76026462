"""What the sources leave open, settled by small studies: a choice, its alternative, and runs under both."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rnnxai.reproduction.compare import TOLERANCE
from rnnxai.reproduction.evidence import Evidence

EXPLAINERS = ("sa", "gb", "dtd", "lrp-a1.5b0.5")
_COSINE = "cosine_zero"
_CELL = ("dataset", "architecture", "explainer", "score")


@dataclass(frozen=True)
class Choice:
    """Something that the sources leave open.

    Parameters
    ----------
    question : str
    chosen, alternative : str
        What the study does, and what else might be right.
    instead : Mapping[str, Mapping[str, str]]
        What is called otherwise under the alternative: of "dataset", "architecture", "explainer" or "score",
        each name with the other one.
    explainers : tuple of str
        What the choice matters to.
    accuracy : bool
        Whether it changes the network.
    by : str
        What decides: "published", the one that comes nearer to the published values, or "difference", whether
        there is any.
    """

    question: str
    chosen: str
    alternative: str
    instead: Mapping[str, Mapping[str, str]]
    explainers: tuple[str, ...] = EXPLAINERS
    accuracy: bool = True
    by: str = "published"


_DENSE = ("shallow", "deep", "r-lstm")

CHOICES = (
    Choice(
        "Biases: the text starts them at -0.01 and trains them; in the code they are 0 for ever.",
        "as in the text",
        "no biases",
        {"architecture": {name: f"{name}-no-bias" for name in _DENSE}},
    ),
    Choice(
        "Pooling: the text says sum; the code takes twice the average of the cells that are there.",
        "as in the code",
        "sum",
        {"architecture": {"conv-deep": "conv-deep-sum"}},
    ),
    Choice(
        "Folds: sequences were drawn before they were split, so an image can stand in training and test.",
        "as in the thesis",
        "no image in two folds",
        {"dataset": {"mnist-maj": "mnist-maj-leak-free"}},
        by="difference",
    ),
    Choice(
        "Negative relevance is left out of the cosine: pixel by pixel, or of the sums of blocks?",
        "pixel by pixel",
        "sums of blocks",
        {"score": {_COSINE: "cosine_blocks"}},
        explainers=("lrp-a1.5b0.5",),
        accuracy=False,
    ),
    Choice(
        "Guided backprop at gates: the text sets their derivative to zero, what is left of the code does "
        "not.",
        "derivative 0",
        "true derivative",
        {"explainer": {"gb": "gb-through-gates"}},
        explainers=("gb",),
        accuracy=False,
    ),
)


def settle(choice: Choice, evidence: Evidence, published: pd.DataFrame) -> pd.DataFrame:
    """Set the runs of a choice beside those of its alternative, on the folds that both have.

    Parameters
    ----------
    choice : Choice
    evidence : Evidence
    published : DataFrame
        From :func:`rnnxai.reproduction.published.read_published`.

    Returns
    -------
    DataFrame
        A row for each cell: ``dataset``, ``architecture``, ``explainer``, ``score``, ``folds`` (in common),
        ``chosen``, ``alternative`` (means over them) and ``published`` (NaN where there is none).
    """
    runs, rows = evidence.on_folds(), []
    scores = ["accuracy"] if choice.accuracy else []
    for score in [*scores, _COSINE]:
        explainers = choice.explainers[:1] if score == "accuracy" else choice.explainers
        ours = runs[runs["explainer"].isin(explainers)]
        for cell, group in ours.groupby(["dataset", "architecture", "T", "explainer"], sort=False):
            dataset, architecture, explainer = (str(cell[place]) for place in (0, 1, 3))
            steps = int(group["T"].iloc[0])
            names = {"dataset": dataset, "architecture": architecture, "explainer": explainer, "score": score}
            if not _concerns(choice, names):
                continue
            other = {key: choice.instead.get(key, {}).get(name, name) for key, name in names.items()}
            alternative = runs[
                (runs["T"] == steps)
                & (runs["dataset"] == other["dataset"])
                & (runs["architecture"] == other["architecture"])
                & (runs["explainer"] == other["explainer"])
            ]
            if other["score"] not in runs:
                continue
            both = group.set_index("fold")[score].to_frame("chosen")
            both = both.join(alternative.set_index("fold")[other["score"]].rename("alternative")).dropna()
            if len(both):
                rows.append(
                    names
                    | {"explainer": "" if score == "accuracy" else explainer, "folds": len(both)}
                    | both.mean().to_dict()
                    | {"published": _published(published, names, steps)}
                )
    columns = [*_CELL, "folds", "chosen", "alternative", "published"]
    return pd.DataFrame(rows, columns=columns)


def recommendation(choice: Choice, settled: pd.DataFrame) -> str:
    """Say which side a choice should come down on, by a rule fixed beforehand.

    By "published": the side whose cosines are nearer to the published ones on average; where the two differ
    by less than a tenth of the tolerance, it does not matter. By "difference": whether any cell differs by
    more than the tolerance.
    """
    if settled.empty:
        return "Not run."
    cosines = settled[settled["score"] != "accuracy"]
    largest = float((cosines["alternative"] - cosines["chosen"]).abs().max())
    if choice.by == "difference":
        within = largest <= TOLERANCE["cosine"]
        much = "at most" if within else "up to"
        which = "The choice does not matter to the cosine" if within else "It matters"
        return f"{which}: cosines differ by {much} {largest:.3f}."
    known = cosines.dropna(subset="published")
    if known.empty:
        return f"Nothing published to go by; cosines differ by at most {largest:.3f}."
    off = {side: float((known[side] - known["published"]).abs().mean()) for side in ("chosen", "alternative")}
    said = (
        f"Mean distance to the published cosines: {off['chosen']:.3f} as chosen, "
        f"{off['alternative']:.3f} otherwise"
    )
    if abs(off["chosen"] - off["alternative"]) < TOLERANCE["cosine"] / 10:
        return f"{said}; the choice does not matter to them. Keep “{choice.chosen}”."
    nearer = choice.chosen if off["chosen"] < off["alternative"] else choice.alternative
    return f"{said}. “{nearer[0].upper()}{nearer[1:]}” is nearer."


def _concerns(choice: Choice, names: Mapping[str, Any]) -> bool:
    return all(names[key] in others for key, others in choice.instead.items() if key != "score")


def _published(published: pd.DataFrame, names: Mapping[str, Any], steps: int) -> float:
    metric = "accuracy" if names["score"] == "accuracy" else "cosine"
    rows = published[
        (published["metric"] == metric)
        & (published["folds"] == "folds")
        & (published["dataset"] == names["dataset"])
        & (published["architecture"] == names["architecture"])
        & (published["steps"] == steps)
    ]
    if metric == "cosine":
        rows = rows[rows["explainer"] == names["explainer"]]
    return float(rows["value"].iloc[0]) if len(rows) else np.nan
