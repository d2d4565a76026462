"""Say before a single map what a method will do in each layer of a model, and where it cannot."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from rnnxai.errors import Error
from rnnxai.explain.api import recorded
from rnnxai.explain.channels import Bounds, Domain, Rule
from rnnxai.explain.composite import rule_of
from rnnxai.explain.engine.layer import Layer, Reading
from rnnxai.explain.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBounded
from rnnxai.explain.strategy import Occlusion, Strategy, make_strategy

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
    rows: dict[tuple[str, str], Row] = {}
    for layer, reading in recording.uses:
        rule, refusal = _rule(strategy, layer, reading)
        row = rows.setdefault((layer.name, layer.kind), Row())
        row.domains |= reading.domains
        row.biases |= {_sign(layer.bias): None}
        row.uses[id(layer)] += 1
        row.rules |= {rule: None}
        row.refusals |= {refusal: None} if refusal else {}
    table: list[dict[str, Any]] = [
        {
            "layer": name,
            "kind": kind,
            "reads": " and ".join(sorted(domain.value for domain in row.domains)),
            "bias": next(iter(row.biases)) if len(row.biases) == 1 else "mixed",
            # Each sum of signals is a layer of its own; the gates of a recurrent layer and the rest of it
            # are one to its users.
            "uses": row.uses.total() if kind == "sum" else max(row.uses.values()),
            "rule": "" if row.refusals else " or ".join(row.rules),
            "refusal": next(iter(row.refusals), ""),
        }
        for (name, kind), row in rows.items()
    ]
    if recording.hindrance and strategy.rule is not None:
        table.append(dict.fromkeys(COLUMNS, "") | {"layer": WHOLE, "refusal": recording.hindrance})
    return pd.DataFrame(table, columns=COLUMNS)


@dataclass
class Row:
    """What the uses of a layer say; mappings keep the order in which things were first said."""

    domains: set[Domain] = field(default_factory=set)
    biases: dict[str, None] = field(default_factory=dict)
    uses: Counter[int] = field(default_factory=Counter)
    rules: dict[str, None] = field(default_factory=dict)
    refusals: dict[str, None] = field(default_factory=dict)


def _rule(strategy: Strategy, layer: Layer, reading: Reading) -> tuple[str, str]:
    """Return a layer's rule in words, and why it refuses the layer."""
    if isinstance(strategy.sampling, Occlusion):
        return "none: the model is only asked", ""
    if strategy.rule is None:
        return "gradient", ""
    try:
        own = rule_of(strategy.rule, layer.reader(reading))
        layer.channels(strategy.rule, reading)
    except Error as error:
        return "", str(error)
    return describe(own, reading.domains), ""


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
