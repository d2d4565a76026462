"""What a run found, in Markdown, and the mutants that change nothing."""

import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutation.mutants import Mutant
from mutation.operators import OPERATORS
from mutation.trial import Outcome

HEAD = """# Mutants

Would a test notice if the engine were wrong? `make mutate` makes one small mistake at a time in the code that
explains (a sign, a step, a bias, a clip, a gate, an argument, ...) and runs the tests that reach it, until
one fails. A mistake that no test notices is a *survivor*. There may be none, but for changes that alter no
result; `tools/mutation/equivalent.toml` lists those with the reason. Written by `tools/mutate.py`.
"""
DEAD = ("killed", "timeout")


@dataclass(frozen=True)
class Equivalent:
    """A change that alters no result, with the reason.

    Attributes
    ----------
    home : str
        Name of the function.
    change : str
        As :attr:`Mutant.change` gives it; ``*`` at its end stands for any.
    reason : str
    """

    home: str
    change: str
    reason: str

    def fits(self, mutant: Mutant) -> bool:
        """Tell whether this is about that mutant."""
        if self.home != mutant.home:
            return False
        if self.change.endswith("*"):
            return mutant.change.startswith(self.change[:-1])
        return mutant.change == self.change


def read_equivalents(path: Path) -> list[Equivalent]:
    """Return the mutants that are known to change nothing."""
    found = []
    for entry in tomllib.loads(path.read_text("utf-8")).get("equivalent", []):
        found += [Equivalent(entry["home"], change, entry["reason"]) for change in entry["changes"]]
    return found


def survivors(outcomes: Mapping[Mutant, Outcome], equivalents: Sequence[Equivalent]) -> list[Mutant]:
    """Return the mutants that no test tells from the engine, but for those that change nothing."""
    return [
        mutant
        for mutant, outcome in outcomes.items()
        if outcome.result not in DEAD and not any(known.fits(mutant) for known in equivalents)
    ]


def stale(outcomes: Mapping[Mutant, Outcome], equivalents: Sequence[Equivalent]) -> list[Equivalent]:
    """Return what is called equivalent but fits no survivor."""
    alive = [mutant for mutant, outcome in outcomes.items() if outcome.result not in DEAD]
    return [known for known in equivalents if not any(known.fits(mutant) for mutant in alive)]


def markdown(
    outcomes: Mapping[Mutant, Outcome],
    equivalents: Sequence[Equivalent],
    sites: int,
    chosen: int,
    complete: Sequence[str],
) -> str:
    """Return the report on those that were tried, of some that were chosen, of all that there are."""
    left = survivors(outcomes, equivalents)
    alive = [mutant for mutant, outcome in outcomes.items() if outcome.result not in DEAD]
    dead = len(outcomes) - len(alive)
    same = len(alive) - len(left)
    counts = f"{dead} were noticed, {same} alter no result, {len(left)} survived"
    lines = [HEAD, f"Of {sites} possible mistakes {len(outcomes)} were tried: {counts}."]
    if chosen < sites:
        names = ", ".join(f"`{name}`" for name in complete)
        lines += ["", f"All were to be tried in {names}; elsewhere a sample, the same in every run."]
    if len(outcomes) < chosen:
        lines += ["", f"{chosen - len(outcomes)} of {chosen} wait to be tried: their functions have changed."]
    lines += ["", "## By module", "", "| module | mutants | noticed | alter nothing | survived |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    lines += _rows(outcomes, alive, left, lambda mutant: f"`{mutant.module.removeprefix('rnnxai.explain.')}`")
    lines += ["", "## By operator", "", "| operator | mutants | noticed | alter nothing | survived |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    says = {name: f"{name}: {what}" for name, what, _ in OPERATORS}
    lines += _rows(outcomes, alive, left, lambda mutant: says[mutant.operator].replace("|", "\\|"))
    lines += ["", "## Survivors", ""]
    lines += [f"- `{mutant.module}`, `{mutant.home}`: `{mutant.change}`" for mutant in left] or ["None."]
    lines += ["", "## Changes that alter no result", ""]
    by_reason: dict[tuple[str, str], list[str]] = defaultdict(list)
    for mutant in alive:
        for known in equivalents:
            if known.fits(mutant):
                by_reason[known.reason, f"{mutant.module.rpartition('.')[2]}.{mutant.home}"].append(
                    mutant.change
                )
                break
    for (reason, home), changes in by_reason.items():
        lines += [f"- `{home}`: {reason}"]
        lines += [f"    - `` {change} ``" for change in changes]
    return "\n".join(lines) + "\n"


def _rows(
    outcomes: Iterable[Mutant],
    alive: Iterable[Mutant],
    left: Iterable[Mutant],
    of: Callable[[Mutant], str],
) -> list[str]:
    every, living, lost = (Counter(map(of, group)) for group in (outcomes, alive, left))
    return [
        f"| {name} | {count} | {count - living[name]} | {living[name] - lost[name]} | {lost[name]} |"
        for name, count in sorted(every.items())
    ]
