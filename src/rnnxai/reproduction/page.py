"""The page that sets the study beside the thesis, in Markdown."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rnnxai.figures import style
from rnnxai.figures.table_files import DASH, markdown
from rnnxai.figures.tables import differences_table
from rnnxai.reproduction.choices import CHOICES, recommendation, settle
from rnnxai.reproduction.claims import judge
from rnnxai.reproduction.compare import NOT_RUN, VERDICTS
from rnnxai.reproduction.evidence import Evidence
from rnnxai.reproduction.numbers import SOURCES, plain_table, scores, sources, three
from rnnxai.study import Study

_MINUS = "\N{MINUS SIGN}"
PICTURES = {
    "Figure 2.14": "`heatmaps/mnist-lenet...` of a run with `figures.choice: thesis`",
    "Figures 3.4 to 3.6": "`heatmaps/mnist-...` and `heatmaps/fashion-mnist-...`, likewise",
    "Figure 3.10": "`problem/mnist-maj`, and its numbers as a unit test",
    "Figures 3.11, 3.17, 3.19": "`heatmaps/mnist-maj-{depth,lstm,convolution}...`",
    "Figure 3.20": "`positive-heatmaps/mnist-maj-convolution...`",
}
"""Figures of the thesis that are pictures, and what of the results shows the same."""


class Made(NamedTuple):
    """What the page is made of.

    Parameters
    ----------
    study : Study
    evidence : Evidence
    published : DataFrame
    compared : DataFrame
        From :func:`rnnxai.reproduction.compare.compare`.
    differences : DataFrame
        From :func:`rnnxai.scoring.differences.differences`.
    """

    study: Study
    evidence: Evidence
    published: pd.DataFrame
    compared: pd.DataFrame
    differences: pd.DataFrame


def write(made: Made, command: str, pictures: Sequence[tuple[str, str]], gallery: str = "") -> str:
    """Return the page.

    Parameters
    ----------
    made : Made
    command : str
        What runs all of it.
    pictures : sequence of (str, str)
        Paths and captions of pictures to show, relative to the page.
    gallery : str, optional
        Path of a page with figures that were kept of a run, relative to this one.
    """
    parts = [
        *_head(made, command),
        *_verdicts(made.compared, gallery),
        *(f"![{caption}]({path})\n\n{caption}" for path, caption in pictures),
        *sources(made.compared),
        *_claims(made.evidence),
        *_choices(made),
        *scores(made.evidence),
        *_differences(made.differences),
        *_runs(made),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _head(made: Made, command: str) -> Iterator[str]:
    yield "# The thesis, reproduced"
    yield (
        "Every number of the tables and figures of “Designing Recurrent Neural Networks for Explainability” "
        "(2018) beside ours. This page is written by the study itself, from "
        "[the book of finished runs](reproduction/scores.csv) and "
        "[the published values](reproduction/published.csv). What did not run says so, and nothing is "
        "extrapolated."
    )
    total = len(made.evidence.missing) + len(made.evidence.runs)
    yield (
        f"Of {total} cells of the study (a network and an explainer), {len(made.evidence.runs)} have run "
        f"so far. The command is\n\n```\n{command}\n```\n\nEach network that is finished puts its rows "
        "into the book, and rows count as long as the settings behind them are those of `config.yaml`: a "
        "bigger machine only adds."
    )


def _verdicts(compared: pd.DataFrame, gallery: str) -> Iterator[str]:
    yield "## In short"
    yield (
        "The rule was fixed before anything ran. An accuracy is *reproduced* if it is at most half a "
        "point below the published one (better is good); a cosine, within .03 or twice the half-width of "
        "the published interval; a share of relevance at a step, within .03; a count of parameters, if it "
        "is equal. Where a published value cannot be compared, the reason is given. Published cosines of "
        "FashionMNIST-MAJ are *held*: kept back to check the finished study against."
    )
    rows = []
    for source, title in SOURCES.items():
        own = compared[compared["source"] == source]
        counts = own["verdict"].value_counts()
        rows.append({"source": source, "what": title} | {name: int(counts.get(name, 0)) for name in VERDICTS})
    columns = {"source": "thesis", "what": "numbers", **{name: name for name in VERDICTS}}
    yield plain_table(
        pd.DataFrame(rows), columns, {name: lambda n: str(n) if n else DASH for name in VERDICTS}
    )
    pictures = "\n".join(f"- {figure}: {where}" for figure, where in PICTURES.items())
    yield f"Figures that are pictures are drawn by the same run, in `results/figures/`:\n\n{pictures}"
    if gallery:
        yield f"Some of them [are kept]({gallery})."


def _claims(evidence: Evidence) -> Iterator[str]:
    yield "## The claims, one by one"
    yield (
        "Differences are taken within folds; in brackets their interval, corrected for the training data "
        "that folds share and for the number of differences of a claim on a data set (Holm). *Supported*: "
        "every difference that has run is separated from 0 in the claimed direction; *in part*: some "
        "are, and none the other way; *contradicted*: each separated one points the other way; *mixed*: some "
        "do; *not separated*: none is."
    )
    for number, (claim, finding) in enumerate(judge(evidence), 1):
        yield f"### {number}. {claim.says}"
        verdict = f"**{finding.verdict[0].upper()}{finding.verdict[1:]}.**"
        yield f"{verdict} ({claim.where}.) The thesis' own figures: {claim.published}"
        if finding.lines:
            yield "\n".join(f"- {_minus(line)}" for line in finding.lines)


def _choices(made: Made) -> Iterator[str]:
    yield "## Open choices, settled by runs"
    for choice in CHOICES:
        yield f"### {choice.question}"
        settled = settle(choice, made.evidence, made.published)
        yield recommendation(choice, settled)
        if len(settled):
            columns = {
                "dataset": "data set",
                "architecture": "architecture",
                "explainer": "explainer",
                "score": "number",
                "folds": "folds",
                "chosen": choice.chosen,
                "alternative": choice.alternative,
                "published": "published",
            }
            table = settled.assign(score=settled["score"].replace({"cosine_zero": "cosine"}))
            texts = {
                side: [_number(row["score"], row[side]) for row in settled.to_dict("records")]
                for side in ("chosen", "alternative", "published")
            }
            titled = {"explainer": lambda name: style.explainer_title(name) if name else DASH}
            yield plain_table(table, columns, titled, texts)


def _differences(differences: pd.DataFrame) -> Iterator[str]:
    yield "## Differences between architectures"
    cosines = differences[differences["score"] == "cosine"]
    if cosines.empty:
        yield "Nothing to compare has run."
        return
    yield markdown(differences_table(cosines))
    yield "Those of the other scores are in [differences.csv](reproduction/differences.csv)."


def _runs(made: Made) -> Iterator[str]:
    yield "## What has run, and what has not"
    runs, rows = made.evidence.runs, []
    for experiment, settings in made.study.config.experiments.items():
        for dataset in settings.datasets:
            for architecture in settings.architectures:
                own = runs[
                    (runs["dataset"] == dataset)
                    & (runs["architecture"] == architecture)
                    & runs["T"].isin(settings.steps)
                    & runs["fold"].isin(list(map(str, settings.folds)))
                ]
                networks = own.drop_duplicates(["T", "fold"])
                rows.append(
                    {
                        "experiment": experiment,
                        "dataset": dataset,
                        "architecture": architecture,
                        "networks": f"{len(networks)} of {len(settings.steps) * len(settings.folds)}"
                        if len(networks)
                        else NOT_RUN,
                        "epochs": _listed(networks["epochs"]),
                        "together": _listed(networks["folds_together"]),
                        "commit": " ".join(sorted({str(commit) for commit in networks["commit"]})) or DASH,
                    }
                )
    yield (
        "Networks that count (steps x folds), how many epochs they were trained for, how many folds one job "
        "trained together, and the version of the code that explained and scored them."
    )
    yield plain_table(
        pd.DataFrame(rows),
        {
            "experiment": "experiment",
            "dataset": "data set",
            "architecture": "architecture",
            "networks": "networks",
            "epochs": "epochs",
            "together": "folds together",
            "commit": "commit",
        },
    )


def _number(score: str, value: Any) -> str:
    if pd.isna(value):
        return DASH
    return f"{100 * value:.2f}" if score == "accuracy" else three(value)


def _listed(values: "pd.Series[float]") -> str:
    return ", ".join(f"{int(value)}" for value in np.unique(values.dropna().to_numpy(dtype=float))) or DASH


def _minus(text: str) -> str:
    return text.replace(" -", f" {_MINUS}").replace("[-", f"[{_MINUS}").replace("_", " ")
