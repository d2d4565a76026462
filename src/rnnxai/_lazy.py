"""Lazy re-exports, so that importing a package costs nothing and ties no modules together.

The package's ``__init__`` files hold names only. A name is imported when somebody first asks for it,
which keeps ``import rnnxai`` fast and keeps the ``__init__`` files out of the import closures that
decide what the workflow runs again (see :mod:`rnnxai.fingerprint`).
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def exports(
    package: str, targets: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the ``__getattr__`` and ``__dir__`` of a package that imports on demand.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    targets : Mapping[str, str]
        Public name to ``"module:attribute"``, or to ``"module"`` for a submodule.

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

    return load, lambda: sorted(targets)
