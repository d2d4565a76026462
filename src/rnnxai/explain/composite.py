"""Composites: a rule for each layer.

No single rule is best everywhere: the upper layers of a network ask for a rule that stays close to the
function, the lower ones for a rule that stays calm, and the first for one that knows the input's range.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import get_args

from rnnxai.errors import Error
from rnnxai.explain.channels import Channel, Domain, Kind, Reader, Rule

KINDS = get_args(Kind)
INPUT = "input"


@dataclass(frozen=True)
class Composite:
    """The first rule whose selector fits a layer.

    Parameters
    ----------
    rules : tuple of (str, Rule)
        Selectors in the order they are tried. ``input`` is every layer that reads the model's input;
        ``dense``, ``convolution``, ``recurrent``, ``sum``, ``pooling`` and ``scaling`` are layers of that
        kind; anything else is a pattern of layer names, in which ``*`` stands for anything.
    """

    rules: tuple[tuple[str, Rule], ...]

    def rule_for(self, reader: Reader) -> Rule:
        """Return the rule of a layer.

        Raises
        ------
        Error
            If no selector fits.
        """
        for selector, rule in self.rules:
            if _fits(selector, reader):
                return rule
        known = ", ".join(selector for selector, _ in self.rules)
        raise Error(
            f"no rule of the composite fits layer {reader.name!r} ({reader.kind}); "
            f"it has rules for {known}, and '*' would be one for all others"
        )

    def channels(self, domains: frozenset[Domain], reader: Reader) -> tuple[Channel, ...]:
        """Return the channels of the layer's own rule."""
        return self.rule_for(reader).channels(domains, reader)


def rule_of(rule: Rule, reader: Reader) -> Rule:
    """Return the rule that a layer really gets, looking into composites."""
    return rule_of(rule.rule_for(reader), reader) if isinstance(rule, Composite) else rule


def composite(rules: Mapping[str, Rule]) -> Composite:
    """Return a composite of selectors and rules, in the order of the mapping."""
    if not rules:
        raise Error("a composite without rules explains nothing; give a mapping such as {'*': 'lrp-eps'}")
    return Composite(tuple(rules.items()))


def _fits(selector: str, reader: Reader) -> bool:
    if selector == INPUT:
        return reader.reads_input
    if selector in KINDS:
        return reader.kind == selector
    return fnmatchcase(reader.name, selector)
