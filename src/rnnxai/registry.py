"""Registries: names to lazily loaded objects.

A registry is data. It lists names beside the place (``"module:attribute"``) where the object lives and
imports that module only when the name is asked for. So a list of all models costs no import of torch,
and what one name needs can be told apart from what the others need (:mod:`rnnxai.fingerprint`).

Where users may bring their own, a reference ``"package.module:Name"`` is as good as a name
(:mod:`rnnxai.plugins`).
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple

from rnnxai import plugins
from rnnxai.errors import Error


class Entry(NamedTuple):
    """Where a named object lives, and what it is in one line."""

    target: str
    summary: str


class Registry(Mapping[str, str]):
    """A read-only mapping of names to one-line summaries that can load what it names.

    Parameters
    ----------
    kind : str
        What the names denote, in the singular, for error messages ("architecture"). References are
        taken if :data:`rnnxai.plugins.KINDS` says what they must refer to.
    entries : Mapping[str, Entry]
        Name to target and summary. A name with fields in braces is a pattern for numbers:
        ``lrp-a{alpha}b{beta}`` stands for ``lrp-a1.5b0.5`` and all its like.
    """

    def __init__(self, kind: str, entries: Mapping[str, Entry]) -> None:
        self.kind = kind
        self._entries = dict(entries)
        self._patterns = {name: _pattern(name) for name in entries if "{" in name}

    def __getitem__(self, name: str) -> str:
        found = self._find(name)
        if found is None:
            raise KeyError(name)
        return found[0].summary

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        lines = (f"  {name}: {summary}" for name, summary in self.items())
        return "\n".join([f"{self.kind} names", *lines])

    def resolve(self, name: str) -> tuple[str, dict[str, float]]:
        """Return the ``"module:attribute"`` of a name, and the numbers that a pattern read from it.

        Of a reference that is the reference itself; whether something is there is not looked up.

        Raises
        ------
        Error
            If the name is unknown; the message lists the known names.
        """
        found = self._find(name)
        if found is None or name in self._patterns:
            known = ", ".join(self._entries)
            own = " Your own is named package.module:Name." if self.takes_references else ""
            raise Error(f"unknown {self.kind} {name!r}.{self._hint(name)} Known: {known}.{own}")
        entry, numbers = found
        return entry.target, numbers

    def target(self, name: str) -> str:
        """Return the ``"module:attribute"`` of a name."""
        return self.resolve(name)[0]

    def load(self, name: str) -> Any:
        """Import and return the named object.

        Raises
        ------
        Error
            If the name is unknown, or a reference leads to nothing or to something of another kind.
        """
        target = self.target(name)
        if self._is_reference(name):
            return plugins.load(self.kind, target)
        module, _, attribute = target.partition(":")
        return getattr(import_module(module), attribute)

    def check(self, name: str) -> None:
        """Check that there is what a name names, as far as can be told without importing it.

        Raises
        ------
        Error
            If the name is unknown, or a reference leads to nothing or to something of another kind.
        """
        target = self.target(name)
        if self._is_reference(name):
            plugins.check(self.kind, target)

    @property
    def takes_references(self) -> bool:
        """Whether users may bring their own."""
        return self.kind in plugins.KINDS

    def _is_reference(self, name: object) -> bool:
        return self.takes_references and name not in self._entries and plugins.is_reference(name)

    def _find(self, name: object) -> tuple[Entry, dict[str, float]] | None:
        if not isinstance(name, str):
            return None
        if name in self._entries:
            return self._entries[name], {}
        for known, pattern in self._patterns.items():
            if match := pattern.fullmatch(name):
                return self._entries[known], {k: float(v) for k, v in match.groupdict().items()}
        if self._is_reference(name):
            return Entry(name, f"{name}, from outside"), {}
        return None

    def _hint(self, name: object) -> str:
        close = get_close_matches(str(name), self._entries, n=1)
        if not close:
            return ""
        hint = "" if close[0] == name else f" Did you mean {close[0]!r}?"
        if close[0] in self._patterns:
            hint += f" Write numbers for the letters, e.g. {_example(close[0])!r}."
        return hint


def _example(name: str) -> str:
    """Fill a pattern's fields with n, ..., 2, 1."""
    *fields, last = re.split(r"\{\w+\}", name)
    return "".join(f"{text}{len(fields) - n}" for n, text in enumerate(fields)) + last


def _pattern(name: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", name)
    fields = (f"(?P<{field}>[0-9]+(?:[.][0-9]+)?)" for field in pieces[1::2])
    literals = [re.escape(text) for text in pieces[0::2]]
    return re.compile(literals[0] + "".join(f + text for f, text in zip(fields, literals[1:], strict=True)))
