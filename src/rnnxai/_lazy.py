"""Lazy re-exports, so that importing a package costs nothing and ties no modules together.

The package's ``__init__`` files hold names only. A name is imported when somebody first asks for it,
which keeps ``import rnnxai`` fast and keeps the ``__init__`` files out of the import closures that
decide what the workflow runs again (see :mod:`rnnxai.fingerprint`).
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


def exports(
    package: str, targets: Mapping[str, str], call: str | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the ``__getattr__`` and ``__dir__`` of a package that imports on demand.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    targets : Mapping[str, str]
        Public name to ``"module:attribute"``, or to ``"module"`` for a submodule.
    call : str, optional
        The name of the function that the package itself stands for when it is called. A package and a
        function cannot share a name otherwise: importing ``rnnxai.explain.rules`` binds the package to
        ``rnnxai.explain``, whatever was there.

    Returns
    -------
    tuple of callable
        ``__getattr__`` and ``__dir__``, to be bound to these names in the package.
    """

    def load(name: str) -> Any:
        if name not in targets:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = targets[name].partition(":")
        loaded = import_module(module)
        return getattr(loaded, attribute) if attribute else loaded

    def names() -> list[str]:
        own = (name for name in vars(sys.modules[package]) if name.startswith("__"))  # __version__, say
        return sorted({*own, *targets})

    if call is not None:
        sys.modules[package].__class__ = _callable_module(lambda: load(call))
    return load, names


def _callable_module(load: Callable[[], Callable[..., Any]]) -> type[ModuleType]:
    class CallableModule(ModuleType):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return load()(*args, **kwargs)

    return CallableModule
