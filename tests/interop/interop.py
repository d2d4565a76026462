"""What the tests here share: how much there is in the study, and where programs are."""

import os
import shutil
from pathlib import Path

import pytest

MAPS = 120
EXPLAINERS = ("sa", "dtd")
REPOSITORY_VIRELAY = Path(__file__).parents[2] / ".venv" / "virelay" / "bin" / "virelay"


def needed(program: str, path: str | Path | None) -> str:
    """Return where a program is; skip the test without it, or fail where all are promised to be there."""
    if path is not None and Path(path).exists():
        return str(path)
    message = f"{program} is not installed"
    if os.environ.get("RNNXAI_ALL_TOOLS"):
        pytest.fail(message)
    pytest.skip(message)


def program(name: str) -> str:
    """Return where a program of the system is, or skip."""
    return needed(name, shutil.which(name))
