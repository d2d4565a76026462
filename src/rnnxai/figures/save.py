"""Write a figure and the numbers it was drawn from."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from rnnxai.errors import Error
from rnnxai.figures.style import styled
from rnnxai.files import replacing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DPI = 300
# A date would make every run's file another one.
_NO_DATE: dict[str, dict[str, str | None]] = {
    "png": {},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


@styled()
def save(
    figure: "Figure",
    table: "pd.DataFrame",
    stem: str | Path,
    formats: Sequence[str] = ("png", "svg", "pdf"),
) -> list[Path]:
    """Write a figure in several formats, and its table as CSV; equal figures give equal bytes.

    Everything is drawn before anything is written, and each file appears whole or not at all.

    Parameters
    ----------
    figure : Figure
    table : DataFrame
        The numbers it was drawn from.
    stem : str or Path
        Path without the ending; ``.csv`` and each format are put behind it.
    formats : sequence of str
        Some of "png", "svg" and "pdf".

    Returns
    -------
    list of Path
        What was written: the formats in order, then the CSV file.

    Raises
    ------
    Error
        If a format is unknown.
    """
    for wanted in formats:
        if wanted not in _NO_DATE:
            raise Error(f"format is {wanted!r}; a figure can be written as {', '.join(_NO_DATE)}")
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # placed once: a layout computed anew may move by a rounding error
    contents = {wanted: _render(figure, wanted) for wanted in formats}
    contents["csv"] = table.to_csv(index=False, lineterminator="\n", float_format="%.10g").encode()
    paths = []
    for ending, content in contents.items():
        paths.append(Path(f"{stem}.{ending}"))  # not with_suffix: a name may hold dots
        with replacing(paths[-1]) as temporary:
            temporary.write_bytes(content)
    return paths


def _render(figure: "Figure", ending: str) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format=ending, dpi=DPI, metadata=_NO_DATE[ending])
    return buffer.getvalue()
