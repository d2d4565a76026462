"""The import arrows: they go down only.

`docs/architecture.md` says what each part is for; the first table below says what it may import. A new part
gets a line there.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

import rnnxai
from rnnxai.errors import Error
from rnnxai.fingerprint import fingerprint, imports_of

# Part: the parts it stands on. It may import from these and from what they stand on.
ARROWS = {
    "ground": "",
    "tables": "ground",
    "settings": "ground",
    "strategies": "tables",
    "data": "tables",
    "models": "data",
    "explain": "models strategies",
    "training": "models settings",
    "archive": "ground",
    "scoring": "archive tables settings",
    "figures": "data scoring",
    "export": "data scoring",
    "config": "data settings strategies",
    "study": "config",
    "reproduction": "study figures",
    "report": "study figures",
    "stages": "explain training report reproduction",
    "planning": "study",
    "diagnosis": "study models",
    "cli": "export stages planning diagnosis",
}
WITH_TORCH = {"models", "explain", "training", "stages", "cli"}
# Module: its part, where that is not the name of its folder.
PARTS = {
    "__main__": "cli",
    "_lazy": "ground",
    "benchmarks": "ground",
    "errors": "ground",
    "files": "ground",
    "fingerprint": "ground",
    "locks": "ground",
    "memory": "ground",
    "plugins": "ground",
    "registry": "ground",
    "slurm": "ground",
    "seal": "ground",
    "software": "ground",
    "config_errors": "config",
    "config_sections": "config",
    # What the config needs of the floors above it, which must not load torch.
    "training.settings": "settings",
    "scoring.comparisons": "settings",
    "explain.channels": "strategies",
    "explain.strategy": "strategies",
}
ROOT = Path(rnnxai.__file__).parent
SOURCES = {
    ".".join(("rnnxai", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
PACKAGES = [name for name, path in SOURCES.items() if path.name == "__init__.py"]
MODULES = [name for name in SOURCES if name not in PACKAGES]
TABLES = [
    name for name in MODULES if re.search(r"^\w+ = Registry\(", SOURCES[name].read_text(), re.MULTILINE)
]


def part_of(module: str) -> str:
    if module in TABLES:
        return "tables"
    inside = module.removeprefix("rnnxai.")
    return PARTS.get(inside, inside.partition(".")[0])


def floors_of(part: str) -> set[str]:
    return {part}.union(*(floors_of(floor) for floor in ARROWS[part].split()))


def imported_modules(module: str) -> set[str]:
    """Return the modules of this package that a module imports, each by its own name."""
    references = (reference.replace(":", ".") for reference in imports_of(module))
    return {
        name if name in SOURCES else name.rpartition(".")[0]
        for name in references
        if name.split(".")[0] == "rnnxai"
    }


def modules_after(code: str) -> set[str]:
    """Return the names of the modules that a fresh Python has loaded after running some code."""
    code += "\nimport sys; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", code], stdout=PIPE, text=True, check=True).stdout.split()
    )


@pytest.mark.parametrize("module", MODULES)
def test_arrows_go_down(module):
    part = part_of(module)
    assert part in ARROWS, f"{module} is in no part: give it a line in ARROWS or PARTS"
    allowed = floors_of(part)
    wrong = sorted(name for name in imported_modules(module) - set(PACKAGES) if part_of(name) not in allowed)
    assert not wrong, f"{module} ({part}) may import from {sorted(allowed)}, not {wrong}"


@pytest.mark.parametrize("module", MODULES)
def test_names_come_from_where_they_are_defined(module):
    through = sorted(imported_modules(module) & set(PACKAGES))
    if "rnnxai:__version__" in imports_of(module):  # which is defined there
        through.remove("rnnxai")
    assert not through, f"{module} imports through {through}; import from the module that defines the name"


def test_what_reads_files_does_without_torch():
    names = [name for name in MODULES if part_of(name) not in WITH_TORCH]
    assert modules_after(f"import {', '.join(names)}") & {"torch"} == set()


def test_no_circles():
    below = {module: imported_modules(module) - set(PACKAGES) for module in MODULES}
    while free := [module for module, imported in below.items() if not imported & below.keys()]:
        for module in free:
            del below[module]
    assert not below, f"in a circle or above one: {sorted(below)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_only_list_names(package):
    _docstring, *statements = map(ast.unparse, ast.parse(SOURCES[package].read_text()).body)
    allowed = (
        "from rnnxai._lazy import exports",
        "__version__ = '",
        "__getattr__, __dir__ = exports(__name__, {",
    )
    assert [statement for statement in statements if not statement.startswith(allowed)] == []


@pytest.mark.parametrize("module", TABLES)
def test_tables_stay_out_of_fingerprints(module):
    with pytest.raises(Error, match="only lists names"):
        fingerprint(module)


@pytest.mark.parametrize(
    "code",
    [
        "import rnnxai; rnnxai.Error, dir(rnnxai)",
        "from rnnxai import MODELS, METHODS; list(MODELS), list(METHODS)",
    ],
)
def test_importing_is_cheap(code):
    assert modules_after(code) & {"torch", "numpy", "pandas", "matplotlib", "h5py", "pydantic"} == set()
