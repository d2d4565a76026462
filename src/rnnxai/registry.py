"""Registries: names to lazily loaded objects.

A registry is data. It lists names beside the place (``"module:attribute"``) where the object lives and
imports that module only when the name is asked for. So a list of all models costs no import of torch,
and what one name needs can be told apart from what the others need (:mod:`rnnxai.fingerprint`).
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple

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
        What the names denote, in the singular, for error messages ("architecture").
    entries : Mapping[str, Entry]
        Name to target and summary.
    """

    def __init__(self, kind: str, entries: Mapping[str, Entry]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> str:
        return self._entries[name].summary

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        lines = (f"  {name}: {summary}" for name, summary in self.items())
        return "\n".join([f"{self.kind} names", *lines])

    def target(self, name: str) -> str:
        """Return ``"module:attribute"`` of a name.

        Raises
        ------
        Error
            If the name is unknown; the message lists the known names.
        """
        try:
            return self._entries[name].target
        except KeyError:
            close = get_close_matches(str(name), self._entries, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            known = ", ".join(self._entries)
            raise Error(f"unknown {self.kind} {name!r}.{hint} Known: {known}.") from None

    def load(self, name: str) -> Any:
        """Import and return the named object."""
        module, _, attribute = self.target(name).partition(":")
        return getattr(import_module(module), attribute)
