"""The study of docs/how-to/plug-ins.md runs to its end, and an edit of what it brings along reruns that."""

from collections.abc import Iterator

import pages
import pandas as pd
import pytest
import yaml
from small_study import Project, matching

from rnnxai.archive.read import AttributionArchive
from rnnxai.scoring.store import read_scores

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project in which the study of the page has run to its end."""
    project = Project(tmp_path_factory.mktemp("plug-ins"))
    pages.write_files_of(pages.PLUG_INS, project.folder)
    project.configure(yaml.safe_load(pages.code_in(pages.PLUG_INS, "yaml")))
    project.run()
    return project


@pytest.fixture
def edited(study: Project) -> Iterator[Project]:
    """Return that project, whose plug-ins are put back afterwards."""
    files = {path: path.read_text() for path in (study.folder / "my_study").glob("*.py")}
    yield study
    for path, text in files.items():
        path.write_text(text)


NETWORK = "stripes/elman/t3/fold-0"


def test_what_is_brought_along_is_trained_explained_scored_drawn_and_reported(study: Project) -> None:
    with AttributionArchive(study.result(f"archives/{NETWORK}/signed.attribution.h5")) as archive:
        assert (archive.dataset, archive.architecture, archive.explainer) == ("stripes", "elman", "signed")
        assert "my_study.rules:signed" in archive.attributes["explainer_parameters_json"]
    samples = read_scores(study.result(f"scores/{NETWORK}/signed.scores.h5"))["signed"]
    points = set(samples["pointing_game"][samples["pointing_game_status"] == 0])
    assert points and points <= {0.0, 1.0}
    summary = pd.read_csv(study.result("scores/summary.csv"))
    rows = set(zip(summary["architecture"], summary["explainer"], summary["score"], strict=True))
    assert {("elman", "signed", "pointing_game"), ("shallow", "dtd", "cosine")} <= rows
    assert "majority_share" not in set(summary["score"])
    drawn = pd.read_csv(study.result("figures/cosine/stripes.csv"))
    assert "elman" in set(drawn["architecture"])
    books = pd.read_csv(study.result("figures/where-did-the-score-go/stripes-t3-fold-0.csv"))
    assert set(books["explainer"]) == {"dtd", "signed"}
    assert study.result("report.html").exists()


REPORTS = ("report.html", "snakemake-report.html")
SUMMARY = (
    "scores/scores.csv",
    "scores/summary.csv",
    "scores/differences.csv",
    *(f"figures/{name}/stripes*" for name in ("cosine", "differences", "checks", "overview", "problem")),
    "tables/*",
    *REPORTS,
)
MAPS = (
    *(f"figures/{name}/stripes*" for name in ("heatmaps", "positive-heatmaps", "relevance-per-step")),
    *(f"figures/{name}/stripes*" for name in ("block-shares", "where-did-the-score-go")),
)
REFERENCES = "scores/stripes/references.csv"
CURVES = "figures/training-curves/stripes*"
ELMAN = (
    "models/stripes/elman/t3/fold-0.*",
    "archives/stripes/elman/t3/fold-0/*",
    "scores/stripes/elman/t3/fold-0/*",
)
SIGNED = ("archives/stripes/*/t3/fold-0/signed.*", "scores/stripes/*/t3/fold-0/signed.*")
SCORES = ("scores/*/*/*/*/*",)
ALL = ("datasets/*", "models/*/*/*/*", "archives/*/*/*/*/*", *SCORES)
EDITS = {
    "a cell": ("cells.py", "torch.relu(self", "1 * torch.relu(self", (*ELMAN, *SUMMARY, *MAPS, CURVES)),
    "a method": ("rules.py", "1 + beta", "beta + 1", (*SIGNED, *SUMMARY, *MAPS)),
    "a source": ("data.py", "% 8 < 4", "% 8 < 3", (*ALL, REFERENCES, *SUMMARY, *MAPS, CURVES)),
    "a score": ("scores.py", "> 0", "> 1e-9", (*SCORES, REFERENCES, *SUMMARY)),
    "a comment": ("cells.py", "    def step", "    # One step.\n    def step", ()),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_of_it_reruns_what_depends_on_it_and_nothing_else(edited: Project, name: str) -> None:
    file, old, new, expected = EDITS[name]
    edited.edit(f"my_study/{file}", old, new)
    assert edited.planned() == matching(edited.outputs(), expected)


def test_a_plug_in_that_is_gone_is_missed_before_any_job(edited: Project) -> None:
    (edited.folder / "my_study" / "rules.py").unlink()
    code, output = edited.snakemake("--dry-run")
    assert code != 0
    assert "there is no Python source of the module my_study.rules" in output
    assert "Traceback" not in output
