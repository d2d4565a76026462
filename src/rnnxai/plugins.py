"""Plug-ins: what lives outside the package and is named by a *reference*, ``package.module:Name``.

A reference may stand wherever a name of a table (:class:`~rnnxai.registry.Registry`) may. A configuration is
checked by reading its plug-ins' source and not by importing them: every job and every dry run checks it, and
should neither load torch for that nor run the code of a plug-in that it does not need. What only running can
tell, such as what a variable holds, is checked when the object is loaded.
"""

import ast
import re
import sys
import traceback
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from importlib import import_module
from importlib.util import resolve_name
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from rnnxai.errors import Error
from rnnxai.fingerprint import covered, source_file


class Kind(NamedTuple):
    """What a plug-in has to be."""

    what: str
    base: str = ""  # a class derived from this one, or else a function


KINDS = {
    "architecture": Kind(
        "a class derived from rnnxai.models.cells.cell.Cell", base="rnnxai.models.cells.cell:Cell"
    ),
    "explanation method": Kind("a function that returns an rnnxai.explain.strategy.Strategy"),
    "source": Kind("a function that returns an rnnxai.data.source.Source"),
    "task": Kind("a function of a DatasetDefinition and a Source that returns rnnxai.data.samples.Samples"),
    "score": Kind("a function of rnnxai.scoring.reductions.Reductions"),
}
"""Which tables take references, and to what."""

_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_Definition: TypeAlias = ast.ClassDef | _Function


def is_reference(name: object) -> bool:
    """Return whether something has the form ``package.module:Name``."""
    return isinstance(name, str) and _REFERENCE.fullmatch(name) is not None


def add_folders(folders: Iterable[str | Path]) -> None:
    """Let plug-ins be imported from some folders, before anything that is installed."""
    paths = [str(Path(folder).resolve()) for folder in folders]
    sys.path[:0] = [path for path in paths if path not in sys.path]


def check(kind: str, reference: str) -> None:
    """Check what the source of a plug-in shows, without running it.

    Parameters
    ----------
    kind : str
        A key of :data:`KINDS`.
    reference : str
        ``package.module:Name``.

    Raises
    ------
    Error
        If there is no such module or name, if it is of the wrong kind, or if the module or one that it
        imports from its own package is missing or does not parse.
    """
    wanted = KINDS[kind]
    try:
        module, found = _definition(reference)
        wrong = ""
        if isinstance(found, ast.ClassDef) and not wanted.base:
            wrong = "is a class"
        elif isinstance(found, ast.ClassDef) and not _may_derive(found, module, wanted.base):
            wrong = "is a class, but not derived from that one"
        elif isinstance(found, _Function) and wanted.base:
            wrong = "is a function"
        if wrong:
            raise Error(f"it {wrong}; {wanted.what} would be right")
        covered(reference)
    except Error as error:
        raise Error(f"{kind} {reference!r}: {error}") from error


def load(kind: str, reference: str) -> Any:
    """Import a plug-in.

    Parameters
    ----------
    kind : str
        A key of :data:`KINDS`.
    reference : str
        ``package.module:Name``.

    Returns
    -------
    object
        The class or function.

    Raises
    ------
    Error
        If it cannot be imported, does not exist, or is of the wrong kind.
    """
    found = imported(kind, reference)
    wanted = KINDS[kind]
    if wanted.base:
        base_module, _, base = wanted.base.partition(":")
        right = isinstance(found, type) and issubclass(found, getattr(import_module(base_module), base))
    else:
        right = callable(found) and not isinstance(found, type)
    if not right:
        what = f"the class {found.__qualname__}" if isinstance(found, type) else f"a {type(found).__name__}"
        raise Error(f"{kind} {reference!r}: it is {what}; {wanted.what} would be right")
    return found


def imported(what: str, reference: str) -> Any:
    """Import whatever a reference leads to.

    Parameters
    ----------
    what : str
        What it should be, for messages.
    reference : str
        ``package.module:Name``.

    Raises
    ------
    Error
        If it cannot be imported or does not exist.
    """
    name, _, attribute = reference.partition(":")
    try:
        module = import_module(name)
    except Exception as error:  # whatever a stranger's module may raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = "" if "importlib" in place.filename else f" ({place.filename}, line {place.lineno})"
        raise Error(
            f"{what} {reference!r}: {name} cannot be imported: {type(error).__name__}: {error}{where}"
        ) from error
    if not hasattr(module, attribute):
        raise Error(f"{what} {reference!r}: {_missing(name, attribute, dir(module))}")
    return getattr(module, attribute)


def parameters(target: str) -> list[str] | None:
    """Return the names of what a function or a class' constructor takes, as its source shows them.

    Parameters
    ----------
    target : str
        ``package.module:Name``.

    Returns
    -------
    list of str or None
        None where the source does not show it: it takes any keyword, or the constructor is inherited.

    Raises
    ------
    Error
        If there is no such module or name.
    """
    _, found = _definition(target)
    if isinstance(found, ast.ClassDef):
        named = {name: node for name, node in _bindings(found.body) if isinstance(node, _Function)}
        found = named.get("__init__")
    if not isinstance(found, _Function) or found.args.kwarg or found.decorator_list:
        return None
    names = [argument.arg for argument in (*found.args.posonlyargs, *found.args.args, *found.args.kwonlyargs)]
    return names[1:] if found.name == "__init__" else names


def constant(target: str, name: str) -> Any:
    """Return what a class sets a name to, as its source shows it.

    Parameters
    ----------
    target : str
        ``package.module:Class``.
    name : str
        A class attribute.

    Returns
    -------
    object
        The value of the class or of the first of its bases that sets one; None where the source does not
        show a plain value.
    """
    module, found = _definition(target)
    while isinstance(found, ast.ClassDef):
        bound = {
            key: node for key, node in _bindings(found.body) if isinstance(node, ast.Assign | ast.AnnAssign)
        }
        if name in bound:
            value = bound[name].value
            return value.value if isinstance(value, ast.Constant) else None
        if not found.bases or not isinstance(found.bases[0], ast.Name):
            return None
        try:
            module, found = _definition(f"{module}:{found.bases[0].id}")
        except Error:  # a built-in
            return None
    return None


# --- reading source ----------------------------------------------------------------------------------------


def _definition(reference: str, seen: Collection[str] = ()) -> tuple[str, _Definition | None]:
    """Return the class or function that a reference means and its module; None if only running can tell."""
    module, _, attribute = reference.partition(":")
    path = source_file(module)
    if path is None:
        raise Error(
            f"there is no Python source of the module {module}; "
            "install its package, or name the folder it is in under python_path"
        )
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise Error(f"{path} cannot be read as Python: {error}") from error
    bound = dict(_bindings(tree.body))  # the last one counts
    if attribute not in bound:
        if "*" in bound or "__getattr__" in bound:
            return module, None
        raise Error(_missing(module, attribute, bound))
    node = bound[attribute]
    if isinstance(node, _Definition):
        return module, node
    if isinstance(node, ast.ImportFrom) and reference not in seen:
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        origin = resolve_name("." * node.level + (node.module or ""), package)
        name = next(alias.name for alias in node.names if (alias.asname or alias.name) == attribute)
        if source_file(origin) and not source_file(f"{origin}.{name}"):
            return _definition(f"{origin}:{name}", {*seen, reference})
    return module, None


def _bindings(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """Yield the names that statements bind, each beside what binds it."""
    for node in body:
        if isinstance(node, _Definition):
            yield node.name, node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield (alias.asname or alias.name.partition(".")[0]), node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (
                (name.id, node) for part in targets for name in ast.walk(part) if isinstance(name, ast.Name)
            )
        else:  # if, try, with, for: whatever stands in them
            for field in ("body", "handlers", "orelse", "finalbody"):
                yield from _bindings(getattr(node, field, ()))


def _may_derive(found: ast.ClassDef, module: str, base: str, seen: Collection[str] = ()) -> bool:
    """Return whether a class is, or may be for all the source shows, derived from another."""
    if f"{module}:{found.name}" == base:
        return True
    for expression in found.bases:
        if not isinstance(expression, ast.Name):
            return True  # package.Class, or something computed
        try:
            where, above = _definition(f"{module}:{expression.id}")
        except Error:
            continue  # a built-in
        if above is None:
            return True
        key = f"{where}:{expression.id}"
        if (
            isinstance(above, ast.ClassDef)
            and key not in seen
            and _may_derive(above, where, base, {*seen, key})
        ):
            return True
    return False


def _missing(module: str, attribute: str, names: Iterable[str]) -> str:
    close = get_close_matches(attribute, [name for name in names if not name.startswith("_")], n=1)
    return f"{module} has no {attribute!r}" + (f". Did you mean {close[0]!r}?" if close else "")
