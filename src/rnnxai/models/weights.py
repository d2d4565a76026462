"""Trained networks as files: safetensors with everything needed to build the network again."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from rnnxai.errors import Error
from rnnxai.files import replacing
from rnnxai.models.build import build_model
from rnnxai.models.classifier import Classifier


def save_network(
    model: Classifier, k: int, path: str | Path, build: dict[str, Any], about: dict[str, Any]
) -> None:
    """Write one network of a stack.

    Parameters
    ----------
    model : Classifier
    k : int
        Which network of the stack.
    path : str or Path
    build : dict
        Arguments of :func:`~rnnxai.models.build.build_model`.
    about : dict
        Anything worth keeping with the weights (fold, accuracy, folds trained together, ...).
    """
    tensors = {name: value[k : k + 1].cpu().contiguous() for name, value in model.state_dict().items()}
    # One metadata key: safetensors writes several in an order that changes from process to process.
    text = json.dumps({"build": build, "about": about}, sort_keys=True)
    with replacing(path) as temporary:
        save_file(tensors, temporary, {"rnnxai": text})


def load_network(path: str | Path) -> tuple[Classifier, dict[str, Any]]:
    """Read a network back, in evaluation mode.

    Returns
    -------
    model : Classifier
        A single network (K = 1).
    about : dict
        What was kept with it.

    Raises
    ------
    Error
        If the file is missing, damaged or not one of ours.
    """
    path = Path(path)
    if not path.exists():
        raise Error(f"{path} does not exist; a trained network (safetensors) would be right")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get("rnnxai", "{}"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise Error(f"{path} is damaged or no safetensors file: {error}") from error
    if not isinstance(metadata, dict) or not {"build", "about"} <= metadata.keys():
        raise Error(f"{path} holds weights, but not of rnnxai: nothing in it says how to build the network")
    try:
        model = build_model(**metadata["build"])
        model.load_state_dict(tensors)
    except (TypeError, RuntimeError) as error:
        raise Error(f"{path} does not fit its own description: {error}") from error
    return model.eval(), metadata["about"]
