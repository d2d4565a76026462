"""How a claim is judged: by differences within folds, corrected for what folds share and for their number."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import f

from rnnxai.figures import style
from rnnxai.reproduction.compare import shares
from rnnxai.reproduction.evidence import Evidence
from rnnxai.scoring.comparisons import Comparison, Pairwise
from rnnxai.scoring.differences import SEPARATED, differences
from rnnxai.scoring.table import QUALITY

SUPPORTED, PARTLY, MIXED, CONTRADICTED, OPEN, NOT_RUN = (
    "supported",
    "supported in part",
    "mixed",
    "contradicted",
    "not separated",
    "not run",
)
COSINE = "cosine_zero"
"""The thesis' score: the mean cosine, an undefined one counted as 0."""


@dataclass(frozen=True)
class Finding:
    """What runs say of a claim.

    Parameters
    ----------
    verdict : str
    lines : sequence of str
        The numbers behind it, a sentence each.
    """

    verdict: str
    lines: Sequence[str] = field(default_factory=tuple)


def higher(evidence: Evidence, pairs: Sequence[tuple[str, str]], score: str = COSINE) -> Finding:
    """Judge whether the first architecture of each pair scores higher than the second, under every explainer.

    Supported: each difference that has run is separated from 0 and positive; supported in part: some are, and
    none is separated the other way; contradicted: each separated one is negative; mixed: some are this and
    some that; not separated: none is separated.
    """
    table = paired(evidence, pairs, score)
    return Finding(_verdict(table), [*described(table), *_not_run(evidence, pairs, table)])


def _not_run(evidence: Evidence, pairs: Sequence[tuple[str, str]], table: pd.DataFrame) -> list[str]:
    there = set(zip(table["architecture"], table["baseline"], strict=True))
    missing = [f"{first} less {second}" for first, second in pairs if (first, second) not in there]
    return [f"Not run: {', '.join(missing)}."] if missing and there else []


def paired(evidence: Evidence, pairs: Sequence[tuple[str, str]], score: str) -> pd.DataFrame:
    """Return the differences of pairs of architectures on the folds of all data sets, in one family each."""
    runs = evidence.on_folds()
    names = tuple(dict.fromkeys(name for pair in pairs for name in pair))
    comparison = Pairwise("claim", names, (), tuple(pairs))
    scored = runs[runs[score].notna()] if score in runs else runs.iloc[:0]
    return _differences(scored, score, evidence, comparison)


def described(table: pd.DataFrame) -> list[str]:
    """Say each difference in words, one line for each data set and pair."""
    lines = []
    for (dataset, architecture, baseline), rows in table.groupby(
        ["dataset", "architecture", "baseline"], sort=False
    ):
        by_explainer = {str(row["explainer"]): row for _, row in rows.iterrows()}
        order = style.in_order(by_explainer)
        parts = [f"{style.explainer_title(name)} {_numbers(by_explainer[name])}" for name in order]
        lines.append(f"{dataset}, {architecture} less {baseline}: {'; '.join(parts)}.")
    return lines


def spread(evidence: Evidence, wide: Sequence[str], narrow: Sequence[str]) -> Finding:
    """Judge whether the cosines of some explainers vary more over architectures than those of others.

    The spread of an explainer is the standard deviation of its cosine over the architectures of a fold; the
    spreads of two explainers are compared fold by fold.
    """
    runs = evidence.on_folds()
    runs = runs[runs["explainer"].isin([*wide, *narrow]) & runs[COSINE].notna()]
    complete = runs.groupby(["dataset", "T", "fold", "architecture"])["explainer"].transform("nunique")
    runs = runs[complete == len({*wide, *narrow})]
    sizes = runs.groupby(["dataset", "T", "fold"])["architecture"].transform("nunique")
    runs = runs[sizes > 1]
    if runs.empty:
        return Finding(NOT_RUN)
    spreads = runs.groupby(["dataset", "T", "fold", "explainer"])[COSINE].std(ddof=1).reset_index()
    # Explainers take the place of architectures: what is compared is their spread.
    table = spreads.rename(columns={"explainer": "architecture"}).assign(explainer="spread")
    comparison = Comparison("claim", (*wide, *narrow), tuple(narrow))
    found = _differences(table, COSINE, evidence, comparison)
    counts = runs.groupby("dataset")["architecture"].nunique()
    lines = [f"{name}: standard deviation over {count} architectures." for name, count in counts.items()]
    for _, row in found.iterrows():
        high, low = (style.explainer_title(row[name]) for name in ("architecture", "baseline"))
        lines.append(f"{row['dataset']}, spread of {high} less that of {low}: {_numbers(row)}.")
    return Finding(_verdict(found), lines)


def alike(evidence: Evidence, within: float) -> Finding:
    """Judge whether all architectures are equally accurate, up to `within`.

    Supported: every interval of a difference to the first architecture lies inside; contradicted: one lies
    outside; else not separated.
    """
    runs = evidence.networks[evidence.networks["fold"] != QUALITY]
    lines, inside, outside = [], True, False
    for dataset, rows in runs.groupby("dataset", sort=False):
        names = list(dict.fromkeys(rows["architecture"]))
        comparison = Comparison("claim", tuple(names), tuple(names[:1]))
        found = _differences(rows.assign(explainer="accuracy"), "accuracy", evidence, comparison)
        for _, row in found.iterrows():
            ends = row["holm_low"], row["holm_high"]
            inside &= bool(np.isfinite(ends).all() and -within <= ends[0] and ends[1] <= within)
            outside |= bool(ends[0] > within or ends[1] < -within)
            low, high = (100 * end for end in ends)
            lines.append(
                f"{dataset}, {row['architecture']} less {row['baseline']}: {100 * row['difference']:+.2f} "
                f"points [{low:+.2f}, {high:+.2f}]."
            )
    if not lines:
        return Finding(NOT_RUN)
    return Finding(CONTRADICTED if outside else SUPPORTED if inside else OPEN, lines)


def wider(evidence: Evidence, pairs: Sequence[tuple[str, str]]) -> Finding:
    """Judge whether the cosines of the first of each pair vary more over folds than those of the second.

    By the F interval of the ratio of variances, which takes folds for independent.
    """
    runs, lines, above, below, total = evidence.on_folds(), [], 0, 0, 0
    for first, second in pairs:
        both = runs[runs["architecture"].isin([first, second]) & runs[COSINE].notna()]
        for (dataset, explainer), rows in both.groupby(["dataset", "explainer"], sort=False):
            values = [rows[rows["architecture"] == name][COSINE] for name in (first, second)]
            if min(map(len, values)) < 3:
                continue
            ratio = values[0].var(ddof=1) / values[1].var(ddof=1)
            freedom = [len(each) - 1 for each in values]
            tail = (1 - evidence.level) / 2
            low, high = ratio / f.ppf(1 - tail, *freedom), ratio / f.ppf(tail, *freedom)
            above, below, total = above + (low > 1), below + (high < 1), total + 1
            lines.append(
                f"{dataset}, {style.explainer_title(str(explainer))}: standard deviation of {first} "
                f"{np.sqrt(ratio):.1f} times that of {second} [{np.sqrt(low):.1f}, {np.sqrt(high):.1f}]."
            )
    return Finding(_counted(above, below, total), lines)


def last_steps(
    evidence: Evidence, architecture: str, steps: int, last: int, explainers: Sequence[str], more_than: float
) -> Finding:
    """Judge whether more than a share of the relevance of single images lies on the last steps."""
    lines, held = [], []
    for dataset in dict.fromkeys(evidence.runs["dataset"]):
        runs = evidence.of(dataset, architecture, steps)
        for explainer in explainers:
            texts = runs[runs["explainer"] == explainer]["relevance_steps"]
            parts = [shares(texts, step) for step in range(steps - last + 1, steps + 1)]
            if not len(parts[0]):
                continue
            share = float(np.sum([part.mean() for part in parts]))
            held.append(share > more_than)
            lines.append(f"{dataset}, {style.explainer_title(explainer)}: {100 * share:.1f} %.")
    if not held:
        return Finding(NOT_RUN)
    return Finding(SUPPORTED if all(held) else MIXED if any(held) else CONTRADICTED, lines)


def likeness(evidence: Evidence) -> Finding:
    """Judge whether maps of Shallow and Deep are more alike with one step than with several.

    Under each method of propagation, which the claim is about, on each data set. Other explainers are listed.
    """
    lines, held, table = [], [], evidence.likeness
    table = table[table["architecture"].isin(["shallow", "deep"]) & table["other"].isin(["shallow", "deep"])]
    for (dataset, explainer), rows in table.groupby(["dataset", "explainer"], sort=False):
        by_steps = rows.sort_values("T").set_index("T")["correlation"]
        said = ", ".join(f"{value:.2f} with T = {steps}" for steps, value in by_steps.items())
        lines.append(f"{dataset}, {style.explainer_title(str(explainer))}: {said}.")
        if 1 in by_steps.index and len(by_steps) > 1 and str(explainer).startswith(("dtd", "lrp")):
            held.append(bool(by_steps[1] > by_steps.drop(1).max()))
    if not held:
        return Finding(NOT_RUN, lines)
    return Finding(SUPPORTED if all(held) else MIXED if any(held) else CONTRADICTED, lines)


def _verdict(table: pd.DataFrame) -> str:
    separated = table[table["verdict"] == SEPARATED]
    up, down = int((separated["difference"] > 0).sum()), int((separated["difference"] < 0).sum())
    return _counted(up, down, len(table))


def _counted(up: int, down: int, total: int) -> str:
    """Return the verdict on `total` differences, of which some are separated as claimed or the other way."""
    if not total:
        return NOT_RUN
    if up and down:
        return MIXED
    if down:
        return CONTRADICTED
    return SUPPORTED if up == total else PARTLY if up else OPEN


def _differences(runs: pd.DataFrame, score: str, evidence: Evidence, comparison: Comparison) -> pd.DataFrame:
    comparisons = {name: [comparison] for name in evidence.folds}
    return differences(runs, [score], comparisons, evidence.folds, evidence.level)


def _numbers(row: "pd.Series[Any]") -> str:
    number = f"{row['difference']:+.3f}"
    if row["folds"] == 0 or pd.isna(row["holm_low"]):
        return f"{number} (one run)"
    sign = "" if row["verdict"] == SEPARATED else ", not separated"
    return f"{number} [{row['holm_low']:+.3f}, {row['holm_high']:+.3f}]{sign}"
