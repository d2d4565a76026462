"""Tables of the page: published numbers beside ours, and all scores."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from rnnxai.figures import style
from rnnxai.figures.table_files import DASH, Format, Printed, markdown
from rnnxai.reproduction.compare import NOT_REPRODUCED, REPRODUCED
from rnnxai.reproduction.evidence import Evidence
from rnnxai.reproduction.published import HELD
from rnnxai.scoring.statistics import corrected_interval, reference_levels
from rnnxai.scoring.table import QUALITY

SOURCES = {
    "Table 3.3": "Parameters of Experiment 1",
    "Table 3.4": "Accuracy of Experiment 1",
    "Figure 3.7": "Relevance along the steps of a digit 1",
    "Table 3.5": "Parameters and accuracy of Experiment 2, fixed split",
    "Table 3.6": "Parameters and accuracy of Experiment 3, fixed split",
    "Appendix 1": "Accuracy on the folds",
    "Figure 3.12": "Cosine of Experiment 2",
    "Figure 3.18": "Cosine of Experiment 3, gates and stationary dropout",
    "Figure 3.21": "Cosine of Experiment 3, convolutions",
    "Figure 2.14": "Accuracy of the LeNet-type network",
    "mnist-explanation": "Accuracy of the CNN of the repository mnist-explanation",
}
"""What has numbers to compare, in the order of the page."""
_MINUS = "\N{MINUS SIGN}"
_PER_STEP = ("relevance-per-step", "ink-per-step")
_MEANS = {
    "cosine_zero": "undefined as 0",
    "cosine_correct": "right only",
    "majority_share": "share",
    "ink_share": "ink",
    "mass_accuracy": "mass",
    "rank_accuracy": "rank",
}


def sources(compared: pd.DataFrame) -> Iterator[str]:
    """Yield a table for each table and figure of the thesis that has numbers."""
    yield "## Tables and figures"
    for source, title in SOURCES.items():
        rows = compared[compared["source"] == source]
        if rows.empty:
            continue
        yield f"### {source}: {title}"
        shown = rows[(rows["verdict"] != HELD) | rows["ours"].notna()]
        yield _per_step(rows) if rows["metric"].isin(_PER_STEP).all() else _numbers(shown)
        held = rows[rows["verdict"] == HELD]
        if len(held):
            yield f"Published values of {', '.join(dict.fromkeys(held['dataset']))}: held."
        notes = dict.fromkeys(note for note in rows["note"] if note and note != HELD)
        if notes:
            yield "\n".join(f"Not comparable: {note}." for note in notes)


def _numbers(rows: pd.DataFrame) -> str:
    records = rows.to_dict("records")
    texts = {
        "published_text": [_value(row, row["value"], row["low"], row["high"]) for row in records],
        "ours_text": [_value(row, row["ours"], row["ours_low"], row["ours_high"]) for row in records],
        "difference_text": [_signed(row, row["difference"]) for row in records],
        "within_text": [_unsigned(row, row["within"]) for row in records],
    }
    columns = {"metric": "number", "dataset": "data set", "architecture": "architecture", "steps": "T"}
    columns |= {"explainer": "explainer"} if (rows["explainer"] != "").any() else {}
    columns |= {
        "published_text": "published",
        "ours_text": "ours",
        "runs": "runs",
        "difference_text": "difference",
        "within_text": "allowed",
        "verdict": "verdict",
    }
    if rows["metric"].nunique() == 1:
        del columns["metric"]
    if (rows["dataset"] == "").all():
        del columns["dataset"]
    return plain_table(
        rows, columns, {"explainer": style.explainer_title, "dataset": lambda name: name or DASH}, texts
    )


def _per_step(rows: pd.DataFrame) -> str:
    """Put the shares of all steps of a curve into one row."""
    lines = []
    for (metric, dataset, architecture, explainer), curve in rows.groupby(
        ["metric", "dataset", "architecture", "explainer"], sort=False
    ):
        found = curve.sort_values("step")
        ran = found["ours"].notna().all()
        good = int((found["verdict"] == REPRODUCED).sum())
        partly = f"{NOT_REPRODUCED}: {good} of {len(found)} steps are"
        lines.append(
            {
                "dataset": dataset,
                "curve": "ink"
                if metric == "ink-per-step"
                else f"{style.explainer_title(str(explainer))}, {architecture}",
                "published": _shares(found["value"]),
                "ours": _shares(found["ours"]) if ran else DASH,
                "largest": style.number(found["difference"].abs().max()) if ran else DASH,
                "verdict": found["verdict"].iloc[0] if found["verdict"].nunique() == 1 else partly,
            }
        )
    headings = {
        "dataset": "data set",
        "curve": "curve",
        "published": "published, steps 1 to 7",
        "ours": "ours",
        "largest": "largest difference",
        "verdict": "verdict",
    }
    return plain_table(pd.DataFrame(lines), headings)


def scores(evidence: Evidence) -> Iterator[str]:
    """Yield all our scores of samples with marks."""
    yield "## All scores"
    marked = evidence.runs[evidence.runs["n_undefined"].notna()] if len(evidence.runs) else evidence.runs
    if marked.empty:
        yield "Nothing with marks has run."
        return
    yield (
        "Means over runs. The cosine in three ways: over samples that have one (with its interval, "
        "corrected for the training data that folds share), with undefined ones counted as 0 as the "
        "thesis does, and over right predictions only. Share: the thesis' first metric, relevance on "
        "majority blocks. The look of the maps: relevance on ink within majority blocks (ink), of all "
        "relevance (mass), and the share of the most relevant pixels that are such ink (rank). Undefined: "
        "samples without positive relevance."
    )
    rows = []
    for (dataset, architecture, steps, fixed, explainer), runs in marked.groupby(
        ["dataset", "architecture", "T", marked["fold"] == QUALITY, "explainer"], sort=False
    ):
        rows.append(
            {
                "dataset": dataset,
                "architecture": architecture,
                "T": steps,
                "split": "fixed" if fixed else "folds",
                "explainer": explainer,
                "runs": len(runs),
                "cosine": _with_interval(runs["cosine"], evidence, str(dataset), bool(fixed)),
                **{name: runs[name].mean() for name in _MEANS if name in runs},
                "undefined": f"{int(runs['n_undefined'].sum())} of {int(runs['n'].sum()):,}",
            }
        )
    levels = ", ".join(f"{name} {style.number(level, 4)}" for name, level in reference_levels().items())
    headings = {
        "dataset": "data set",
        "architecture": "architecture",
        "T": "T",
        "split": "split",
        "explainer": "explainer",
        "runs": "runs",
        "cosine": "cosine",
        **{name: title for name, title in _MEANS.items() if name in marked},
        "undefined": "undefined",
    }
    yield plain_table(
        pd.DataFrame(rows), headings, {"explainer": style.explainer_title} | dict.fromkeys(_MEANS, three)
    )
    yield f"Cosines of explanations that look at nothing, on three blocks: {levels}."


def plain_table(
    table: pd.DataFrame,
    columns: Mapping[str, str],
    formats: Mapping[str, Format] | None = None,
    texts: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Return a table in Markdown without a caption."""
    _, _, body = markdown(Printed(table, columns, "", formats or {}, texts or {})).partition("\n\n")
    return body


def _value(row: Any, value: Any, low: Any, high: Any) -> str:
    if pd.isna(value):
        return DASH
    text = _unsigned(row, value)
    if pd.notna(low):
        return f"{text} [{_unsigned(row, low)}, {_unsigned(row, high)}]"
    return f"{text} ± {100 * row['std']:.2f}" if value == row["value"] and pd.notna(row["std"]) else text


def _unsigned(row: Any, value: Any) -> str:
    if pd.isna(value):
        return DASH
    if row["metric"] == "parameters":
        return f"{value:,.0f}"
    return f"{100 * value:.2f}" if row["metric"] == "accuracy" else style.number(value)


def _signed(row: Any, value: Any) -> str:
    text = _unsigned(row, value)
    if text == DASH:
        return DASH
    zero = not text.strip("-.0")
    return (
        text.removeprefix("-") if zero else text.replace("-", _MINUS) if text.startswith("-") else f"+{text}"
    )


def _with_interval(values: "pd.Series[float]", evidence: Evidence, dataset: str, fixed: bool) -> str:
    found = values.dropna().to_numpy(dtype=float)
    if not len(found):
        return DASH
    text = style.number(float(found.mean()))
    if fixed or len(found) < 2:
        return text
    low, high = corrected_interval(found, 1 / (evidence.folds[dataset] - 1), evidence.level)
    return f"{text} [{style.number(low)}, {style.number(high)}]"


def _shares(values: "pd.Series[float]") -> str:
    return " ".join(style.number(float(value)) for value in values)


def three(value: Any) -> str:
    """Write a cosine or a share with three digits."""
    return DASH if pd.isna(value) else style.number(float(value))
