"""The mutation run itself, on a module of two functions and a table."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "mutate.py"
MODULE = '''
"""A module."""

TABLE = {"one": 1}


def larger(a, b):
    """Return the larger of two numbers, which is either where they are equal."""
    return a if a > b else b


def entry(name):
    return TABLE[name]
'''
TESTS = """
from toy.module import entry, larger


def test_larger():
    assert larger(1, 2) == larger(2, 1) == larger(2, 2) == 2


def test_entry():
    assert entry("one") == 1
"""
ALIKE = """
[[equivalent]]
home = "larger"
changes = ["return a if a > b else b -> return a if a >= b else b"]
reason = "where they are equal either will do"
"""


@pytest.fixture
def run(tmp_path):
    """Return a function that runs the tool on the module; it returns the exit status and what is printed."""
    for name, text in {
        "src/toy/__init__.py": "",
        "src/toy/module.py": MODULE,
        "tests/test_toy.py": TESTS,
        "equivalent.toml": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(*more):
        options = [
            "--root",
            tmp_path,
            "--package",
            "toy",
            "--tests",
            "tests",
            "--preload",
            "json",
            "--sample",
            "0",
        ]
        files = ["--outcomes", tmp_path / "outcomes.jsonl", "--equivalents", tmp_path / "equivalent.toml"]
        done = subprocess.run(
            [sys.executable, TOOL, *options, *files, "--to", tmp_path / "report.md", *more],
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def outcomes(tmp_path):
    """Return the last outcome of each mutant, in the order of their first."""
    lines = [json.loads(line) for line in (tmp_path / "outcomes.jsonl").read_text().splitlines()]
    return list({line["key"]: line for line in lines}.values())


def test_one_mutant_survives_until_it_is_said_to_be_alike(tmp_path, run):
    status, printed = run()
    assert status == 1
    assert "survived: toy.module:larger [comparison]" in printed
    results = [outcome["result"] for outcome in outcomes(tmp_path)]
    assert results.count("survived") == 1
    assert results.count("killed") == len(results) - 1 > 10
    report = (tmp_path / "report.md").read_text()
    assert "- `toy.module`, `larger`: `return a if a > b else b -> return a if a >= b else b`" in report

    (tmp_path / "equivalent.toml").write_text(ALIKE)
    status, printed = run()
    assert status == 0
    assert len(outcomes(tmp_path)) == len(results), "what is known is tried again"
    report = (tmp_path / "report.md").read_text()
    assert "where they are equal either will do" in report
    assert "\nNone.\n" in report
    assert (tmp_path / "src/toy/module.py").read_text() == MODULE


def test_only_what_changed_is_tried_again(tmp_path, run):
    (tmp_path / "equivalent.toml").write_text(ALIKE)
    run()
    before = len(outcomes(tmp_path))
    path = tmp_path / "src/toy/module.py"
    path.write_text(
        "# moved down\n" + MODULE.replace("return TABLE[name]", "value = TABLE[name]\n    return value")
    )
    status, printed = run()
    assert status == 0, printed
    new = [outcome["test"] for outcome in outcomes(tmp_path)[before:]]
    assert new
    assert all(test.endswith("::test_entry") for test in new if "::" in test)


def test_tests_that_fail_anyway_are_left_out(tmp_path, run):
    path = tmp_path / "tests/test_toy.py"
    path.write_text(TESTS + "\n\ndef test_wrong():\n    assert entry('one') == 2\n")
    _, printed = run()
    assert "left out, since it fails without any mutation: tests/test_toy.py::test_wrong" in printed
    assert not any("test_wrong" in outcome["test"] for outcome in outcomes(tmp_path))
