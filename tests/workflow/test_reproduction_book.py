"""A study that is set beside published numbers: runs are kept for good, and the page needs nothing else."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from small_study import ROOT, STUDY, Project

from rnnxai.reproduction.records import LIKENESS, RUNS, read_records

pytestmark = pytest.mark.workflow

BOOK, PAIRS, PAGE = "book/scores.csv", "book/likeness.csv", "page.md"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return a project whose study, of sequences and of single images, has run and is in the book."""
    project = Project(tmp_path_factory.mktemp("reproduction"))
    (project.folder / "published.csv").write_bytes((ROOT / "docs/reproduction/published.csv").read_bytes())
    columns = {
        "datasets": ["digits"],
        "architectures": ["shallow", "deep"],
        "steps": [4],
        "folds": ["quality"],
    }
    project.configure(
        STUDY
        | {
            "datasets": STUDY["datasets"] | {"digits": {"source": "digits", "task": "columns", "folds": 2}},
            "experiments": STUDY["experiments"] | {"columns": columns},
            "explainers": [["sa", "dtd"]],
            "reproduction": {"published": "published.csv", "folder": "book", "page": PAGE},
        }
    )
    project.run("reproduction")
    return project


def page(project: Project) -> str:
    return (project.folder / PAGE).read_text()


def test_every_network_is_in_the_book_with_what_it_was_made_of(study: Project) -> None:
    book = read_records(study.folder / BOOK, RUNS)
    assert len(book) == (2 + 2) * 2  # two networks on sequences and two on images, two explainers each
    assert set(book["epochs"]) == {3}
    assert set(book["folds_together"]) == {1}
    assert book["cosine"].notna().sum() == 4
    scores = pd.read_csv(study.result("scores/digits-maj/shallow/t3/fold-0/sa+dtd.scores.csv"))
    mine = book[(book["dataset"] == "digits-maj") & (book["architecture"] == "shallow")]
    assert mine["cosine_zero"].tolist() == pytest.approx(scores["cosine_zero"].tolist(), rel=1e-5)
    images = book[book["dataset"] == "digits"]
    for column in ("relevance_steps", "ink_steps"):
        shares = images[column].str.split().explode().astype(float).groupby(level=0)
        assert shares.sum().to_numpy() == pytest.approx(1, abs=3e-4)
        assert (shares.size() == 4).all()
    pairs = read_records(study.folder / PAIRS, LIKENESS)
    assert set(zip(pairs["architecture"], pairs["other"], strict=True)) == {("deep", "shallow")}
    assert pairs["correlation"].between(-1, 1).all()
    assert (pairs["n"] > 0).all()


def test_the_page_says_what_has_run(study: Project) -> None:
    text = page(study)
    assert "Of 8 cells of the study (a network and an explainer), 8 have run so far." in text
    assert "| majority   | digits-maj | shallow      | 1 of 1" in text
    assert "not run" in text  # the thesis' own data sets


def test_the_page_needs_the_book_alone_and_says_what_is_missing(study: Project) -> None:
    before = page(study)
    results, aside = study.folder / "results", study.folder / "aside"
    results.rename(aside)
    try:
        assert command(study) == 0
        assert page(study) == before
        book = study.folder / BOOK
        kept = book.read_text()
        book.write_text("\n".join(line for line in kept.splitlines() if ",r-lstm," not in line) + "\n")
        assert command(study) == 0
        assert "8 cells of the study (a network and an explainer), 6 have run so far." in page(study)
        assert "| majority   | digits-maj | r-lstm       | not run" in page(study)
        book.write_text(kept)
    finally:
        aside.rename(results)
        (study.folder / PAGE).write_text(before)


def command(project: Project) -> int:
    called = [sys.executable, "-m", "rnnxai", "reproduction", "--config", "study.yaml"]
    return subprocess.run(called, cwd=project.folder, env=project.environment(), check=False).returncode


def test_more_epochs_make_other_runs_and_leave_the_old_ones_in_the_book(study: Project) -> None:
    book, text = study.folder / BOOK, page(study)
    old = read_records(book, RUNS)
    with study.unchanged():
        study.edit("study.yaml", "epochs: 3", "epochs: 4")
        study.run("reproduction")
        new = read_records(book, RUNS)
        assert set(old["config"]) < set(new["config"])
        assert len(new) == 2 * len(old)
        assert "8 have run so far" in page(study)
    assert Path(study.folder, "study.yaml").read_text().count("epochs: 3") == 1
    (study.folder / PAGE).write_text(text)
