"""What the pages say is there is there."""

import re
from pathlib import Path

import pages
import pytest
import yaml

from rnnxai.config import check_config
from rnnxai.explain.strategy import make_strategy
from rnnxai.study import Study

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "results/README.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"""\]\(([^)#\s]+)|(?:src|href)="([^"#]+)""")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = [first or second for first, second in LINK.findall(page.read_text())]
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_the_example_of_the_readme_runs() -> None:
    (example,) = re.findall(r"```python\n(import torch.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names: dict = {}
    exec(example, names)
    assert names["relevance"].shape == (5, 1, 28, 84)
    assert abs(names["ledger"].residual).max() < 1e-5


def test_the_lstm_of_the_page_is_explained(capsys) -> None:
    names: dict = {}
    code = pages.all_code_in(pages.OWN_LSTM, "python")
    exec("\n".join(code), names)
    assert len(code[1].strip().splitlines()) <= 12  # "in ten lines", and how they are broken
    share, *_ = re.findall(r"in (\d+)% of the sequences", capsys.readouterr().out)
    assert int(share) >= 95
    assert names["contrast"].shape == (200, 20, 3)
    assert names["padded"].shape == (3, 20, 3)
    assert (names["padded"][2, 7:] == 0).all()
    assert names["hidden"].shape == (200, 20, 16)
    assert names["table"]["refusal"].str.contains("either sign").all()
    squared = names["rnnxai"].explain(names["model"], names["sequences"], method="sa").sum(2)
    assert 0.3 < (squared.argmax(1) == names["decides"]).float().mean() < 0.7  # "about half of them"


def test_the_composite_of_the_page_in_python_and_in_the_configuration(capsys) -> None:
    names: dict = {}
    exec(pages.code_in(pages.COMPOSITES, "python"), names)
    assert names["relevance"].shape == (5, 1, 28, 84)
    printed = capsys.readouterr().out
    assert all(rule in printed for rule in ("z^B", "gamma 0.25", "epsilon 0.1", "z+"))
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    shown = yaml.safe_load(pages.code_in(pages.COMPOSITES, "yaml"))
    ((explainer,),) = Study(check_config(config | shown)).config.explainers
    assert explainer.options == {"rules": names["rules"]}
    assert make_strategy(explainer.method, explainer.options) == make_strategy(
        "lrp", {"rules": names["rules"]}
    )


def test_the_tables_of_architecture_name_files_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = set(
        re.findall(r"`((?:explain|models|data|scoring|figures|archive|training)/[a-z_/]+\.py)`", page)
    )
    assert named
    assert not [name for name in named if not (ROOT / "src" / "rnnxai" / name).exists()]
