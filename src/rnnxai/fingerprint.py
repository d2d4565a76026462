"""Fingerprints of code: what a job's result depends on, as one short string.

The workflow gives each rule the fingerprint of the code its jobs run. An edit then reruns the jobs whose
code it can reach and no others, and an edit to comments, layout or docstrings reruns nothing.

A fingerprint covers the modules reached from the targets through ``import`` statements, found by reading
the files: nothing is imported, so asking for the fingerprint of a model does not load torch. Two kinds of
module only list names and are left out with all they list, because a job needs one entry, which the
caller gives as a target of its own:

- package ``__init__`` files made by :func:`rnnxai._lazy.exports`,
- tables of :class:`~rnnxai.registry.Registry` objects.

Installed libraries are outside: a new release of torch is not an edit. The strings may differ between
minor versions of Python, whose syntax trees differ.
"""

import ast
import hashlib
import sys
from collections.abc import Collection, Iterator
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import NamedTuple, TypeGuard

from rnnxai.errors import Error

_PACKAGE = __name__.partition(".")[0]
_LIBRARIES = ("site-packages", "dist-packages")


def fingerprint(*targets: str | Path, without: Collection[str] = ()) -> str:
    """Return the fingerprint of some code and of everything in its package that it imports.

    Parameters
    ----------
    *targets : str or Path
        ``"module"``, ``"module:attribute"`` (as in registries) or the path of a script. Imports are
        followed within ``rnnxai``, within the packages of the targets, and to what lies in the same
        folder as these, so plug-ins are covered. Where libraries are installed, others are not followed.
        A module counts as a whole, whichever attribute is named.
    without : collection of str
        Modules to leave out, with what only they import: the frame of a job (its log, its lock) does not
        change what the job computes.

    Returns
    -------
    str
        16 hexadecimal digits. Equal targets and equal code give equal digits on every machine.

    Raises
    ------
    Error
        If a module or script is missing or does not parse, or if a target only lists names.
    """
    asked = sorted({target.name if isinstance(target, Path) else target for target in targets})
    sources = sorted((name, source.digest) for name, source in _closure(targets, without).items())
    return hashlib.sha256(repr((asked, sources)).encode()).hexdigest()[:16]


def covered(*targets: str | Path, without: Collection[str] = ()) -> list[str]:
    """Return the names of the modules and scripts whose code :func:`fingerprint` covers, sorted."""
    return sorted(_closure(targets, without))


def imports_of(module: str) -> tuple[str, ...]:
    """Return what a module imports, as ``"module"`` or ``"module:name"``, except for type checkers only."""
    return _source(module, module).imports


class _Source(NamedTuple):
    """What one file contributes."""

    digest: str
    imports: tuple[str, ...]  # "module" or "module:name", absolute
    exports: dict[str, str] | None  # what a lazy package passes on
    is_registry: bool

    @property
    def only_lists_names(self) -> bool:
        return self.exports is not None or self.is_registry


def _closure(targets: tuple[str | Path, ...], without: Collection[str]) -> dict[str, _Source]:
    followed, homes = {_PACKAGE}, set()
    found: dict[str, _Source] = {}
    waiting: list[tuple[str, str]] = []  # what is imported, and by whom
    for target in targets:
        if isinstance(target, Path):
            found[target.name] = script = _read(target, "")
            waiting += [(name, str(target)) for name in script.imports]
        else:
            module = target.partition(":")[0]
            if _source(module, target).only_lists_names:
                raise Error(f"{target!r}: this module only lists names; give the target of one entry.")
            followed.add(_top(module))
            homes |= _homes(_top(module))
            waiting.append((module, target))
    done = set()
    while waiting:
        wanted, asker = waiting.pop()
        if wanted in done:
            continue
        done.add(wanted)
        if _top(wanted) in followed or homes & _homes(_top(wanted)):
            waiting += _follow(wanted, asker, found, without)
    return found


def _follow(
    wanted: str, asker: str, found: dict[str, _Source], without: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Add the modules that an import runs to `found`, and yield what these import in turn."""
    module, _, name = wanted.partition(":")
    if name and source_file(f"{module}.{name}"):
        module, name = f"{module}.{name}", ""
    if module in without:
        return
    # Importing a.b.c runs the __init__ files of a and a.b as well.
    for package in _parents(module):
        if source_file(package) and not _source(package, asker).only_lists_names:
            yield package, asker
    source = _source(module, asker)
    if source.exports is not None:
        # Asked for one name, a lazy package passes that on; asked for itself, it may pass on any.
        names = [name] if name else list(source.exports)
        yield from ((source.exports[name], module) for name in names if name in source.exports)
    elif not source.is_registry:
        found[module] = source
        yield from ((further, module) for further in source.imports)


def _top(name: str) -> str:
    return name.partition(":")[0].partition(".")[0]


def _homes(top: str) -> set[Path]:
    """Return the folder that holds a package, or none where libraries are installed."""
    spec = None if top in sys.stdlib_module_names else _spec(top)
    if spec is None:
        return set()
    places = spec.submodule_search_locations or filter(None, [spec.origin])
    return {home for place in places if (home := Path(place).parent).name not in _LIBRARIES}


def _parents(module: str) -> Iterator[str]:
    while module := module.rpartition(".")[0]:
        yield module


def _source(module: str, asker: str) -> _Source:
    path = source_file(module)
    if path is None:
        by = f", imported by {asker}" if asker.partition(":")[0] != module else ""
        raise Error(
            f"no Python source for module {module!r}{by}; check the name and that it is installed, "
            "or that its folder is named in python_path."
        )
    return _read(path, module)


def source_file(module: str) -> Path | None:
    """Return the source file of a module without importing it or the packages around it.

    None if there is no such module, or if it is not written in Python.
    """
    top, *rest = module.split(".")
    spec = _spec(top)
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for folder in spec.submodule_search_locations or ():
        base = Path(folder, *rest)
        for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if path.is_file():
                return path
    return None


def _spec(top: str) -> ModuleSpec | None:
    try:
        return find_spec(top)
    except ValueError:  # it was loaded from nowhere, like __main__
        return None


def _read(path: Path, module: str) -> _Source:
    try:
        status = path.stat()
    except OSError as error:
        raise Error(f"{path}: cannot read this source file ({error.strerror}).") from error
    return _parse(path, module, status.st_mtime_ns, status.st_size)


@cache
def _parse(path: Path, module: str, _mtime_ns: int, _size: int) -> _Source:
    # The last two arguments are for the cache: a file that was edited meanwhile is parsed again.
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    try:
        tree = ast.parse(path.read_bytes())
        imports = tuple(_imports(tree, package))
    except (SyntaxError, ValueError, ImportError) as error:
        raise Error(f"{path}: not a Python file that can be imported ({error}).") from error
    exports, is_registry = _exports(tree), _is_registry(tree)
    _strip_docstrings(tree)
    return _Source(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imports, exports, is_registry)


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield what the code imports anywhere in it, except for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            yield from (module if alias.name == "*" else f"{module}:{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in (
            getattr(node.test, "id", None),  # if TYPE_CHECKING:
            getattr(node.test, "attr", None),  # if typing.TYPE_CHECKING:
        ):
            yield from _imports(ast.Module(node.orelse, []), package)
        elif not isinstance(node, ast.expr):  # an expression cannot hold an import statement
            yield from _imports(node, package)


def _strip_docstrings(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_string(statement)]


def _exports(tree: ast.Module) -> dict[str, str] | None:
    """Return the names that a lazy package passes on, or None for any other module."""
    values = _assigned_values(tree)
    calls = [value for value in values if _is_call(value, "exports")]
    if len(calls) != 1 or not all(value in calls or isinstance(value, ast.Constant) for value in values):
        return None
    try:
        return dict(ast.literal_eval(calls[0].args[1]))
    except (IndexError, TypeError, ValueError):
        return None


def _is_registry(tree: ast.Module) -> bool:
    values = _assigned_values(tree)
    return bool(values) and all(_is_call(value, "Registry") for value in values)


def _assigned_values(tree: ast.Module) -> list[ast.expr]:
    """Return the values assigned by a module that only imports and assigns, else nothing."""
    values = []
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value:
            values.append(statement.value)
        elif not (isinstance(statement, ast.Import | ast.ImportFrom) or _is_string(statement)):
            return []
    return values


def _is_call(value: ast.expr, function: str) -> TypeGuard[ast.Call]:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == function


def _is_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
