"""All mutants of a module: every place that every operator fits.

A mutant is text: a *home*, which is a function, a method or another statement of a module or class, as it is
and as it would be. So it keeps its identity when code around it changes or moves to another file.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import ndiff
from hashlib import sha256
from pathlib import Path
from typing import Any

from mutation.operators import Scope, replacements

SKIPPED_FIELDS = {"annotation", "returns", "decorator_list", "bases", "type_comment"}
SKIPPED_NODES = (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom, ast.Global, ast.expr_context)
SKIPPED_CALLS = {"cast", "TypeVar", "Error", "overload"}
SKIPPED_FUNCTIONS = {"__repr__", "__str__"}


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes
    ----------
    module : str
        Dotted name.
    home : str
        Qualified name of the function or class, and ``<module>`` for what is outside.
    place : tuple of int
        Where the home is: its number in the module's body, and in the class's.
    operator : str
    before, after : str
        The home's source, in the form that ``ast.unparse`` gives it.
    lines : range
        The lines of the file of which one is run before the change can matter.
    """

    module: str
    home: str
    place: tuple[int, ...]
    operator: str
    before: str
    after: str
    lines: range = field(default=range(0), compare=False)

    def __str__(self) -> str:
        return f"{self.where} [{self.operator}] {self.change}"

    @property
    def where(self) -> str:
        """Module and home."""
        return f"{self.module}:{self.home}"

    @property
    def key(self) -> str:
        """What identifies the mutant wherever the home is moved."""
        whole = "\0".join((self.home, self.operator, self.before, self.after))
        return sha256(whole.encode()).hexdigest()[:16]

    @property
    def change(self) -> str:
        """The lines that differ, ``before -> after``."""
        lines = list(ndiff(self.before.splitlines(), self.after.splitlines()))
        old = " ; ".join(line[2:].strip() for line in lines if line.startswith("- "))
        new = " ; ".join(line[2:].strip() for line in lines if line.startswith("+ "))
        return f"{old} -> {new}"

    @property
    def is_function(self) -> bool:
        """Whether the home is a function or method."""
        return isinstance(ast.parse(self.before).body[0], ast.FunctionDef)

    def applied_to(self, tree: ast.Module) -> ast.Module:
        """Return the module's tree with the mutant in place of the home; the tree is changed."""
        body: Any = tree.body
        for number in self.place[:-1]:
            body = body[number].body
        body[self.place[-1]] = ast.parse(self.after).body[0]
        return ast.fix_missing_locations(tree)


def mutants_of(module: str, path: Path) -> list[Mutant]:
    """Return every mutant of a module, each once."""
    tree = ast.parse(path.read_text("utf-8"))
    found = {mutant.after: mutant for mutant in _in_body(module, tree.body, (), "")}
    return list(found.values())


def _in_body(module: str, body: list[ast.stmt], place: tuple[int, ...], prefix: str) -> Iterator[Mutant]:
    for number, statement in enumerate(body):
        here = (*place, number)
        if isinstance(statement, ast.ClassDef):
            yield from _in_body(module, statement.body, here, f"{prefix}{statement.name}.")
        elif not _skipped(statement):
            name = statement.name if isinstance(statement, ast.FunctionDef) else ""
            home = f"{prefix}{name}".rstrip(".") or "<module>"
            yield from _of_home(module, home, here, statement)


def _of_home(module: str, home: str, place: tuple[int, ...], statement: ast.stmt) -> Iterator[Mutant]:
    before = ast.unparse(statement)
    holder = ast.Module([statement], [])
    names = frozenset(_named(node) for node in ast.walk(statement))
    for parent, name, number, lines in list(_nodes(holder, _lines(statement))):
        holds = getattr(parent, name)
        node = holds if number is None else holds[number]
        for operator, new in replacements(node, Scope(parent, names)):
            if number is None:
                setattr(parent, name, new)
            else:
                holds[number] = new
            after = ast.unparse(ast.fix_missing_locations(holder))
            if number is None:
                setattr(parent, name, node)
            else:
                holds[number] = node
            if after != before:
                yield Mutant(module, home, place, operator, before, after, lines)


def _nodes(node: ast.AST, lines: range) -> Iterator[tuple[ast.AST, str, int | None, range]]:
    """Return where each node below is held (by whom, in which field, at which place), and its lines."""
    for name, value in ast.iter_fields(node):
        if name in SKIPPED_FIELDS:
            continue
        held = enumerate(value) if isinstance(value, list) else [(None, value)]
        for number, child in held:
            if isinstance(child, ast.AST) and not _skipped(child):
                own = _lines(child) if isinstance(child, ast.stmt) else lines
                yield node, name, number, own
                yield from _nodes(child, own)


def _lines(statement: ast.stmt) -> range:
    """Return the lines of a statement; of a loop or a condition its head, of a function its body."""
    end = statement.end_lineno or statement.lineno
    body = getattr(statement, "body", None)
    if isinstance(statement, ast.FunctionDef):
        return range(statement.body[0].lineno, end + 1)
    return range(statement.lineno, body[0].lineno if body else end + 1)


def _skipped(node: ast.AST) -> bool:
    """Tell whether nothing in here decides a value: docstrings, messages, annotations."""
    if isinstance(node, SKIPPED_NODES):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.keyword):
        return node.arg == "strict"
    if isinstance(node, ast.FunctionDef):
        overload = any(_named(decorator) == "overload" for decorator in node.decorator_list)
        return overload or node.name in SKIPPED_FUNCTIONS
    if isinstance(node, ast.AnnAssign):
        return _named(node.annotation) == "TypeAlias"
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):
        return isinstance(node.targets[0], ast.Name) and node.targets[0].id[0].isupper()  # a type's name
    return isinstance(node, ast.Call) and _named(node.func) in SKIPPED_CALLS


def _named(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.arg if isinstance(node, ast.arg) else ""
