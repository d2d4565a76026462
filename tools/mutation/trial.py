"""Try mutants: fork, put the changed code in place, and run tests until one fails.

Importing torch and collecting the tests takes seconds, a test takes milliseconds. So both are done once, and
every mutant gets a fork of its own, in which the code of the live function is exchanged. What a fork cannot
exchange (a class's fields, a table of a module, a function that ran during the imports) is *cold*: there the
tests are collected anew, with a module that was changed before it was first imported.
"""

import ast
import importlib.abc
import importlib.util
import json
import os
import select
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest

from mutation.mutants import Mutant

# Budgets are the process's own seconds, so a busy machine tries as much; these are by the clock.
GRACE = 600.0  # seconds beyond the budget after which a fork hangs
HANGS = 60  # seconds after which a test hangs


@dataclass
class Selection:
    """The tests, and what each of them runs.

    Attributes
    ----------
    seconds : dict
        How long each test takes, by its node id.
    runs : dict
        Which lines of the package (``module:number``) each test runs.
    imported : set
        The homes (``module:name``) that run while the tests are collected.
    kills : dict
        How many mutants of a home, or of a module, each test has killed.
    broken : list
        The tests that fail without any mutant.
    first : str
        Where the tests are that were written against mutants.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    runs: dict[str, set[str]] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    kills: dict[str, dict[str, int]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    first: str = "-"

    def of(self, mutant: Mutant) -> list[str]:
        """Return the tests that reach a mutant, those first that have proved the sharpest."""
        lines = {f"{mutant.module}:{line}" for line in mutant.lines}
        reach = [test for test, runs in self.runs.items() if not lines.isdisjoint(runs)]
        # A table, say, or a function that fills one: it is run when it is imported, and nobody knows who
        # reads it.
        everywhere = not mutant.is_function or (not reach and mutant.where in self.imported)
        if everywhere:
            prefix = mutant.module + ":"
            reach = [test for test, runs in self.runs.items() if any(x.startswith(prefix) for x in runs)]
        reach.sort(key=lambda test: (len(self.runs[test]), self.seconds[test]))
        special = sorted(reach, key=lambda test: not test.startswith(self.first))
        if everywhere:
            reach.reverse()
        # In turn: those that were sharp nearby, some cases of each before more of any; and those that were
        # written against mutants, then those that run little else, which say most about it.
        seen: dict[str, int] = defaultdict(int)
        rank = {}
        for test in reach:
            function = test.partition("[")[0]
            rank[test] = seen[function] // 4
            seen[function] += 1
        here, near = self.kills.get(mutant.where, {}), self.kills.get(mutant.module, {})
        sharp = sorted(reach, key=lambda test: (-here.get(test, 0), -near.get(test, 0), rank[test]))
        if everywhere:  # those that run most are slow
            written = [test for test in special if test.startswith(self.first)]
            proved = [test for test in sharp if test in here][:20]
            return list(dict.fromkeys([*proved, *written, *sharp]))
        return list(dict.fromkeys(chain.from_iterable(zip(sharp, special, strict=True))))

    def note_kill(self, mutant: Mutant, test: str) -> None:
        """Remember which test was sharp, and where."""
        if test not in self.runs:
            return
        for place in (mutant.where, mutant.module):
            kills = self.kills.setdefault(place, {})
            kills[test] = kills.get(test, 0) + 1


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: ``killed`` by a test, ``timeout``, ``survived`` or ``unreached``."""

    result: str
    test: str = ""
    tests: int = 0
    seconds: float = 0.0


class Loop:
    """A pytest plugin that takes the loop over the collected tests into its own hands."""

    def __init__(self, source: Path, most: int, loop: Callable[["Loop"], None]) -> None:
        self.source, self.most, self.loop = str(source), most, loop
        self.items: dict[str, pytest.Item] = {}
        self.failed = ""
        self.ran = ""
        self.lines: set[tuple[CodeType, int]] = set()

    # What pytest calls

    def pytest_collection(self) -> None:
        """Watch what runs while the tests are imported."""
        sys.settrace(self._watch)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Of a test with very many cases keep some, evenly spread: products of networks, methods, rules."""
        sys.settrace(None)
        cases = defaultdict(list)
        for item in items:
            cases[item.nodeid.partition("[")[0]].append(item)
        items[:] = []
        for group in cases.values():
            items += group[:: -(-len(group) // self.most) if len(group) > 5 * self.most else 1]
        self.items = {item.nodeid: item for item in items}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Do what this loop is for."""
        if session.testsfailed:
            raise session.Failed("the tests cannot be collected")
        self.loop(self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure."""
        if report.failed:
            self.failed = report.nodeid
        if report.when == "call" and report.passed:
            self.ran = report.nodeid

    # What loops do

    def run(self, test: str, following: str | None = None) -> bool:
        """Run a test; return whether nothing failed."""
        item = self.items[test]
        after = self.items[following] if following else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        return not self.failed

    def watched(self, test: str, following: str | None) -> tuple[float, set[str]] | None:
        """Run a test; return its seconds and the lines it ran, or None if it is skipped."""
        self.failed = self.ran = ""
        self.lines = set()
        start = time.process_time()
        sys.settrace(self._watch)
        try:
            self.run(test, following)
        finally:
            sys.settrace(None)
        lines = {f"{self._module(code)}:{line}" for code, line in self.lines}
        return (time.process_time() - start, lines) if self.ran else None

    def imported(self) -> set[str]:
        """Return which homes ran while the tests were collected."""
        codes = {code for code, _ in self.lines}
        return {f"{self._module(code)}:{code.co_qualname.partition('.<locals>')[0]}" for code in codes}

    def _watch(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(self.source):
            return None
        self.lines.add((frame.f_code, frame.f_lineno))
        return self._watch

    def _module(self, code: CodeType) -> str:
        path = Path(code.co_filename).relative_to(self.source).with_suffix("")
        return ".".join(path.parts)


def collect(tests: Sequence[str], tree: Path, loop: Loop) -> None:
    """Collect the tests of a copy of the repository and hand them to a loop."""
    os.chdir(tree)
    options = ["-q", "-s", "-p", "no:cacheprovider", "-o", f"timeout={HANGS}", "-o", "addopts="]
    pytest.main([*options, f"--rootdir={tree}", *tests], plugins=[loop])


def measure(loop: Loop, slowest: float) -> Selection:
    """Run all tests once without a mutant; leave out what is skipped or takes too long."""
    selection = Selection(imported=loop.imported())
    order = list(loop.items)
    for test, following in zip(order, [*order[1:], None], strict=True):
        found = loop.watched(test, following)
        if loop.failed:
            selection.broken.append(test)
        elif found is not None and found[0] <= slowest:
            selection.seconds[test], selection.runs[test] = found
    return selection


def try_all(
    mutants: Iterable[Mutant],
    selection: Selection,
    start: Callable[[Mutant, Sequence[str], int], None],
    *,
    workers: int,
    budget: float,
) -> Iterator[tuple[Mutant, Outcome]]:
    """Try mutants, each in a fork, and return what becomes of them.

    Parameters
    ----------
    mutants : iterable of Mutant
    selection : Selection
    start : callable
        (mutant, tests, pipe): what a fork does; it writes its outcome into the pipe.
    workers : int
        Forks at a time.
    budget : float
        Seconds of tests for one mutant.
    """
    waiting = iter(mutants)
    running: dict[int, tuple[Mutant, int, float]] = {}
    while True:
        while len(running) < workers and (mutant := next(waiting, None)) is not None:
            tests = selection.of(mutant)
            if not tests:
                yield mutant, Outcome("unreached")
                continue
            read, write = os.pipe()
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                os.close(read)
                in_fork(partial(start, mutant, tests, write))
            os.close(write)
            running[read] = mutant, pid, time.monotonic()
        if not running:
            return
        ready, _, _ = select.select(list(running), [], [], 1.0)
        for read in list(running):
            mutant, pid, began = running[read]
            late = time.monotonic() - began > budget + GRACE
            if read not in ready and not late:
                continue
            outcome = Outcome("timeout", seconds=time.monotonic() - began)
            if read in ready:
                text = os.read(read, 65536)
                # A fork that dies without a word was killed by the mutant: memory, a crash.
                outcome = Outcome(**json.loads(text)) if text else Outcome("killed", "a crash")
            else:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(read)
            del running[read]
            if outcome.test:
                selection.note_kill(mutant, outcome.test)
            yield mutant, outcome


def in_fork(work: Callable[[], None]) -> None:
    """Do some work and end this process, whatever happens."""
    try:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        work()
    finally:
        os._exit(0)


def hunt(loop: Loop, tests: Sequence[str], budget: float, pipe: int) -> None:
    """Run tests until one fails or the budget is used up, and say so."""
    loop.failed = ""
    began = time.process_time()
    done = 0
    for test, following in zip(tests, [*tests[1:], None], strict=True):
        if time.process_time() - began > budget:
            break
        done += 1
        if not loop.run(test, following):
            break
    seconds = round(time.process_time() - began, 2)
    outcome = Outcome("killed" if loop.failed else "survived", loop.failed, done, seconds)
    _tell(pipe, outcome)


def _tell(pipe: int, outcome: Outcome) -> None:
    os.write(pipe, json.dumps(asdict(outcome)).encode())


def start_hot(loop: Loop, mutant: Mutant, path: Path, tests: Sequence[str], budget: float, pipe: int) -> None:
    """Exchange the live function and hunt; a mutant that cannot even be put in place is killed."""
    try:
        exchange(mutant, path)
    except Exception as error:
        return _tell(pipe, Outcome("killed", f"it raises {type(error).__name__}"))
    return hunt(loop, tests, budget, pipe)


def start_cold(
    mutant: Mutant,
    path: Path,
    tests: Sequence[str],
    budget: float,
    pipe: int,
    tree: Path,
    make: Callable[[Callable[[Loop], None]], Loop],
) -> None:
    """Collect the tests with the changed module and hunt; a collection that fails is a failure too."""
    sys.meta_path.insert(0, Changed(mutant, path))
    collected = False

    def within(loop: Loop) -> None:
        nonlocal collected
        collected = True
        hunt(loop, [test for test in tests if test in loop.items], budget, pipe)

    collect(list(dict.fromkeys(test.partition("::")[0] for test in tests)), tree, make(within))
    if not collected:
        _tell(pipe, Outcome("killed", "the collection of the tests"))


def exchange(mutant: Mutant, path: Path) -> None:
    """Put a mutant's code into the live function.

    Raises
    ------
    Exception
        Whatever the mutant's own defaults raise.
    """
    tree = mutant.applied_to(ast.parse(path.read_text("utf-8")))
    live = live_function(sys.modules[mutant.module], mutant.home)
    live.__code__ = _code_of(compile(tree, str(path), "exec"), mutant.home)
    home = ast.parse(mutant.after).body[0]
    if isinstance(home, ast.FunctionDef):
        names = [argument.arg for argument in home.args.kwonlyargs]
        values = [_value(default, live) for default in home.args.defaults]
        live.__defaults__ = tuple(values) or None
        live.__kwdefaults__ = {
            name: _value(default, live)
            for name, default in zip(names, home.args.kw_defaults, strict=True)
            if default is not None
        } or None


def _value(expression: ast.expr, live: FunctionType) -> Any:
    code = compile(ast.fix_missing_locations(ast.Expression(expression)), "<default>", "eval")
    return eval(code, live.__globals__)  # noqa: S307, our own source


def live_function(module: ModuleType, name: str) -> FunctionType:
    """Return the function behind a name, out of its decorators."""
    found: Any = module
    for part in name.split("."):
        found = vars(found)[part]
    while not isinstance(found, FunctionType) or hasattr(found, "__wrapped__"):
        # Of a property, a cached property, a static or class method, and what functools.wraps leaves.
        layers = ("__wrapped__",) if isinstance(found, FunctionType) else ("fget", "func", "__func__")
        found = next(getattr(found, layer) for layer in layers if hasattr(found, layer))
    return found


def _code_of(code: CodeType, name: str) -> CodeType:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_qualname == name:
                return constant
            if name.startswith(constant.co_qualname + "."):
                return _code_of(constant, name)
    raise LookupError(name)


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with a mutant in it."""

    def __init__(self, mutant: Mutant, path: Path) -> None:
        self.mutant, self.path = mutant, path

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """Answer for the mutant's module alone."""
        if name != self.mutant.module:
            return None
        inside = [str(self.path.parent)] if self.path.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            name, self.path, loader=self, submodule_search_locations=inside
        )

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed code."""
        tree = self.mutant.applied_to(ast.parse(self.path.read_text("utf-8")))
        exec(compile(tree, str(self.path), "exec"), vars(module))  # noqa: S102, our own source


def summary(outcomes: Mapping[str, int]) -> str:
    """Return counts in words."""
    return ", ".join(f"{count} {name}" for name, count in outcomes.items())
