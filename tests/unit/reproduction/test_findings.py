"""Claims and choices: what runs make of them."""

import numpy as np
import pandas as pd
import pytest

from rnnxai.reproduction.choices import CHOICES, Choice, recommendation, settle
from rnnxai.reproduction.claims import CLAIMS, judge
from rnnxai.reproduction.evidence import Evidence
from rnnxai.reproduction.findings import alike, higher, last_steps, likeness, spread, wider
from rnnxai.reproduction.records import LIKENESS
from rnnxai.scoring.statistics import corrected_interval

NOISE = {0: -0.002, 1: 0.0, 2: 0.003}
"""What a fold adds to the cosine of every network, and a tenth of it to some."""


def cosines(means, own=0.1):
    """Return cosines by architecture and explainer: a mean, what the fold adds, and a little of its own."""

    def values(case, explainer):
        if case.dataset != "mnist-maj":
            return {}
        mean = means[case.architecture]
        mean = mean[explainer] if isinstance(mean, dict) else mean
        noise = NOISE[case.fold] * (1 + own * len(case.architecture) * len(explainer) / 5)
        return {"cosine_zero": mean + noise, "cosine": mean + noise, "accuracy": 0.98 + noise / 10}

    return values


@pytest.mark.parametrize(
    ("means", "verdict"),
    [
        ({"shallow": 0.5, "deep": 0.7, "r-lstm": 0.9}, "supported"),
        ({"shallow": 0.7, "deep": 0.5, "r-lstm": 0.9}, "contradicted"),
        ({"shallow": 0.5, "deep": 0.5001, "r-lstm": 0.9}, "not separated"),
        (
            {
                "shallow": 0.6,
                "deep": {"sa": 0.6, "gb": 0.6001, "dtd": 0.7, "lrp-a1.5b0.5": 0.7},
                "r-lstm": 0.9,
            },
            "supported in part",
        ),
        (
            {
                "shallow": 0.6,
                "deep": {"sa": 0.5, "gb": 0.5, "dtd": 0.7, "lrp-a1.5b0.5": 0.7},
                "r-lstm": 0.9,
            },
            "mixed",
        ),
    ],
)
def test_an_architecture_is_above_another_under_every_explainer(ran, means, verdict):
    finding = higher(ran(cosines(means)), [("deep", "shallow")])
    assert finding.verdict == verdict
    assert len(finding.lines) == 1
    assert finding.lines[0].count("SA") == finding.lines[0].count("DTD") == 1


def test_what_has_not_run_says_so(ran):
    evidence = ran(cosines({"shallow": 0.5, "deep": 0.7, "r-lstm": 0.9}))
    assert higher(evidence, [("deep-v2", "shallow")]).verdict == "not run"
    nothing = Evidence(evidence.runs.iloc[:0], [], evidence.likeness, evidence.folds)
    assert {finding.verdict for _, finding in judge(nothing)} == {"not run"}
    assert len(judge(nothing)) == len(CLAIMS) == 13


def test_the_interval_of_a_difference_is_the_corrected_one_of_paired_folds(ran):
    evidence = ran(cosines({"shallow": 0.5, "deep": 0.7, "r-lstm": 0.9}))
    runs = evidence.on_folds()
    one = runs[runs["explainer"] == "dtd"]
    values = [one[one["architecture"] == name]["cosine_zero"].to_numpy() for name in ("deep", "shallow")]
    low, high = corrected_interval(values[0] - values[1], 1 / 6)
    # A family of one: nothing to adjust for.
    only = Evidence(one, [], evidence.likeness, evidence.folds)
    assert f"[{low:+.3f}, {high:+.3f}]" in higher(only, [("deep", "shallow")]).lines[0]


@pytest.mark.parametrize(
    ("reach", "verdict"), [(0.4, "supported"), (0.01, "contradicted"), (0.1, "not separated")]
)
def test_the_spread_over_architectures_is_compared_between_explainers(ran, reach, verdict):
    propagation = {"shallow": 0.5, "deep": 0.5 + reach / 2, "r-lstm": 0.5 + reach}
    means = {
        name: {"sa": gradient, "gb": gradient, "dtd": propagation[name], "lrp-a1.5b0.5": propagation[name]}
        for name, gradient in {"shallow": 0.7, "deep": 0.75, "r-lstm": 0.8}.items()
    }
    assert spread(ran(cosines(means)), ("dtd", "lrp-a1.5b0.5"), ("sa", "gb")).verdict == verdict


@pytest.mark.parametrize(("apart", "verdict"), [(0.0, "supported"), (0.05, "contradicted")])
def test_equal_accuracy_is_a_matter_of_intervals(ran, apart, verdict):
    def values(case, explainer):
        off = apart if case.architecture == "deep" else 0.0
        return {"accuracy": 0.9 + off + NOISE.get(case.fold, 0) * len(case.architecture) / 50}

    assert alike(ran(values), within=0.01).verdict == verdict


@pytest.mark.parametrize(
    ("deep", "verdict"), [(100.0, "supported"), (1.0, "not separated"), (0.01, "contradicted")]
)
def test_one_interval_is_wider_than_another(ran, deep, verdict):
    def values(case, explainer):
        factor = deep if case.architecture == "deep" else 1.0
        return {"cosine_zero": 0.5 + factor * NOISE.get(case.fold, 0)}

    assert wider(ran(values), [("deep", "shallow")]).verdict == verdict


@pytest.mark.parametrize(("last", "verdict"), [(0.5, "supported"), (0.3, "contradicted")])
def test_the_share_of_the_last_steps(ran, last, verdict):
    def values(case, explainer):
        rest = (1 - 0.45 - last) / 4
        return (
            {"relevance_steps": " ".join(map(str, [rest] * 4 + [0.2, 0.25, last]))} if case.steps == 7 else {}
        )

    finding = last_steps(ran(values), "shallow", 7, 3, ["dtd"], more_than=0.9)
    assert finding.verdict == verdict
    assert f"{100 * (0.45 + last):.1f} %" in finding.lines[0]


@pytest.mark.parametrize(("one_step", "verdict"), [(0.9, "supported"), (0.2, "contradicted")])
def test_maps_are_more_alike_with_one_step(ran, one_step, verdict):
    evidence = ran(lambda *_: {})
    rows = [
        {"dataset": "mnist", "architecture": name, "other": "shallow", "T": steps, "explainer": explainer}
        | {"correlation": value}
        for name in ("deep", "lenet")
        for steps, value in ((1, one_step if name == "deep" else 0.5), (7, 0.4))
        for explainer in ("sa", "dtd")
    ]
    table = pd.DataFrame(rows, columns=list(LIKENESS.columns))
    finding = likeness(Evidence(evidence.runs, [], table, evidence.folds))
    assert finding.verdict == verdict
    assert len(finding.lines) == 2


# --- open choices -------------------------------------------------------------------------------------------

CHOICE = Choice(
    "Deep, or R-LSTM?",
    "deep",
    "r-lstm",
    {"architecture": {"deep": "r-lstm"}},
    explainers=("dtd",),
)
KNOWN = {
    "metric": ["cosine"],
    "folds": ["folds"],
    "dataset": ["mnist-maj"],
    "architecture": ["deep"],
    "steps": [12],
    "explainer": ["dtd"],
}


@pytest.mark.parametrize(
    ("published", "said"),
    [(0.7, "“Deep” is nearer"), (0.9, "“R-lstm” is nearer"), (0.8, "does not matter")],
)
def test_a_choice_falls_on_the_side_nearer_to_what_was_published(ran, published, said):
    evidence = ran(cosines({"shallow": 0.5, "deep": 0.7, "r-lstm": 0.9}, own=0))
    settled = settle(CHOICE, evidence, pd.DataFrame(KNOWN | {"value": [published]}))
    assert list(settled["score"]) == ["accuracy", "cosine_zero"]
    assert settled["folds"].tolist() == [3, 3]
    assert settled["alternative"].iloc[1] - settled["chosen"].iloc[1] == pytest.approx(0.2)
    assert said in recommendation(CHOICE, settled)


def test_a_choice_of_the_score_compares_columns_of_the_same_runs(ran):
    choice = next(choice for choice in CHOICES if "score" in choice.instead)
    evidence = ran(lambda *_: {"cosine_zero": 0.5, "cosine_blocks": 0.6})
    settled = settle(choice, evidence, pd.DataFrame(KNOWN | {"value": [0.7]}))
    assert set(settled["explainer"]) == {"lrp-a1.5b0.5"}
    assert np.allclose(settled["alternative"] - settled["chosen"], 0.1)


def test_choices_name_what_the_study_of_the_repository_has():
    from pathlib import Path

    from rnnxai.config import read_config
    from rnnxai.study import Study

    study = Study(read_config(Path(__file__).parents[3] / "config.yaml"))
    there = {
        "dataset": set(study.datasets),
        "architecture": {case.architecture for case in study.cases},
        "explainer": {member.name for group in study.groups.values() for member in group},
        "score": {"cosine_zero", *(score.name.replace("-", "_") for score in study.config.scores)},
    }
    for choice in CHOICES:
        for kind, others in choice.instead.items():
            assert {*others, *others.values()} <= there[kind]
