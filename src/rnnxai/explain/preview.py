"""Say before a single map what a method will do in each layer of a model, and where it cannot."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from rnnxai.errors import Error
from rnnxai.explain.api import recorded
from rnnxai.explain.channels import Bounds, Domain, Rule
from rnnxai.explain.composite import rule_of
from rnnxai.explain.engine.layer import Layer
from rnnxai.explain.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBounded
from rnnxai.explain.strategy import make_strategy

COLUMNS = ["layer", "kind", "reads", "bias", "uses", "rule", "refusal"]
WHOLE = "(model)"


def check(
    model: nn.Module,
    inputs: Tensor,
    method: str = "dtd",
    *,
    bounds: Bounds | None = None,
    forward_args: Sequence[Any] = (),
    **options: Any,
) -> pd.DataFrame:
    """Say what a method will do in each layer.

    Parameters
    ----------
    model, inputs, method, bounds, forward_args, **options
        As for :func:`rnnxai.explain`. The inputs only have to have the right form; zeros will do.

    Returns
    -------
    DataFrame
        One row per layer, in the order of first use: its name and kind, the domains of what it reads, the
        sign of its bias, how often one forward pass uses it, the rule it gets, and why the rule refuses it,
        if it does. A last row ``(model)`` names what keeps relevance from passing at all, if anything does.
    """
    strategy = make_strategy(method, options)
    recording = recorded(model, inputs, bounds, forward_args)
    rows: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for layer in recording.layers:
        rule, refusal = _rule(strategy.rule, layer)
        key = (layer.name, layer.kind, rule, refusal)
        row = rows.setdefault(key, {"domains": set(), "bias": _sign(layer.bias), "uses": 0})
        row["domains"] |= layer.domains
        if layer.kind == "sum":  # each sum of signals is a layer of its own
            row["uses"] += layer.calls
        else:  # the gates of a recurrent layer and the rest of it are one to its users
            row["uses"] = max(row["uses"], layer.calls)
            row["bias"] = row["bias"] if row["bias"] == _sign(layer.bias) else "mixed"
    table = [
        {
            "layer": name,
            "kind": kind,
            "reads": " and ".join(sorted(domain.value for domain in row["domains"])),
            "bias": row["bias"],
            "uses": row["uses"],
            "rule": rule,
            "refusal": refusal,
        }
        for (name, kind, rule, refusal), row in rows.items()
    ]
    if recording.hindrance and strategy.rule is not None:
        table.append(dict.fromkeys(COLUMNS, "") | {"layer": WHOLE, "refusal": recording.hindrance})
    return pd.DataFrame(table, columns=COLUMNS)


def _rule(rule: Rule | None, layer: Layer) -> tuple[str, str]:
    """Return a layer's rule in words, and why it refuses the layer."""
    if rule is None:
        return "gradient", ""
    try:
        own = rule_of(rule, layer.reader)
        layer.channels(rule)
    except Error as error:
        return "", str(error)
    return describe(own, frozenset(layer.domains)), ""


def describe(rule: Rule, domains: frozenset[Domain]) -> str:
    """Say what a rule does to inputs of some domains, in the field's terms."""
    match rule:
        case Epsilon(epsilon):
            return f"epsilon {epsilon:g}" if epsilon else "LRP-0"
        case Gamma(gamma):
            return f"gamma {gamma:g}"
        case WSquare():
            return "w^2"
        case Flat():
            return "flat"
        case ZBounded():
            return "z^B"
        case AlphaBeta(alpha, beta):
            hidden = f"alpha {alpha:g} beta {beta:g}" if beta else "z+"
            names = {Domain.BOUNDED: "z^B", Domain.REAL: "w^2", Domain.NON_NEGATIVE: hidden}
            return " beside ".join(names[domain] for domain in names if domain in domains)
        case _:
            return type(rule).__name__


def _sign(bias: Tensor | None) -> str:
    if bias is None:
        return "none"
    if not bias.any():
        return "zero"
    least, most = (float(value) for value in torch.aminmax(bias))
    if most <= 0:
        return "non-positive"
    return "non-negative" if least >= 0 else "mixed"
