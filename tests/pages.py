"""What the pages of docs/ show, taken out of them."""

import re
from pathlib import Path

HOW_TO = Path(__file__).parents[1] / "docs" / "how-to"
PLUG_INS = HOW_TO / "plug-ins.md"
OWN_LSTM = HOW_TO / "explain-your-own-lstm.md"
COMPOSITES = HOW_TO / "composites.md"


def code_in(page: Path, language: str) -> str:
    """Return the only, or the last, code of a language on a page."""
    return all_code_in(page, language)[-1]


def all_code_in(page: Path, language: str) -> list[str]:
    """Return all code of a language on a page, from top to bottom."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def write_files_of(page: Path, folder: Path) -> None:
    """Write the files that a page shows, each below its name, into a folder."""
    files = re.findall(
        r"^`(\w+/\w+\.py)`:\n\n```python\n(.*?)```", page.read_text(), re.DOTALL | re.MULTILINE
    )
    assert files, f"{page} shows no files"
    for name, text in files:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
