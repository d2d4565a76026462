"""The figures of a study, whatever they are: files and captions by name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnxai.figures.catalogue import FIGURES
from rnnxai.figures.save import DPI
from rnnxai.report.captions import Captions
from rnnxai.report.names import title_of, what_of
from rnnxai.report.pictures import Picture, figure_picture
from rnnxai.report.tables import Download, download

_PER_INCH = 140  # pixels of the page: larger than in print, since nobody holds a screen as close


@dataclass(frozen=True)
class Drawing:
    """One figure file.

    Attributes
    ----------
    of : str
        What it is of: data set, T, fold.
    picture : Picture
    alternative : str
        Text in place of the picture.
    data : Download or None
        The numbers it was drawn from.
    """

    of: str
    picture: Picture
    alternative: str
    data: Download | None

    @property
    def width(self) -> int:
        """Width on the page, in its pixels."""
        return round(self.picture.size[0] * _PER_INCH / DPI)

    @property
    def height(self) -> int:
        """Height on the page, in its pixels."""
        return round(self.picture.size[1] * _PER_INCH / DPI)


@dataclass(frozen=True)
class Kind:
    """All figures of a kind, which share a caption.

    Attributes
    ----------
    name, title : str
    caption : str
        HTML.
    drawings : sequence of Drawing
    """

    name: str
    title: str
    caption: str
    drawings: Sequence[Drawing]


def read_figures(pngs: Iterable[Path], results: Path, captions: Captions) -> list[Kind]:
    """Read figures: each is a PNG in a folder of its kind, with SVG and CSV beside it.

    Parameters
    ----------
    pngs : iterable of Path
        As ``figures/cosine/mnist-maj.png`` below the results folder.
    results : Path
        The results folder.
    captions : Captions

    Returns
    -------
    list of Kind
        In the order of the catalogue, then by name.

    Raises
    ------
    Error
        If a picture or caption cannot be read.
    """
    by_kind: dict[str, list[Path]] = {}
    for png in pngs:
        by_kind.setdefault(png.parent.name, []).append(png)
    known = list(FIGURES)
    order = sorted(by_kind, key=lambda name: (known.index(name) if name in known else len(known), name))
    return [_kind(name, by_kind[name], results, captions) for name in order]


def _kind(name: str, pngs: Sequence[Path], results: Path, captions: Captions) -> Kind:
    summary = FIGURES.get(name, title_of(name))
    drawings = []
    for png in sorted(pngs):
        csv = png.with_name(f"{png.stem}.csv")
        of = what_of(png.stem)
        drawings.append(
            Drawing(
                of,
                figure_picture(png.with_name(png.stem)),
                f"{of}: {summary}. The caption says how to read it.",
                download(csv, results) if csv.exists() else None,
            )
        )
    return Kind(name, title_of(name), captions(name, otherwise=f"{summary}."), drawings)
