"""What lives outside the package and is named by package.module:Name."""

import importlib
import subprocess
import sys

import pages
import pytest
import torch
import yaml

import rnnxai
from rnnxai import plugins
from rnnxai.config import check_config
from rnnxai.data.sources import SOURCES
from rnnxai.data.tasks import TASKS
from rnnxai.errors import Error
from rnnxai.explain.methods import METHODS
from rnnxai.figures.catalogue import FIGURES
from rnnxai.fingerprint import covered
from rnnxai.models.zoo import MODELS
from rnnxai.scoring.scores import SCORES
from rnnxai.study import Study, code_of_architecture, code_of_dataset, code_of_group, code_of_scores

FILES = {
    "guest/__init__.py": "",
    "guest/cells.py": """
from functools import wraps
from rnnxai.models.cells import cell as base
from rnnxai.models.cells.cell import Cell
from rnnxai.models.cells.shallow import Shallow
import torch.nn as nn
from torch.nn import Linear
from guest.other import Renamed as Elsewhere
from .other import helper

class Own(Cell):
    def __init__(self, *, folds, patch, classes, dropout, bias, hidden=64): ...
class Heir(Shallow): ...
class Attribute(base.Cell): ...
class Unrelated: ...
class Child(Unrelated): ...
class Error_(ValueError): ...
class Torch(Linear): ...
class TorchAttribute(nn.Module): ...
def build(): ...
number = 3
try:
    class Tried(Own): ...
except ImportError:
    Tried = None
""",
    "guest/other.py": """
from rnnxai.models.cells.cell import Cell
class Renamed(Cell): ...
def helper(reductions, power): ...
""",
    "guest/scores.py": """
from functools import partial, wraps
from guest.other import helper
class Score: ...
def anything(reductions, **options): ...
@wraps(anything)
def wrapped(): ...
square = partial(helper, power=2)
""",
    "guest/broken.py": "def",
    "guest/dangling.py": "import guest.nowhere\nfrom rnnxai.models.cells.shallow import Shallow as Cell",
    "guest/fails.py": "def score(reductions): ...\nraise OSError('no disk')",
    "guest/loop.py": "class Loop(Loop): ...",
    "guest/passes_on.py": "def __getattr__(name): ...",
}


@pytest.fixture
def guest(tmp_path, monkeypatch):
    """Return a folder, named in sys.path, with a package of plug-ins."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "guest"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("module:Name", True),
        ("package.module:Name", True),
        ("paquet.été:Élan", True),
        ("_a.b_1:_C", True),
        ("module", False),
        ("module:", False),
        (":Name", False),
        ("package..module:Name", False),
        (".module:Name", False),
        ("module:Name.part", False),
        ("module:Name()", False),
        ("module:Name:x", False),
        ("my-package:Name", False),
        ("1module:Name", False),
        ("a b:Name", False),
        ("module:Name\n", False),
        (3, False),
        (None, False),
    ],
)
def test_what_a_reference_looks_like(name, expected):
    assert plugins.is_reference(name) is expected
    assert (name in MODELS) is expected


@pytest.mark.parametrize("registry", [MODELS, METHODS, SOURCES, TASKS, SCORES])
def test_a_reference_is_as_good_as_a_name(registry):
    assert registry.resolve("no.such:Thing") == ("no.such:Thing", {}), "whether it exists is asked later"
    assert registry["no.such:Thing"] == "no.such:Thing, from outside"
    assert "no.such:Thing" not in list(registry)
    for ask in (registry.load, registry.check):
        with pytest.raises(Error, match=rf"^{registry.kind} 'no\.such:Thing': "):
            ask("no.such:Thing")
        with pytest.raises(Error, match=r"unknown .* Your own is named package\.module:Name\.$"):
            ask("no-such:Thing")


def test_a_table_of_other_things_takes_none():
    with pytest.raises(Error, match=r"unknown figure 'no\.such:Thing'\. Known: [^:]*$"):
        FIGURES.resolve("no.such:Thing")


RIGHT = [
    ("architecture", "guest.cells:Own"),
    ("architecture", "guest.cells:Heir"),
    ("architecture", "guest.cells:Attribute"),
    ("architecture", "guest.cells:Elsewhere"),
    ("architecture", "guest.cells:Tried"),
    ("score", "guest.cells:build"),
    ("score", "guest.cells:helper"),
    ("score", "guest.scores:square"),
    ("score", "guest.scores:wrapped"),
]


@pytest.mark.parametrize(("kind", "reference"), RIGHT)
def test_what_is_right_is_found_and_loaded(guest, kind, reference):
    plugins.check(kind, reference)
    assert "guest" not in sys.modules, "a check runs nothing"
    assert callable(plugins.load(kind, reference))


CELL = r"; a class derived from rnnxai\.models\.cells\.cell\.Cell would be right$"
SCORE = r"; a function of rnnxai\.scoring\.reductions\.Reductions would be right$"


@pytest.mark.parametrize(
    ("kind", "reference", "checked", "loaded"),
    [
        (
            "score",
            "nowhere:x",
            "there is no Python source of the module nowhere; install its package, or name the folder",
            "nowhere cannot be imported: ModuleNotFoundError: No module named 'nowhere'$",
        ),
        ("score", "guest.nowhere:x", "no Python source of the module guest.nowhere", "No module named 'gue"),
        (
            "architecture",
            "guest.cells:own",
            r"guest\.cells has no 'own'\. Did you mean 'Own'\?$",
            r"guest\.cells has no 'own'\. Did you mean 'Own'\?$",
        ),
        ("architecture", "guest.cells:build", f"it is a function{CELL}", f"it is a function{CELL}"),
        *(
            (
                "architecture",
                f"guest.cells:{name}",
                f"it is a class, but not derived from that one{CELL}",
                f"it is the class {name}{CELL}",
            )
            for name in ("Unrelated", "Child", "Error_")
        ),
        ("architecture", "guest.cells:Torch", None, f"it is the class Torch{CELL}"),
        ("architecture", "guest.cells:TorchAttribute", None, f"it is the class TorchAttribute{CELL}"),
        ("architecture", "guest.cells:number", None, f"it is a int{CELL}"),
        ("architecture", "guest.cells:nn", None, f"it is a module{CELL}"),
        ("score", "guest.scores:Score", f"it is a class{SCORE}", f"it is the class Score{SCORE}"),
        ("score", "guest.cells:number", None, f"it is a int{SCORE}"),
        ("score", "guest.broken:x", r"broken\.py cannot be read as Python: invalid", r"SyntaxError: .*"),
        (
            "architecture",
            "guest.dangling:Cell",
            r"no Python source for module 'guest\.nowhere', imported by guest\.dangling",
            r"No module named 'guest\.nowhere' \(.*dangling\.py, line 1\)$",
        ),
        (
            "score",
            "guest.fails:score",
            None,
            r"guest\.fails cannot be imported: OSError: no disk \(.*fails\.py, line 2\)",
        ),
        ("score", "guest.passes_on:x", None, "it is a NoneType"),
    ],
)
def test_what_is_wrong_is_said(guest, kind, reference, checked, loaded):
    start = rf"^{kind} '{reference}': .*"
    if checked is None:  # only running can tell
        plugins.check(kind, reference)
    else:
        with pytest.raises(Error, match=start + checked):
            plugins.check(kind, reference)
    with pytest.raises(Error, match=start + loaded):
        plugins.load(kind, reference)


def test_a_class_derived_from_itself_is_no_cell(guest):
    with pytest.raises(Error, match="not derived from that one"):
        plugins.check("architecture", "guest.loop:Loop")


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("guest.cells:Own", ["folds", "patch", "classes", "dropout", "bias", "hidden"]),
        ("guest.cells:Heir", None),
        ("guest.cells:helper", ["reductions", "power"]),
        ("guest.scores:anything", None),
        ("guest.scores:wrapped", None),
        ("guest.scores:square", None),
        ("rnnxai.data.digits:digits", []),
        ("rnnxai.data.idx:mnist", ["root", "download", "mirrors"]),
    ],
)
def test_what_something_takes(guest, target, names):
    assert plugins.parameters(target) == names


def test_folders_are_searched_first_and_named_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", ["/elsewhere"])
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        plugins.add_folders([".", tmp_path / "sub"])
    assert sys.path == [str(tmp_path), str(tmp_path / "sub"), "/elsewhere"]


# --- the page of the handbook ------------------------------------------------------------------------------


@pytest.fixture
def my_study(tmp_path, monkeypatch):
    """Return the folder with the files that the page shows."""
    pages.write_files_of(pages.PLUG_INS, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_study"]:
        del sys.modules[name]


def test_the_study_of_the_page_is_good_and_nothing_of_it_is_run(my_study):
    study = Study(check_config(yaml.safe_load(pages.code_in(pages.PLUG_INS, "yaml"))))
    assert "my_study" not in sys.modules
    config = study.config
    assert code_of_architecture(study.architecture("elman")) == "my_study.cells:Elman"
    assert code_of_architecture(study.architecture("shallow")) == MODELS.target("shallow")
    assert code_of_dataset(config.datasets["stripes"]) == [
        "my_study.data:stripes",
        "my_study.data:first_decides",
    ]
    assert code_of_group(study.groups["signed"]) == ["my_study.rules:signed"]
    assert code_of_scores(config.scores) == ["my_study.scores:pointing_game", SCORES.target("cosine")]
    assert check_config(config.model_dump(mode="json")) == config, "jobs read it as it is written here"


def test_checking_the_page_loads_no_torch(my_study):
    (my_study / "study.yaml").write_text(pages.code_in(pages.PLUG_INS, "yaml").replace("[dtd]", "[sa]"))
    code = "from rnnxai.config import read_config; read_config('study.yaml')\n"
    code += "import sys; print(sys.modules.keys() & {'torch', 'my_study'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_code_of_the_page_is_covered_with_what_it_reaches(my_study, monkeypatch):
    monkeypatch.syspath_prepend(my_study)
    names = covered("my_study.cells:Elman")
    assert {"my_study.cells", "rnnxai.models.layers", "rnnxai.models.cells.cell"} <= set(names)
    assert not {"my_study.data", "my_study.rules", "rnnxai.models.cells.shallow"} & set(names)
    assert "my_study.cells" not in covered(MODELS.target("shallow"))


def test_the_python_of_the_page_runs(my_study, monkeypatch):
    monkeypatch.syspath_prepend(my_study)
    names = {}
    exec(pages.code_in(pages.PLUG_INS, "python"), names)
    assert names["relevance"].shape == (5, 1, 28, 84)
    relevance, ledger = rnnxai.explain(
        names["model"], names["images"], names["targets"], method="my_study.rules:signed", return_ledger=True
    )
    assert torch.isfinite(relevance).all() and abs(ledger.residual).max() < 1e-4


def test_a_network_with_a_cell_from_outside_is_read_back(my_study, monkeypatch):
    from rnnxai.models.weights import load_network, save_network

    monkeypatch.syspath_prepend(my_study)
    build = {"name": "my_study.cells:Elman", "image_size": (28, 84), "steps": 3, "classes": 3, "hidden": 8}
    model = rnnxai.build_model(**build)
    save_network(model, 0, my_study / "n.safetensors", build, {})
    again, _ = load_network(my_study / "n.safetensors")
    images = torch.rand(2, 1, 28, 84)
    assert torch.equal(again(images), model.eval()(images))
    sys.modules.pop("my_study.cells")
    (my_study / "my_study" / "cells.py").unlink()
    with pytest.raises(
        Error, match=r"architecture 'my_study\.cells:Elman': my_study\.cells cannot be imported"
    ):
        load_network(my_study / "n.safetensors")
