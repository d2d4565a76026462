"""Import torchvision, also where its compiled operators do not belong to the installed torch.

The torchvision wheel that package indexes serve is built against the CUDA build of torch. Beside a CPU
build its operators cannot be loaded, and the import stops at the first one it wants to extend. The data
sets need none of them, so declaring the two names is enough to let the import pass.
"""

import sys
from importlib import import_module
from typing import Any

from rnnxai.errors import Error

_OPERATORS = ("nms", "qnms")
_libraries: list[Any] = []  # a torch.library.Library withdraws its operators when it is collected


def import_datasets() -> Any:
    """Return the module ``torchvision.datasets``.

    Raises
    ------
    Error
        If torchvision cannot be imported for any other reason.
    """
    name = "torchvision.datasets"
    try:
        try:
            return import_module(name)
        except RuntimeError as error:
            if "torchvision::nms does not exist" not in str(error):
                raise
            _declare_operators()
            _forget_torchvision()
            return import_module(name)
    except (ImportError, RuntimeError) as error:
        raise Error(
            f"torchvision cannot be imported ({error}); install the torchvision that belongs to this torch"
        ) from error


def _declare_operators() -> None:
    library = import_module("torch.library").Library("torchvision", "FRAGMENT")
    for operator in _OPERATORS:
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)


def _forget_torchvision() -> None:
    """Drop what the failed import left behind: a half-made submodule would not be imported again."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
