"""The page as a file: what stands in it, how large it gets, and that it needs nothing else."""

import json
import re
from pathlib import Path

import pytest

from rnnxai.cli import codes
from rnnxai.cli.main import main
from rnnxai.config import check_config, read_config
from rnnxai.errors import Error
from rnnxai.report.page import write_page
from rnnxai.report.places import Places
from rnnxai.study import Case, Study

DEEP = Case("digits-maj", "deep", 12, 0)
CAPTIONS = Path(__file__).parents[3] / "workflow" / "report"


def page_of(study, **settings):
    path = Path(study.config.results) / "report.html"
    write_page(study, path, captions=CAPTIONS, **settings)
    return path.read_text()


def samples_in(text):
    return json.loads(re.search(r'<script type="application/json" id="samples-data">(.*?)</script>', text)[1])


def with_settings(study, **settings):
    results = study.config.results
    return Study(read_config(Path(results) / "config.yaml", {"results": results, "report": settings}))


@pytest.fixture(scope="module")
def page(finished):
    return page_of(finished)


def test_all_sections_are_there_in_order(page):
    assert re.findall(r'<section id="(\w+)"', page) == [
        "run",
        "scores",
        "tables",
        "figures",
        "samples",
        "methods",
        "provenance",
    ]
    assert re.findall(r"<b>Figure (\d)", page) == ["1", "2"]
    tables = [int(number) for number in re.findall(r"<b>Table (\d+)", page)]
    assert tables == list(range(1, len(tables) + 1))


def test_it_loads_nothing(page):
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert not re.search(r"@import|url\(", page)
    assert "default-src 'none'" in page


def test_nothing_says_where_or_when_it_was_made(page, finished):
    assert finished.config.results not in page
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b", page)


def test_equal_studies_give_equal_pages(finished, page, tmp_path):
    write_page(finished, tmp_path / "again.html", captions=CAPTIONS)
    assert (tmp_path / "again.html").read_text() == page


def test_every_bar_leads_to_samples(page):
    cells = samples_in(page)["cells"]
    bars = re.findall(r'href="#samples/([^"]+)"', page)
    assert len(bars) == 6  # two architectures and three explainers, one data set with marks
    assert set(bars) <= set(cells)
    assert all(cells[bar] for bar in bars)


def test_there_are_samples_of_every_cell(page):
    found = samples_in(page)
    assert len(found["cells"]) == 15
    kinds = {sample["k"] for sample in found["cells"]["digits-maj/t12/deep/0/dtd"]}
    assert kinds == {"best", "median", "worst", "undefined"}
    assert {s["k"] for s in found["cells"]["digits/t4/deep/quality/sa"]} == {"highest", "median", "lowest"}
    for name, samples in found["cells"].items():
        rows = found["datasets"][name.partition("/")[0]]["samples"]
        assert all(str(sample["i"]) in rows for sample in samples)


def test_tables_are_as_they_were_printed(page):
    assert "Trainable parameters, 1 * each." in page
    assert '<td role="cell" data-label="parameters" class="n">1,234</td>' in page


def test_figures_need_no_caption_and_no_place_in_the_catalogue(page):
    assert "<h3>Mine</h3>" in page
    assert "digits-maj, T = 12, fold 0" in page
    assert page.count('alt="') == page.count("<img ")
    assert 'alt=""' not in page


def test_networks_below_the_gate_are_flagged(page):
    assert page.count(".910<span") == 2  # of shallow, two folds
    assert "below the gate <b>6</b>" in page


@pytest.mark.parametrize("samples", [0, 1, 5])
def test_the_number_of_samples_is_a_setting(finished, tmp_path, samples):
    study = with_settings(finished, samples=samples)
    write_page(study, tmp_path / "page.html", captions=CAPTIONS)
    cells = samples_in((tmp_path / "page.html").read_text())["cells"]
    best = [sample for sample in cells["digits-maj/t12/deep/0/sa"] if sample["k"] == "best"]
    assert len(best) == samples


def test_samples_are_left_out_before_the_page_gets_too_large(finished, page, tmp_path):
    write_page(with_settings(finished, samples=0), tmp_path / "bare.html", captions=CAPTIONS)
    bare = (tmp_path / "bare.html").stat().st_size
    limit = bare + 0.6 * (len(page) - bare)
    write_page(with_settings(finished, megabytes=limit / 1e6), tmp_path / "page.html", captions=CAPTIONS)
    text = (tmp_path / "page.html").read_text()
    assert bare + 0.4 * (len(page) - bare) < len(text.encode()) <= limit
    assert re.search(r"[\d,]+ of [\d,]+ chosen maps are left out", text)
    cells = samples_in(text)["cells"]
    assert all({"best", "highest"} & {sample["k"] for sample in samples} for samples in cells.values())


def test_a_study_that_is_not_finished_has_no_report(study):
    archive = Places(Path(study.config.results)).archive(DEEP, "sa")
    archive.unlink()
    with pytest.raises(Error, match=r"digits-maj/t12/deep/0/sa is missing .*rnnxai report"):
        page_of(study)
    text = page_of(study, partial=True)
    assert "This study is not finished." in text
    assert "explaining has not begun" in text
    assert "digits-maj/t12/deep/0/sa" not in samples_in(text)["cells"]


def test_a_broken_archive_is_shown_as_failed(study):
    archive = Places(Path(study.config.results)).archive(DEEP, "sa")
    archive.write_bytes(archive.read_bytes()[:5000])
    with pytest.raises(Error, match=r"digits-maj/t12/deep/0/sa is failed .*not readable as HDF5"):
        page_of(study)
    assert "not readable as HDF5" in page_of(study, partial=True)


def test_an_archive_in_the_place_of_another_has_failed(study):
    places = Places(Path(study.config.results))
    places.archive(DEEP, "dtd").replace(places.archive(DEEP, "sa"))
    assert "is of digits-maj deep 12 0 dtd; digits-maj deep 12 0 sa was expected" in page_of(
        study, partial=True
    )


def test_a_study_that_has_just_begun_has_a_page(study):
    results = Path(study.config.results)
    for path in sorted(results.rglob("*"), reverse=True):
        if path.is_file() and path.name != "config.yaml":
            path.unlink()
    text = page_of(study, partial=True)
    assert "missing <b>15</b>" in text
    assert "No figure has been drawn yet." in text and "There is no archive yet." in text


def test_networks_with_explainers_of_their_own_have_as_many_marks(tmp_path):
    network = {"datasets": ["digits-maj"], "steps": [12], "folds": [0]}
    config = {
        "results": str(tmp_path),
        "datasets": {"digits-maj": {"source": "digits"}},
        "experiments": {
            "one": network | {"architectures": ["deep"]},
            "other": network | {"architectures": ["shallow"], "explainers": [["taylor"]]},
        },
        "explainers": [["sa", "gb"]],
    }
    text = page_of(Study(check_config(config)), partial=True)
    assert "missing <b>3</b>" in text
    assert "the explainers of its experiments, a mark for each, among them SA, GB, Taylor" in text


def test_the_command(study, capsys):
    results = Path(study.config.results)
    Places(results).archive(DEEP, "sa").unlink()
    assert main(["report", str(results)]) == 0
    page = results / "report-so-far.html"
    assert capsys.readouterr().out == f"{page}: of 15 cells 8 done, 6 below the gate, 1 missing\n"
    assert "What was run" in page.read_text()
    assert main(["report", str(results), "--json", "--output", str(results / "other.html")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["page"] == str(results / "other.html") and not found["complete"]
    assert found["unfinished"] == [
        {**DEEP._asdict(), "explainer": "sa", "state": "missing", "reason": "explaining has not begun"}
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["."], "config.yaml: no such file; name the configuration of the study with --config"),
    ],
)
def test_what_the_command_cannot_do(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *words]) == codes.BAD_INPUT
    assert message in capsys.readouterr().err
