"""The tables of a study: parameters and accuracy, hyperparameters, scores, differences."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from rnnxai.figures import style
from rnnxai.figures.table_files import DASH, Printed
from rnnxai.scoring.differences import FAMILY
from rnnxai.scoring.summary import COUNTED_OTHERWISE
from rnnxai.scoring.table import QUALITY

_MINUS = "\N{MINUS SIGN}"
_CELL = ["dataset", "architecture", "T"]


def parameters_table(
    networks: Sequence[Mapping[str, Any]], scores: pd.DataFrame, gates: Mapping[str, float]
) -> Printed:
    """Put parameters and accuracy together (Tables 3.3-3.6 and Appendix 1 of the thesis).

    Parameters
    ----------
    networks : sequence of Mapping
        Of each data set, architecture and T: these, ``inputs`` (pixels per step), ``parameters`` and
        ``thesis`` (counted as in the thesis).
    scores : DataFrame
        The table of scores, for the accuracies.
    gates : Mapping[str, float]
        Accuracy by data set below which a network is flagged.
    """
    table = pd.DataFrame(list(networks))
    per_network = scores.drop_duplicates([*_CELL, "fold"])
    accuracies = []
    for row in table.to_dict("records"):
        own = per_network[(per_network[_CELL] == [row[name] for name in _CELL]).all(axis=1)]
        fixed = own[own["fold"] == QUALITY]["accuracy"]
        folds = own[own["fold"] != QUALITY]["accuracy"]
        gate = gates.get(str(row["dataset"]))
        accuracies.append(
            {
                "accuracy_fixed_split": fixed.mean(),
                "folds": len(folds),
                "accuracy_folds": folds.mean(),
                "sd_folds": folds.std(ddof=1),
                "gate": gate,
                "below_gate": None if gate is None else int((own["accuracy"] < gate).sum()),
            }
        )
    table = pd.concat([table, pd.DataFrame(accuracies)], axis=1)
    table = _in_order(table, _CELL)
    return Printed(
        table,
        {
            "dataset": "data set",
            "architecture": "architecture",
            "T": "T",
            "inputs": "x_t",
            "parameters": "parameters",
            "thesis": "as in the thesis",
            "accuracy_fixed_split": "accuracy, %",
            "accuracy_folds": "folds, %",
            "sd_folds": "sd",
            "folds": "folds",
            "below_gate": "below gate",
        },
        "Trainable parameters, also counted as the thesis counts them, and test accuracy: of the fixed "
        "split, and mean and standard deviation over folds. Networks below the accuracy gate are counted, "
        "not left out.",
        {
            **dict.fromkeys(("accuracy_fixed_split", "accuracy_folds", "sd_folds"), _percent),
            **dict.fromkeys(("parameters", "thesis"), _thousands),
            "below_gate": _whole,
        },
    )


def hyperparameters_table(settings: Sequence[Mapping[str, Any]]) -> Printed:
    """List how each network was trained (Tables 3.1 and 3.2 of the thesis).

    Parameters
    ----------
    settings : sequence of Mapping
        Of each data set, architecture and T: these, the training settings, and ``gate``.
    """
    table = _in_order(pd.DataFrame(list(settings)), _CELL)
    shown = ("epochs", "batch_size", "learning_rate", "dropout", "bias_init", "seed", "gate")
    titles = {name: name.replace("_", " ") for name in shown if name in table}
    return Printed(
        table,
        {"dataset": "data set", "architecture": "architecture", "T": "T", **titles},
        "How each network was trained: Adam, no early stopping. Gate: the accuracy that it should reach.",
    )


def scores_table(summary: pd.DataFrame, references: Mapping[str, pd.DataFrame]) -> Printed:
    """Print the mean of every score with its corrected interval, and what trivial explanations score.

    Parameters
    ----------
    summary : DataFrame
        Scores over folds (:func:`rnnxai.scoring.summary.summarise`).
    references : Mapping[str, DataFrame]
        Levels that trivial explanations reach, by data set.
    """
    cell = [*_CELL, "explainer", "split"]
    kept = summary[~summary["score"].isin(COUNTED_OTHERWISE) & summary["mean"].notna()]
    names = list(dict.fromkeys(kept["score"]))
    rows = []
    for key, group in kept.groupby(cell, sort=False):
        by_score = group.set_index("score")
        row: dict[str, Any] = dict(zip(cell, key, strict=True))
        first = group.iloc[0]
        row |= {name: first[name] for name in ("folds", "n", "n_undefined", "n_maps")}
        for name in names:
            for part in ("mean", "corrected_low", "corrected_high"):
                column = name if part == "mean" else f"{name}_{part.removeprefix('corrected_')}"
                row[column] = by_score.loc[name, part] if name in by_score.index else None
        rows.append(row)
    table = _in_order(
        pd.DataFrame(rows, columns=None if rows else [*cell, "folds", "n", "n_undefined", "n_maps"]), cell
    )
    levels = [
        {
            "dataset": dataset,
            "architecture": "(trivial)",
            "explainer": level["reference"],
            "n_maps": level["n"],
        }
        | {name: level[name] for name in names if name in level}
        for dataset, of_dataset in references.items()
        for level in of_dataset.to_dict("records")
    ]
    if levels:
        table = pd.concat([table, pd.DataFrame(levels)], ignore_index=True)
    table = table.astype(dict.fromkeys(("T", "folds", "n", "n_undefined", "n_maps"), "Int64"))
    records: list[dict[Any, Any]] = table.to_dict("records")
    texts = {f"{name}_text": [_with_interval(row, name) for row in records] for name in names}
    return Printed(
        table,
        {
            "dataset": "data set",
            "architecture": "architecture",
            "T": "T",
            "explainer": "explainer",
            "split": "split",
            "folds": "folds",
            **{f"{name}_text": name.replace("_", " ") for name in names},
            "n_undefined": "undefined",
            "n_maps": "maps",
        },
        "Scores: mean over folds, in brackets its interval, corrected for the training data that folds "
        "share. The look (ink share, mass and rank accuracy) is scored where maps are kept; "
        "undefined: samples without positive relevance. Trivial explanations look at nothing.",
        {"explainer": _explainer},
        texts,
    )


def differences_table(differences: pd.DataFrame) -> Printed:
    """Print differences between architectures with their verdicts.

    Parameters
    ----------
    differences : DataFrame
        From :func:`rnnxai.scoring.differences.differences`.
    """
    table = _in_order(differences, [*FAMILY, "baseline", "explainer", "architecture"])
    text = [
        f"{_signed(row['holm_low'])} to {_signed(row['holm_high'])}" if pd.notna(row["holm_low"]) else DASH
        for row in table.to_dict("records")
    ]
    return Printed(
        table,
        {
            "dataset": "data set",
            "T": "T",
            "comparison": "comparison",
            "score": "score",
            "explainer": "explainer",
            "architecture": "architecture",
            "baseline": "baseline",
            "folds": "folds",
            "difference": "difference",
            "interval": "interval",
            "p_holm": "p (Holm)",
            "effect": "effect",
            "verdict": "verdict",
        },
        "Mean difference within folds. The interval allows for the training data that folds share and for "
        "the number of differences of a score in its comparison; where it holds 0, they are not separated. "
        "Effect: the mean difference in standard deviations between folds, unbiased.",
        {
            "difference": _signed,
            "p_holm": lambda p: DASH if pd.isna(p) else "< .001" if p < 0.001 else style.number(p),
            "effect": lambda effect: DASH if pd.isna(effect) else f"{effect:.1f}".replace("-", _MINUS),
            "explainer": _explainer,
            "score": lambda name: str(name).replace("_", " "),
        },
        {"interval": text},
    )


def _in_order(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    names = [name for key in ("explainer", "architecture", "baseline") for name in table.get(key, [])]
    ranks = {name: rank for rank, name in enumerate(style.in_order(names))}
    scores = {name: rank for rank, name in enumerate(dict.fromkeys(table.get("score", [])))}

    def key(column: "pd.Series[Any]") -> "pd.Series[Any]":
        if column.name in ("explainer", "architecture", "baseline"):
            return column.map(lambda name: ranks.get(name, len(ranks)))
        return column.map(scores) if column.name == "score" else column

    return table.sort_values(list(keys), key=key, ignore_index=True, kind="stable")


def _with_interval(row: Mapping[Any, Any], name: str) -> str:
    mean, low, high = (row.get(column) for column in (name, f"{name}_low", f"{name}_high"))
    if pd.isna(mean):
        return DASH
    text = style.number(float(mean))
    return text if pd.isna(low) else f"{text} [{_signed(low, '')}, {_signed(high, '')}]"


def _signed(value: Any, plus: str = "+") -> str:
    if pd.isna(value):
        return DASH
    text = style.number(float(value))
    return text.replace("-", _MINUS) if text.startswith("-") else f"{plus}{text}"


def _percent(value: Any) -> str:
    return DASH if pd.isna(value) else f"{100 * value:.2f}"


def _thousands(value: Any) -> str:
    return DASH if pd.isna(value) else f"{int(value):,}"


def _whole(value: Any) -> str:
    return DASH if pd.isna(value) else f"{int(value)}"


def _explainer(name: Any) -> str:
    return style.explainer_title(str(name))
