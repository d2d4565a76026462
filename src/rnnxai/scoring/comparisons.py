"""Which architectures stand together in figures and tables, and which of them the others are measured by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

ALL, OTHERS = "all", "others"


@dataclass(frozen=True)
class Comparison:
    """A set of architectures.

    Parameters
    ----------
    name : str
    architectures : tuple of str
    baselines : tuple of str
        Some of them.
    """

    name: str
    architectures: tuple[str, ...]
    baselines: tuple[str, ...]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every architecture that is no baseline beside each baseline."""
        return [
            (architecture, baseline)
            for baseline in self.baselines
            for architecture in self.architectures
            if architecture not in self.baselines
        ]


@dataclass(frozen=True)
class Pairwise(Comparison):
    """A comparison of the pairs that are named, and of no others.

    Parameters
    ----------
    named : tuple of (str, str)
        Architecture and baseline of each pair.
    """

    named: tuple[tuple[str, str], ...] = ()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The named pairs."""
        return list(self.named)


def comparisons_of(
    architectures: Iterable[str], defined: Mapping[str, tuple[Sequence[str], Sequence[str]]]
) -> list[Comparison]:
    """Apply comparisons to the architectures that there are.

    Parameters
    ----------
    architectures : iterable of str
        Those of a data set.
    defined : Mapping
        Architectures and baselines of each comparison by name. Without any, all architectures make one.

    Returns
    -------
    list of Comparison
        Those of which two or more are there, less what is not; where no baseline is left, the first
        architecture is one. Architectures that are in none of them make one more, called "others".
    """
    there = list(dict.fromkeys(architectures))
    found = []
    for name, (members, baselines) in defined.items():
        present = tuple(member for member in members if member in there)
        if len(present) > 1:
            kept = tuple(baseline for baseline in baselines if baseline in present)
            found.append(Comparison(name, present, kept or present[:1]))
    named = {member for comparison in found for member in comparison.architectures}
    rest = tuple(architecture for architecture in there if architecture not in named)
    if rest:
        found.append(Comparison(OTHERS if found else ALL, rest, rest[:1]))
    return found
