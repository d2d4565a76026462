import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import pytest

from rnnxai.data import _torchvision
from rnnxai.errors import Error


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_installed_torchvision_can_be_imported() -> None:
    code = "from rnnxai.data._torchvision import import_datasets as f; print(f().MNIST.__name__, f() is f())"
    assert run(code) == "MNIST True"


def test_data_needs_no_torch() -> None:
    code = """
import sys, rnnxai.data, rnnxai.data.dataset, rnnxai.data.idx, rnnxai.data._torchvision
rnnxai.data.load_source("digits")
print([name for name in ("torch", "torchvision") if name in sys.modules])"""
    assert run(code) == "[]"


class Stand:
    """Stands in for the import machinery: fails as told, then succeeds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
        self.errors, self.declared, self.modules = list(errors), 0, {"numpy": object()}
        monkeypatch.setattr(_torchvision, "import_module", self)
        monkeypatch.setattr(_torchvision, "_declare_operators", self.declare)
        monkeypatch.setattr(_torchvision, "sys", SimpleNamespace(modules=self.modules))

    def declare(self) -> None:
        self.declared += 1

    def __call__(self, name: str) -> str:
        assert list(self.modules) == ["numpy"], "left-overs of the failed import are in the way"
        if self.errors:
            self.modules["torchvision.extension"] = object()
            raise self.errors.pop(0)
        return name


NO_OPERATOR = "operator torchvision::nms does not exist"


def test_a_sound_installation_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch)
    assert _torchvision.import_datasets() == "torchvision.datasets"
    assert stand.declared == 0


def test_missing_operators_are_declared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch, RuntimeError(NO_OPERATOR))
    assert _torchvision.import_datasets() == "torchvision.datasets"
    assert stand.declared == 1


@pytest.mark.parametrize(
    "errors",
    [
        [RuntimeError("something else")],
        [ModuleNotFoundError("No module named 'torchvision'")],
        [RuntimeError(NO_OPERATOR), RuntimeError("something else")],
    ],
)
def test_other_failures_are_told(monkeypatch: pytest.MonkeyPatch, errors: list[Exception]) -> None:
    Stand(monkeypatch, *errors)
    with pytest.raises(Error, match=f"torchvision cannot be imported .{errors[-1]}"):
        _torchvision.import_datasets()


def test_the_declared_operators_are_kept() -> None:
    torch = import_module("torch")
    _torchvision.import_datasets()
    assert hasattr(torch.ops.torchvision, "nms")
