import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import rnnxai
from rnnxai.errors import Error
from rnnxai.fingerprint import covered, fingerprint, imports_of

# A package like ours, small: cells behind a registry, a lazy __init__, a script that calls it.
FILES = {
    "acme/__init__.py": """
        from rnnxai._lazy import exports
        __version__ = "1"
        __getattr__, __dir__ = exports(
            __name__, {"Gate": "acme.cells.gate:Gate", "Plain": "acme.cells.plain:Plain"}
        )
        """,
    "acme/table.py": """
        from rnnxai.registry import Entry, Registry
        CELLS = Registry("cell", {"gate": Entry("acme.cells.gate:Gate", "A gate.")})
        """,
    "acme/cells/__init__.py": "",
    "acme/cells/gate.py": '''
        """A cell."""
        from __future__ import annotations
        import typing
        from typing import TYPE_CHECKING
        from acme.table import CELLS
        from .. import helpers
        if TYPE_CHECKING:
            from acme.cells.plain import Plain
        if typing.TYPE_CHECKING:
            import acme.cells.plain
        else:
            import acme.used_at_run_time

        class Gate:
            """Opens and closes."""
            def forward(self, x: Plain) -> float:
                """Open."""
                from acme.late import late
                return late(helpers.double(x))
        ''',
    "acme/cells/plain.py": "class Plain: pass",
    "acme/helpers.py": "from acme.deep import *\ndef double(x): return 2 * x",
    "acme/deep.py": "import acme.helpers  # a circle does no harm\nLIMIT = 3",
    "acme/late.py": "def late(x): return x",
    "acme/used_at_run_time.py": "",
    "acme/unrelated.py": "x = 1",
    "script.py": "from acme import Plain\nfrom rnnxai.errors import Error\nprint(Plain)",
}
REACHED = ["acme.cells", "acme.cells.gate", "acme.deep", "acme.helpers", "acme.late", "acme.used_at_run_time"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = text.splitlines()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        path.write_text("\n".join(line[indent:] for line in lines))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_is_imported(package):
    assert imports_of("acme.cells.gate") == (
        *("__future__:annotations", "typing", "typing:TYPE_CHECKING", "acme.table:CELLS", "acme:helpers"),
        *("acme.used_at_run_time", "acme.late:late"),
    )


def test_what_is_covered(package):
    assert covered("acme.cells.gate:Gate") == REACHED
    assert covered("acme.cells.gate") == REACHED
    assert covered("acme.unrelated") == ["acme.unrelated"]


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("cells/gate.py", '"""A cell."""', '"""Some cell."""', False),
        ("cells/gate.py", '"""Opens and closes."""', "", False),
        ("cells/gate.py", '"""Open."""', '"""Open it."""', False),
        ("cells/gate.py", "class Gate:", "# Comment.\n\n\nclass Gate:", False),
        ("helpers.py", "2 * x", "(2\n    * x)", False),
        ("helpers.py", "2 * x", "3 * x", True),
        ("deep.py", "3", "4", True),
        ("late.py", "return x", "return -x", True),
        ("used_at_run_time.py", "", "x = 1", True),
        ("cells/plain.py", "pass", "x = 1", False),
        ("unrelated.py", "1", "2", False),
        ("table.py", "A gate.", "The gate.", False),
        ("table.py", '"gate": Entry(', '"door": Entry("acme.doors:Door", "A door."), "gate": Entry(', False),
        ("__init__.py", '"Gate":', '"Other": "acme.unrelated:x", "Gate":', False),
        ("__init__.py", '__version__ = "1"', '__version__ = "2"', False),
        # Code beside the names: then the file runs something, and counts.
        ("table.py", "CELLS =", "print()\nCELLS =", True),
        ("__init__.py", "__version__", "print()\n__version__", True),
        ("__init__.py", '__version__ = "1"', "__version__ = str(1)", True),
        ("cells/__init__.py", "", "x = 1", True),
    ],
)
def test_which_edits_change_it(package, file, old, new, changes):
    before = fingerprint("acme.cells.gate:Gate")
    edit(package / "acme" / file, old, new)
    assert (fingerprint("acme.cells.gate:Gate") != before) is changes


def test_it_is_the_same_elsewhere_and_in_any_order(package, tmp_path_factory, monkeypatch):
    targets = ("acme.cells.gate:Gate", "acme.unrelated", package / "script.py")
    here = fingerprint(*targets)
    assert len(here) == 16 and int(here, 16) >= 0
    assert fingerprint(*reversed(targets)) == here
    assert fingerprint(targets[0]) != here

    elsewhere = tmp_path_factory.mktemp("elsewhere") / "src"
    package.rename(elsewhere)
    monkeypatch.syspath_prepend(elsewhere)
    importlib.invalidate_caches()
    assert fingerprint(*targets[:2], elsewhere / "script.py") == here


def test_another_entry_of_the_same_module_is_another_fingerprint(package):
    assert fingerprint("acme.cells.gate:Gate") != fingerprint("acme.cells.gate:Gate2")


def test_some_of_it_can_be_left_out(package):
    frame = ["acme.helpers", "acme.late"]  # the first takes along what only it imports
    assert covered("acme.cells.gate", without=frame) == [
        "acme.cells",
        "acme.cells.gate",
        "acme.used_at_run_time",
    ]
    before = fingerprint("acme.cells.gate", without=frame)
    assert before != fingerprint("acme.cells.gate")
    edit(package / "acme" / "deep.py", "3", "4")
    assert fingerprint("acme.cells.gate", without=frame) == before


def test_scripts_count_with_what_they_import(package):
    script = package / "script.py"
    assert covered(script) == ["rnnxai.errors", "script.py"]
    # A lazy package hands on to where the name lives.
    assert covered(script, "acme.unrelated") == [
        *("acme.cells", "acme.cells.plain", "acme.unrelated", "rnnxai.errors", "script.py"),
    ]
    before = fingerprint(script)
    edit(script, "print", "repr")
    assert fingerprint(script) != before


def test_a_lazy_package_taken_whole_hands_on_everything(package):
    script = package / "script.py"
    script.write_text("import acme\nacme.Gate")
    assert covered(script, "acme.unrelated") == sorted(
        [*REACHED, "acme.cells.plain", "acme.unrelated", "script.py"]
    )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("acme.nothing:Gate", r"no Python source for module 'acme\.nothing'; check"),
        ("no_such_package", "no Python source for module 'no_such_package'"),
        ("acme.broken", r"broken\.py: not a Python file"),
        ("acme.dangling", r"no Python source for module 'acme\.nothing', imported by acme\.dangling"),
        ("acme.above", r"above\.py: not a Python file .*relative import"),
        ("acme.table:CELLS", r"'acme\.table:CELLS': this module only lists names"),
        ("acme:Gate", "'acme:Gate': this module only lists names"),
        (Path("nowhere/script.py"), r"nowhere/script\.py: cannot read this source file \(No such file"),
    ],
)
def test_what_cannot_be_fingerprinted(package, target, message):
    (package / "acme" / "broken.py").write_text("def")
    (package / "acme" / "dangling.py").write_text("import acme.nothing")
    (package / "acme" / "above.py").write_text("from ... import x")
    with pytest.raises(Error, match=message):
        fingerprint(target)


def test_a_module_without_a_package_counts_with_what_lies_beside_it(package):
    assert covered("script") == ["acme.cells", "acme.cells.plain", "rnnxai.errors", "script"]


def test_where_libraries_are_installed_only_the_package_itself_is_followed(package, monkeypatch):
    libraries = package / "site-packages"
    libraries.mkdir()
    for name in ("script.py", "acme"):
        (package / name).rename(libraries / name)
    monkeypatch.syspath_prepend(libraries)
    assert covered("script") == ["rnnxai.errors", "script"]
    assert covered("acme.cells.gate") == REACHED


def test_all_of_rnnxai_with_each_file_parsed_once_and_nothing_imported():
    root = Path(rnnxai.__file__).parent
    names = sorted(
        ".".join(("rnnxai", *path.relative_to(root).with_suffix("").parts))
        for path in root.rglob("*.py")
        if path.name != "__init__.py"
    )
    code = """
import ast, sys
from rnnxai.errors import Error
from rnnxai.fingerprint import fingerprint
parse, parsed = ast.parse, []
ast.parse = lambda text, *others, **named: parsed.append(text) or parse(text, *others, **named)
for name in sys.argv[1:]:
    try:
        fingerprint(name)
    except Error as error:
        assert "only lists names" in str(error), error
imported = sys.modules.keys() & {"torch", "numpy", "pandas", "rnnxai.registry"}
print(len(parsed), sorted(imported))
"""
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    parsed, imported = done.stdout.split(" ", 1)
    assert imported.strip() == "[]"
    assert len(names) <= int(parsed) <= len(list(root.rglob("*.py")))
