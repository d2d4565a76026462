"""Make one mistake at a time in the code that explains, and see that a test fails.

``make mutate`` runs this; docs/mutation.md is what it writes. Why not a ready tool: mutmut and cosmic-ray
start the tests anew for every mutant, which with torch costs seconds where a test costs milliseconds, and
their operators know arithmetic but no gates, channels, books and steps.

The work is done in a copy of the repository, so that it may be edited meanwhile. Outcomes are added to a file
as they come; a run that is broken off goes on from there, and a later one tries only what has changed, and
again what survived.
"""

import argparse
import importlib
import json
import os
import pickle
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutation import report, trial
from mutation.mutants import Mutant, mutants_of
from mutation.trial import Loop, Outcome, Selection

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "rnnxai.explain"
PRELOAD = ["torch", "numpy", "pandas"]
# Nothing in here decides a relevance: names of methods for users, words about a model.
LEFT_OUT = ["__init__", "methods", "preview"]
# Modules of which every mutant is tried, however few others are.
COMPLETE = [
    "rules", "gates", "gradients", "relevance", "composite", "channels", "strategy", "divide", "parts",
    "layer", "operations", "recurrent", "whole_lstm", "walk", "samples", "follow_recurrent", "explainer",
]  # fmt: skip
TESTS = ["tests/oracles", "tests/unit/explain", "tests/properties/test_relevance.py"]
FIRST = "tests/oracles/mutants/"
# What these see the others see too, and sooner.
SLOW = ["test_captum.py", "test_cuda.py", "test_foreign_bugs.py", "test_reference_error.py", "test_zennit.py"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0 if there are no survivors."""
    options = _options(arguments)
    say = _teller()
    with tempfile.TemporaryDirectory() as folder:
        tree = copied(options.root, Path(folder))
        paths = modules(tree / "src", options.package)
        everything = [mutant for name, path in paths.items() for mutant in mutants_of(name, path)]
        chosen = sampled(everything, options.sample, options.complete)
        chosen = [
            mutant
            for mutant in chosen
            if not options.only or options.only in f"{mutant.module}:{mutant.home}"
        ]
        say(f"{len(chosen)} of {len(everything)} mutants in {len(paths)} modules")
        equivalents = report.read_equivalents(options.equivalents)
        known = read_outcomes(options.outcomes)
        again = [
            mutant
            for mutant in chosen
            if mutant.key not in known
            or (
                known[mutant.key].result not in report.DEAD
                and not options.report
                and not any(entry.fits(mutant) for entry in equivalents)
            )
        ]
        if again and not options.report:
            say(f"{len(chosen) - len(again)} are known, {len(again)} are to be tried")
            kills = [(mutant, known[mutant.key].test) for mutant in chosen if mutant.key in known]
            try_in(tree, paths, again, kills, equivalents, options, say)
            known = read_outcomes(options.outcomes)
        outcomes = {mutant: known[mutant.key] for mutant in chosen if mutant.key in known}
    left = report.survivors(outcomes, equivalents)
    for mutant in left:
        say(f"{outcomes[mutant].result}: {mutant}")
    for entry in report.stale(outcomes, equivalents):
        say(f"not needed: {entry.home} {entry.change}")
    say(trial.summary(Counter(outcome.result for outcome in outcomes.values())) + f", {len(left)} to look at")
    if not options.only:
        options.to.write_text(
            report.markdown(outcomes, equivalents, len(everything), len(chosen), options.complete), "utf-8"
        )
    return bool(left)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    parser.add_argument("--package", default=PACKAGE, help="what is changed")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="what has to notice")
    parser.add_argument("--preload", nargs="*", default=PRELOAD, help="modules that all forks share")
    parser.add_argument("--only", default="", help="a part of module:function")
    parser.add_argument("--workers", type=int, default=1, help="mutants at a time")
    parser.add_argument("--budget", type=float, default=20, help="seconds of tests for one mutant")
    parser.add_argument("--quick", type=float, default=3, help="seconds of the first try")
    parser.add_argument("--cases", type=int, default=60, help="cases of a test with over five times as many")
    parser.add_argument("--sample", type=int, default=6, help="most mutants of one function; 0: all")
    parser.add_argument("--complete", nargs="*", default=COMPLETE, help="modules without that limit")
    parser.add_argument("--report", action="store_true", help="only write the report anew")
    parser.add_argument("--outcomes", type=Path, default=ROOT / "build" / "mutation.jsonl")
    parser.add_argument("--equivalents", type=Path, default=ROOT / "tools" / "mutation" / "equivalent.toml")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "mutation.md", help="the report")
    return parser.parse_args(arguments)


def _teller() -> Callable[[str], None]:
    """Return a function that prints where this process began to print, whatever forks do to theirs."""
    stream = os.fdopen(os.dup(1), "w")

    def say(text: str) -> None:
        stream.write(text + "\n")
        stream.flush()

    return say


def copied(root: Path, folder: Path) -> Path:
    """Copy what the tests need."""
    for name in ("src", "tests", "docs", "benchmarks"):
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in root.glob("*.*"):
        if path.is_file():
            shutil.copy(path, folder)
    return folder


def fingerprint(tree: Path, tests: Sequence[str], cases: int) -> str:
    """Return a hash of all that decides which tests there are, and what they do."""
    digest = sha256(repr((tests, cases)).encode())
    for folder in ("src", "tests"):
        for path in sorted((tree / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def modules(source: Path, package: str) -> dict[str, Path]:
    """Return the modules to be changed, by dotted name."""
    found = {}
    for path in sorted(source.joinpath(*package.split(".")).rglob("*.py")):
        if path.stem not in LEFT_OUT:
            found[".".join(path.relative_to(source).with_suffix("").parts)] = path
    return found


def sampled(mutants: Sequence[Mutant], most: int, complete: Sequence[str]) -> list[Mutant]:
    """Return at most so many mutants of each function, the same in every run."""
    homes: dict[tuple[str, str], list[Mutant]] = {}
    for mutant in mutants:
        homes.setdefault((mutant.module, mutant.home), []).append(mutant)
    chosen = []
    for (module, home), group in sorted(homes.items(), key=lambda item: _rank(item[0][0], complete)):
        if module.rpartition(".")[2] in complete or not most or len(group) <= most:
            chosen += group
        else:
            chosen += random.Random(home).sample(group, most)  # noqa: S311
    return chosen


def _rank(module: str, complete: Sequence[str]) -> int:
    name = module.rpartition(".")[2]
    return complete.index(name) if name in complete else len(complete)


def read_outcomes(path: Path) -> dict[str, Outcome]:
    """Return the outcomes known so far, by the mutants' keys; a later line counts more."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {line.pop("key"): Outcome(**line) for line in lines}


def try_in(
    tree: Path,
    paths: dict[str, Path],
    mutants: Sequence[Mutant],
    kills: Iterable[tuple[Mutant, str]],
    equivalents: Sequence[report.Equivalent],
    options: argparse.Namespace,
    say: Callable[[str], None],
) -> None:
    """Try mutants and write down what becomes of them."""
    os.environ.update(OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(tree / "src"))
    for name in options.preload:
        importlib.import_module(name)
    options.outcomes.parent.mkdir(parents=True, exist_ok=True)
    tests = [*options.tests, *(f"--ignore-glob=*/{name}" for name in SLOW)]
    cold_file = tree / "cold"

    def write(done: Iterable[tuple[Mutant, Outcome]]) -> Iterator[tuple[Mutant, Outcome]]:
        """Write outcomes down as they come."""
        with options.outcomes.open("a", encoding="utf-8") as file:
            for number, (mutant, outcome) in enumerate(done, start=1):
                file.write(json.dumps({"key": mutant.key, **asdict(outcome)}) + "\n")
                file.flush()
                if outcome.result not in report.DEAD:
                    say(
                        f"{outcome.result}: {mutant.module}:{mutant.home} [{mutant.operator}] {mutant.change}"
                    )
                if number % 100 == 0:
                    say(f"... {number}")
                yield mutant, outcome

    def in_two_rounds(
        these: Iterable[Mutant],
        selection: Selection,
        start: Callable[[Mutant, Sequence[str], float, int], None],
    ) -> None:
        """Try all quickly, and what survives and should not for longer."""
        for budget in (options.quick, options.budget):

            def fork(mutant: Mutant, chosen: Sequence[str], pipe: int, budget: float = budget) -> None:
                start(mutant, chosen, budget, pipe)

            done = trial.try_all(these, selection, fork, workers=options.workers, budget=budget)
            alive = [mutant for mutant, outcome in write(done) if outcome.result == "survived"]
            these = [mutant for mutant in alive if not any(entry.fits(mutant) for entry in equivalents)]
            say(f"{len(alive)} survived {budget:g} s, and {len(these)} of them should not")

    def hot(loop: Loop) -> None:
        """Measure the tests, try what can be exchanged, and leave the rest to the outer process."""
        selection = measured(loop)
        easy: list[Mutant] = []
        hard: list[Mutant] = []
        for mutant in mutants:
            cold = not mutant.is_function or mutant.where in selection.imported
            (hard if cold else easy).append(mutant)
        seconds = sum(selection.seconds.values())
        say(f"{len(selection.seconds)} tests, {seconds:.0f} s; {len(hard)} mutants need imports of their own")

        def start(mutant: Mutant, chosen: Sequence[str], budget: float, pipe: int) -> None:
            trial.start_hot(loop, mutant, paths[mutant.module], chosen, budget, pipe)

        in_two_rounds(easy, selection, start)
        cold_file.write_bytes(pickle.dumps((selection, hard)))

    def measured(loop: Loop) -> Selection:
        """Measure the tests in a fork, or remember how they were if nothing has changed."""
        file = options.outcomes.with_suffix(f".{fingerprint(tree, options.tests, options.cases)}.tests")
        if not file.exists():
            for old in file.parent.glob(f"{options.outcomes.stem}.*.tests"):
                old.unlink()
            pid = os.fork()
            if pid == 0:
                trial.in_fork(lambda: file.write_bytes(pickle.dumps(trial.measure(loop, slowest=4))))
            os.waitpid(pid, 0)
        selection: Selection = pickle.loads(file.read_bytes())  # noqa: S301
        selection.first = FIRST
        for mutant, test in kills:
            selection.note_kill(mutant, test)
        for test in selection.broken:
            say(f"left out, since it fails without any mutation: {test}")
        return selection

    pid = os.fork()
    if pid == 0:
        trial.collect(tests, tree, Loop(tree / "src", options.cases, hot))
        os._exit(0)
    os.waitpid(pid, 0)
    if not cold_file.exists():
        raise SystemExit("the tests cannot be collected, or fail without any mutation")
    selection, hard = pickle.loads(cold_file.read_bytes())  # noqa: S301

    def start(mutant: Mutant, chosen: Sequence[str], budget: float, pipe: int) -> None:
        # To collect few files is quicker than all.
        few = FIRST if any(test.startswith(FIRST) for test in chosen) else chosen[0].partition("::")[0]
        some = chosen if budget > options.quick else [test for test in chosen if test.startswith(few)]
        loop = partial(Loop, tree / "src", options.cases)
        trial.start_cold(mutant, paths[mutant.module], some, budget, pipe, tree, loop)

    in_two_rounds(hard, selection, start)


if __name__ == "__main__":
    raise SystemExit(main())
