"""What the pages of docs/ show, taken out of them."""

import re
from pathlib import Path

PLUG_INS = Path(__file__).parents[1] / "docs" / "how-to" / "plug-ins.md"


def code_in(page: Path, language: str) -> str:
    """Return the only, or the last, code of a language on a page."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)[-1]


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
