"""A sheet of small pictures in rows and columns, laid out from top to bottom on the printer's own raster."""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from rnnxai.errors import Error
from rnnxai.figures import style
from rnnxai.figures.save import DPI

_INCH = DPI
_LEAST_WIDTH, _USUAL_HEIGHT = 0.5 * _INCH, 0.34 * _INCH  # of a picture
_LEAST_GAP, _LARGEST_GAP, _MARGIN = 0.07 * _INCH, 0.2 * _INCH, 0.03 * _INCH
_LABEL = 7  # points
_LINE, _SMALL_LINE = 0.16 * _INCH, 0.115 * _INCH
_MOST = 2**16 - 1  # dots a picture can have along a side
_FRAME, _BLOCK_LINE = 1.0, 0.4  # points
SIGNED, UNSIGNED = "RdBu_r", "Reds"


class Grid:
    """A sheet that is filled row by row.

    Positions are dots of :data:`rnnxai.figures.save.DPI`, and each pixel of a picture takes a whole
    number of them, so that all pixels are drawn equally large.

    Parameters
    ----------
    columns : int
        Pictures in a row.
    size : (int, int)
        Height and width of a picture in pixels.
    marks : array (columns, blocks), optional
        1 where a block of the picture is framed.
    labels : sequence of str
        Every label that will stand left of a row.
    """

    def __init__(
        self,
        columns: int,
        size: tuple[int, int],
        marks: npt.NDArray[np.uint8] | None,
        labels: Sequence[str],
    ) -> None:
        self._columns, self._marks = columns, marks
        self._left = round(_MARGIN + max(_length(label, _LABEL) for label in labels) + _LEAST_GAP)
        room = (style.WIDTH * _INCH - self._left) / columns
        height, width = size
        fitting = min((room - _LEAST_GAP) // width, _USUAL_HEIGHT // height)
        dots = max(fitting, ceil(_LEAST_WIDTH / width))
        self._cell = round(dots * width), round(dots * height)
        gap = round(min(max(room - self._cell[0], _LEAST_GAP), _LARGEST_GAP))
        self._pitch = self._cell[0] + gap
        self._x = [self._left + column * self._pitch for column in range(columns)]
        self._width = max(round(style.WIDTH * _INCH), self._x[-1] + self._cell[0] + round(_MARGIN))
        self._y = 0.0
        self._figure = Figure()
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set_autoscale_on(False)
        self._frames: list[Rectangle] = []
        self._lines: list[Any] = []

    def title(self, text: str) -> None:
        """Write a line above everything."""
        self._text(_MARGIN, text, fontsize=style.FONT, va="top", y=self._y + 0.05 * _INCH)
        self._y += 0.22 * _INCH

    def header(self, names: Iterable[str], remarks: Iterable[str]) -> None:
        """Write the name of each column, and a remark under it: in two lines if a column is too narrow."""
        remarks = list(remarks)
        longest = max(_length(remark, style.SMALL) for remark in remarks)
        breaks = int(longest + _LEAST_GAP > self._pitch)
        for x, name, remark in zip(self._middles, names, remarks, strict=True):
            self._text(x, name, y=self._y + _LINE / 2, ha="center")
            for line, text in enumerate(remark.split(" ", breaks)):
                y = self._y + _LINE + (line + 0.5) * _SMALL_LINE
                self._text(x, text, y=y, ha="center", small=True)
        self._y += _LINE + (1 + breaks) * _SMALL_LINE + 0.02 * _INCH

    def heading(self, name: str, warnings: Iterable[str]) -> None:
        """Begin a group of rows, with a warning above some columns."""
        self._y += 0.04 * _INCH
        self._rule()
        self._text(_MARGIN, name, y=self._y + _LINE / 2, weight="bold")
        for x, warning in zip(self._middles, warnings, strict=True):
            if warning:
                self._text(x, warning, y=self._y + _LINE / 2, ha="center", small=True, color=style.VERMILLION)
        self._y += _LINE

    def pictures(self, label: str, pictures: npt.NDArray[np.uint8]) -> None:
        """Add a row of grey pictures (columns, height, width)."""
        self._label(label)
        for column, picture in enumerate(pictures):
            self._picture(column, picture, "gray", 0, 255)
        self._y += self._cell[1] + 0.05 * _INCH

    def maps(
        self,
        label: str,
        maps: npt.NDArray[np.float64],
        signed: bool,
        scores: Sequence[float] | None = None,
    ) -> None:
        """Add a row of heatmaps (columns, height, width), each on its own scale, and scores under them."""
        self._label(label)
        for column, heatmap in enumerate(maps):
            largest = np.abs(heatmap).max()
            if largest > 0:
                self._picture(
                    column, heatmap, SIGNED if signed else UNSIGNED, -largest if signed else 0, largest
                )
            else:
                self._blank(column)
        self._y += self._cell[1]
        if scores is not None:
            for x, score in zip(self._middles, scores, strict=True):
                text = "\N{EN DASH}" if np.isnan(score) else style.number(score, 2)
                self._text(x, text, y=self._y + 0.55 * _SMALL_LINE, ha="center", small=True)
            self._y += _SMALL_LINE
        self._y += 0.05 * _INCH

    def colour_bars(self, signed: Iterable[bool]) -> None:
        """Explain the colours in use."""
        self._y += 0.03 * _INCH
        self._rule()
        self._y += 0.05 * _INCH
        x, size = _MARGIN, (0.9 * _INCH, 0.08 * _INCH)
        for is_signed in sorted(set(signed)):
            low, high = ("\N{MINUS SIGN}max |R|", "+max |R|") if is_signed else ("0", "max R")
            x = self._text(x, low, y=self._y + size[1] / 2, small=True) + 0.05 * _INCH
            ramp = np.linspace(-1 if is_signed else 0, 1, 256)[None]
            self._image(ramp, SIGNED if is_signed else UNSIGNED, (ramp[0, 0], 1), (x, self._y), size)
            x += size[0] + 0.05 * _INCH
            x = self._text(x, high, y=self._y + size[1] / 2, small=True) + 0.2 * _INCH
        self._y += size[1] + 0.05 * _INCH

    def remarks(self, text: str) -> None:
        """Write a paragraph."""
        paragraph = style.wrapped(text, self._width / _INCH)
        self._text(_MARGIN, paragraph, y=self._y, va="top", small=True, color=style.GREY)
        self._y += (paragraph.count("\n") + 1) * _SMALL_LINE + 0.05 * _INCH

    def figure(self) -> Figure:
        """Cut the sheet below what has been added, and return it.

        Raises
        ------
        Error
            If the sheet is too large for a picture.
        """
        height = round(self._y)
        if max(self._width, height) > _MOST:
            raise Error(
                f"the grid has {self._width} x {height} dots, a picture at most {_MOST} along a side; "
                "ask for fewer samples or archives"
            )
        frames = PatchCollection(
            self._frames, facecolor="none", edgecolor=style.ORANGE, linewidth=_FRAME, zorder=3
        )
        lines = LineCollection(self._lines, colors=style.GREY, linewidths=_BLOCK_LINE, zorder=2)
        frames.set_label("majority blocks")
        lines.set_label("block lines")
        self._axes.add_collection(frames, autolim=False)
        self._axes.add_collection(lines, autolim=False)
        self._axes.set(xlim=(0, self._width), ylim=(height, 0))
        self._figure.set_size_inches(self._width / _INCH, height / _INCH)
        return self._figure

    @property
    def _middles(self) -> list[float]:
        return [x + self._cell[0] / 2 for x in self._x]

    def _picture(self, column: int, pixels: npt.NDArray[Any], colours: str, low: float, high: float) -> None:
        x, y = self._x[column], round(self._y)
        width, height = self._cell
        self._image(pixels, colours, (low, high), (x, y), (width, height))
        if self._marks is None:
            return
        blocks = self._marks.shape[1]
        step = width / blocks
        self._lines += [[(x + b * step, y), (x + b * step, y + height)] for b in range(1, blocks)]
        self._frames += [
            Rectangle((x + b * step, y), step, height) for b in np.flatnonzero(self._marks[column])
        ]

    def _image(
        self,
        pixels: npt.NDArray[Any],
        colours: str,
        limits: tuple[float, float],
        corner: tuple[float, float],
        size: tuple[float, float],
    ) -> None:
        (x, y), (width, height) = corner, size
        self._axes.imshow(
            pixels,
            cmap=matplotlib.colormaps[colours],
            vmin=limits[0],
            vmax=limits[1],
            extent=(x, x + width, y + height, y),
            aspect="auto",
            interpolation="nearest",
        )

    def _blank(self, column: int) -> None:
        width, height = self._cell
        corner = self._x[column], round(self._y)
        self._axes.add_patch(Rectangle(corner, width, height, facecolor=style.PALE, edgecolor="none"))
        self._text(self._middles[column], "no relevance", y=corner[1] + height / 2, ha="center", small=True)

    def _label(self, text: str) -> None:
        self._text(self._left - 0.07 * _INCH, text, y=round(self._y) + self._cell[1] / 2, ha="right")

    def _rule(self) -> None:
        ends = [_MARGIN, self._width - _MARGIN]
        self._axes.plot(ends, [self._y] * 2, color=style.PALE, linewidth=0.5)

    def _text(self, x: float, text: str, *, y: float, small: bool = False, **settings: Any) -> float:
        """Write text; return where it ends if it begins at `x`."""
        size = style.SMALL if small else _LABEL
        self._axes.text(x, y, text, **{"fontsize": size, "va": "center_baseline", **settings})
        return x + _length(text, size)


def _length(text: str, size: float) -> float:
    """Return how many dots a text takes, as wide as in bold."""
    path = TextPath((0, 0), text, size=size, prop=FontProperties(weight="bold"))
    return float(path.get_extents().x1) / 72 * _INCH
