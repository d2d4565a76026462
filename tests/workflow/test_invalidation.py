"""What an edit makes run again, and nothing else: the table of docs/architecture.md."""

import copy
import os
from collections.abc import Callable

import pytest
from small_study import STUDY, Project, matching

pytestmark = pytest.mark.workflow

Edit = Callable[[Project], None]

TABLES = ("tables/*",)
REFERENCES = ("scores/digits-maj/references.csv",)


def drawn(*names: str) -> tuple[str, ...]:
    return tuple(f"figures/{name}/digits-maj*" for name in names)


SCORE_FIGURES = drawn("cosine", "look", "differences", "checks")
ARCHIVE_FIGURES = drawn("heatmaps", "positive-heatmaps", "relevance-per-step", "block-shares")
OVERVIEW = drawn("overview", "problem")
SUMMARY = (
    "scores/scores.csv",
    "scores/summary.csv",
    "scores/differences.csv",
    *SCORE_FIGURES,
    *OVERVIEW,
    *TABLES,
)
FIGURES = ("figures/*/digits-maj*",)
BOOKS_FIGURE = "figures/where-did-the-score-go/digits-maj*"
REPORT = ("report.html", "snakemake-report.html")
EVERYTHING = (
    "datasets/*",
    "models/*/*/*/*",
    "archives/*/*/*/*/*",
    "scores/*/*/*/*/*",
    *REFERENCES,
    *SUMMARY,
    *FIGURES,
    *REPORT,
)
AFTER_TRAINING = tuple(set(EVERYTHING) - {"datasets/*", *REFERENCES})


def network(architecture: str) -> tuple[str, ...]:
    """All that comes of one architecture."""
    files = (("models", ".*"), ("archives", "/*"), ("scores", "/*"))
    own = [f"{stage}/digits-maj/{architecture}/t3/fold-0{rest}" for stage, rest in files]
    return (*own, *SUMMARY, *FIGURES, *REPORT)


def group(name: str, *members: str) -> tuple[str, ...]:
    """All that comes of one group of explainers that do not conserve relevance."""
    archives = tuple(f"archives/digits-maj/*/t3/fold-0/{member}.attribution.h5" for member in members)
    return (*archives, f"scores/digits-maj/*/t3/fold-0/{name}.scores.*", *SUMMARY, *ARCHIVE_FIGURES, *REPORT)


def code(path: str, old: str, new: str) -> Edit:
    return lambda project: project.edit(f"src/rnnxai/{path}", old, new)


def config(change: Callable[[dict], object]) -> Edit:
    def edit(project: Project) -> None:
        study = copy.deepcopy(STUDY)
        change(study)
        project.configure(study)

    return edit


def delete(path: str) -> Edit:
    return lambda project: project.result(path).unlink()


def touch(path: str) -> Edit:
    return lambda project: os.utime(project.result(path))


EDITS: dict[str, tuple[Edit, tuple[str, ...]]] = {
    "a colour": (code("figures/style.py", "#0072B2", "#0072B3"), (*FIGURES, *TABLES, *REPORT)),
    "a label": (
        code("figures/cosine.py", "cosine with the majority marks", "cosine"),
        (*SCORE_FIGURES, *REPORT),
    ),
    "how heatmaps are laid out": (
        code("figures/grid.py", "0.34 * _INCH", "0.35 * _INCH"),
        (*ARCHIVE_FIGURES, *REPORT),
    ),
    "a heading of the overview": (
        code("figures/overview.py", "Problem: find", "Find"),
        (*OVERVIEW, *REPORT),
    ),
    "a heading of a table": (code("figures/tables.py", '"below gate"', '"below"'), (*TABLES, *REPORT)),
    "an interval": (
        code("scoring/statistics.py", "if error == 0:", "if not error:"),
        (*SUMMARY, *REPORT),
    ),
    "what architectures are compared with": (
        config(
            lambda s: s.update(
                comparisons={"it": {"architectures": ["r-lstm", "shallow"], "baselines": ["r-lstm"]}}
            )
        ),
        (*SUMMARY, *REPORT),
    ),
    "what looks at nothing": (
        code("scoring/references.py", "pictures / 255.0", "pictures / 256.0"),
        (*REFERENCES, *SCORE_FIGURES, *OVERVIEW, *TABLES, *REPORT),
    ),
    "samples of a heatmap grid": (
        config(lambda s: s["figures"].update(samples=3)),
        (*ARCHIVE_FIGURES, *REPORT),
    ),
    "another label": (
        code("figures/ledger.py", "part of the explained score", "part of the score"),
        (BOOKS_FIGURE, *REPORT),
    ),
    "a heading of the page": (
        code("report/templates/samples.html", "Samples of every network", "All samples"),
        ("report.html",),
    ),
    "the style of the page": (code("report/static/page.css", "#0b5cad", "#0b5cae"), ("report.html",)),
    "how the page is put together": (
        code("report/names.py", '"fixed split"', '"the split"'),
        ("report.html",),
    ),
    "an explainer's parameter": (
        config(lambda s: s["explainers"][0].__setitem__(1, {"method": "gb", "options": {"gates": "follow"}})),
        group("sa+gb", "sa", "gb"),
    ),
    "a rule": (
        code("explain/rules.py", "if self.beta else (excite,)", "if self.beta > 0 else (excite,)"),
        (*group("dtd", "dtd"), BOOKS_FIGURE),
    ),
    "a new explainer in a group of its own": (
        config(lambda s: s["explainers"].append(["lrp-a2b1"])),
        (*group("lrp-a2b1", "lrp-a2b1"), BOOKS_FIGURE),
    ),
    "one architecture's learning rate": (
        config(
            lambda s: s.update(
                overrides=[{"when": {"architecture": "r-lstm"}, "set": {"learning_rate": 0.01}}]
            )
        ),
        network("r-lstm"),
    ),
    "its cell": (code("models/cells/r_lstm.py", "i * g if", "g * i if"), network("r-lstm")),
    "epochs": (config(lambda s: s["train"].update(epochs=4)), AFTER_TRAINING),
    "a new architecture in the list": (
        config(lambda s: s["experiments"]["majority"]["architectures"].append("deep")),
        network("deep"),
    ),
    "the seed of the sequences": (config(lambda s: s["datasets"]["digits-maj"].update(seed=1)), EVERYTHING),
    "a score's code": (
        code("scoring/blocks.py", "where=norms > 0), -1, 1)", "where=norms > 0), 0, 1)"),
        ("scores/*/*/*/*/*", *REFERENCES, *SUMMARY, *ARCHIVE_FIGURES, *REPORT),
    ),
    "a deleted archive": (
        delete("archives/digits-maj/r-lstm/t3/fold-0/sa.attribution.h5"),
        (
            "archives/digits-maj/r-lstm/t3/fold-0/sa.attribution.h5",
            "archives/digits-maj/r-lstm/t3/fold-0/gb.attribution.h5",
            "scores/digits-maj/r-lstm/t3/fold-0/sa+gb.scores.*",
            *SUMMARY,
            *ARCHIVE_FIGURES,
            *REPORT,
        ),
    ),
    "a touched, unchanged data set": (touch("datasets/digits-maj.h5"), ()),
    "a touched, unchanged network": (touch("models/digits-maj/shallow/t3/fold-0.safetensors"), ()),
    "a docstring": (code("training/loop.py", '"""One loop trains any', '"""A single loop trains any'), ()),
    "a comment": (code("models/layers.py", "import torch\n", "import torch  # the library\n"), ()),
    "formatting": (code("explain/rules.py", "alpha: float\n", "alpha : float\n"), ()),
    "a comment in a workflow file": (
        lambda p: p.edit("workflow/rules/train.smk", "script:", "# x\n        script:"),
        (),
    ),
    "an architecture that nobody asked for": (
        code(
            "models/zoo.py",
            '"deep": Entry(',
            '"deeper": Entry("rnnxai.models.cells.deep:Deep", "x"),\n"deep": Entry(',
        ),
        (),
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_reruns_what_depends_on_it_and_nothing_else(finished: Project, name: str) -> None:
    edit, expected = EDITS[name]
    with finished.unchanged():
        before = finished.outputs()
        edit(finished)
        planned = finished.planned()
    assert planned == matching(before | planned, expected)


def test_books_are_drawn_only_where_relevance_is_conserved(finished: Project) -> None:
    with finished.unchanged():
        finished.configure(STUDY | {"explainers": [["sa", "gb"]]})
        code, output = finished.snakemake("--dry-run", "--forceall")
    assert code == 0, output
    assert "heatmaps" in output
    assert "where-did-the-score-go" not in output


def test_nothing_runs_when_nothing_changed(finished: Project) -> None:
    assert finished.planned() == set()
