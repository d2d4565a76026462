"""What the pages say is there is there."""

import re
from pathlib import Path

import pytest

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


def test_the_tables_of_architecture_name_files_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = set(
        re.findall(r"`((?:explain|models|data|scoring|figures|archive|training)/[a-z_/]+\.py)`", page)
    )
    assert named
    assert not [name for name in named if not (ROOT / "src" / "rnnxai" / name).exists()]
