"""Root attributes that say where a file came from, without a time, host or user name."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rnnxai.errors import Error
from rnnxai.files import sha256
from rnnxai.software import software

_SOFTWARE = ("h5py", "numpy", "pandas", "scikit-learn", "scipy", "torch", "torchvision")
_PACKAGE = Path(__file__).parents[1]


def provenance(
    config: Mapping[str, Any],
    inputs: Mapping[str, str | Path],
    seed: int,
    threads: int,
    device: str,
    deterministic: bool = True,
) -> dict[str, Any]:
    """Describe what a file was made from.

    Parameters
    ----------
    config : Mapping
        The resolved configuration; anything JSON can hold.
    inputs : Mapping[str, path]
        Every file read, under a name; "dataset" is the data set file. Only hashes are recorded.
    seed, threads : int
        Seed and number of threads of the job.
    device : str
        "cpu", "cuda", ...
    deterministic : bool
        Whether equal runs give equal bits on this device.

    Returns
    -------
    dict
        The attributes `rnnxai.archive.format.PROVENANCE`. ``git_commit`` is "unknown" outside a
        repository; ``git_dirty`` is 1 when the package's own source differs from that commit.

    Raises
    ------
    Error
        If the configuration is not JSON or an input cannot be read.
    """
    config_json = canonical_json(config)
    commit, dirty = _git()
    return {
        "git_commit": commit,
        "git_dirty": np.uint8(dirty),
        "config_json": config_json,
        "config_sha256": hashlib.sha256(config_json.encode()).hexdigest(),
        "software_json": canonical_json(software(*_SOFTWARE)),
        "seed": np.int64(seed),
        "threads": np.int64(threads),
        "device": str(device),
        "deterministic": np.uint8(deterministic),
        "inputs_json": canonical_json({name: _hash(name, path) for name, path in inputs.items()}),
    }


def explanation(
    *,
    dataset: str,
    architecture: str,
    steps: int,
    fold: int | str,
    explainer: str,
    parameters: Mapping[str, Any],
    model_sha256: str,
    strategy: str = "true_label",
) -> dict[str, Any]:
    """Name the cell of the study that an attribution file holds.

    Parameters
    ----------
    dataset, architecture, explainer : str
        Their names.
    steps : int
        Time steps T of the model.
    fold : int or "quality"
        The fold, or the fixed split, whose test set is explained.
    parameters : Mapping
        Parameters of the explainer; anything JSON can hold.
    model_sha256 : str
        Hash of the weights file.
    strategy : str
        Which class is explained.

    Returns
    -------
    dict
        The attributes `rnnxai.archive.format.EXPLANATION`.
    """
    return {
        "dataset": dataset,
        "architecture": architecture,
        "T": np.int64(steps),
        "fold": str(fold),
        "explainer": explainer,
        "explainer_parameters_json": canonical_json(parameters),
        "attribution_strategy": strategy,
        "model_sha256": model_sha256,
    }


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, finite numbers only."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Error(f"{value!r} cannot be recorded as JSON: {error}") from error


def _hash(name: str, path: str | Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise Error(f"input {name!r} at {path} cannot be read: {error.strerror}") from error


def _git() -> tuple[str, bool]:
    # Asking whether git tracks this very file keeps a foreign repository around an installed copy out.
    if _run_git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return "unknown", False
    commit = _run_git("rev-parse", "HEAD")
    changes = _run_git("status", "--porcelain", "--", str(_PACKAGE))
    return commit or "unknown", bool(changes)


def _run_git(*arguments: str) -> str | None:
    program = shutil.which("git")
    if program is None:
        return None
    done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
        [program, "-C", str(Path(__file__).parent), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None
