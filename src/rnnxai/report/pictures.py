"""Small pictures as text: palette PNGs of heatmaps and inputs, and figure files as they are."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image

from rnnxai.errors import Error
from rnnxai.figures.grid import SIGNED

LEVELS = 63
"""Colours of a heatmap: 31 of either sign and one for 0, at half the bytes of 255."""
GREYS = 16
_LARGEST_FIGURE = 600_000  # bytes; one that is larger is drawn anew with fewer colours and pixels
_FIGURE_WIDTH = 1_320  # pixels then: two for each of the page's


class Picture(NamedTuple):
    """A picture as the page holds it."""

    kind: str
    content: bytes
    size: tuple[int, int]

    @property
    def address(self) -> str:
        """A ``data:`` address."""
        return data_address(self.kind, self.content)


def data_address(kind: str, content: bytes) -> str:
    """Return the ``data:`` address of some content."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def heatmap_png(heatmap: npt.NDArray[np.floating]) -> bytes:
    """Encode a heatmap on a symmetric scale of its own: blue negative, pale 0, red positive.

    Parameters
    ----------
    heatmap : array (height, width)
        Relevance. Its largest magnitude gets the full colour; one of zeros is pale.

    Returns
    -------
    bytes
        A PNG of `LEVELS` colours, a dot for each pixel.
    """
    largest = np.abs(heatmap).max()
    middle = LEVELS // 2
    scaled = heatmap / largest if largest > 0 else np.zeros(heatmap.shape)
    return _png(np.round(scaled * middle) + middle, _heat_palette())


def grey_png(picture: npt.NDArray[np.uint8]) -> bytes:
    """Encode a picture (height, width) of grey values 0 to 255 as a PNG of `GREYS` greys."""
    greys = np.linspace(0, 255, GREYS).round().astype(np.uint8)
    return _png(np.round(picture / 255 * (GREYS - 1)), np.repeat(greys[:, None], 3, axis=1))


def colour_bar_png() -> bytes:
    """Encode the colours of heatmaps, a dot for each from the most negative to the most positive."""
    return _png(np.arange(LEVELS)[None], _heat_palette())


def figure_picture(stem: Path) -> Picture:
    """Read a figure as SVG or PNG, whichever is smaller.

    Parameters
    ----------
    stem : Path
        Path of the figure without its ending; the PNG must be there, the SVG may be.

    Returns
    -------
    Picture
        Of the size of the PNG in pixels. A figure of which both files are large becomes a PNG of fewer
        colours.

    Raises
    ------
    Error
        If the PNG cannot be read.
    """
    png, svg = (stem.with_name(f"{stem.name}.{ending}") for ending in ("png", "svg"))
    try:
        with Image.open(png) as image:
            size = image.size
        content = png.read_bytes()
    except OSError as error:
        raise Error(f"{png}: not readable as a PNG picture ({error}); draw the figure anew") from error
    if svg.exists() and svg.stat().st_size <= len(content):
        kind, content = "image/svg+xml", svg.read_bytes()
    else:
        kind = "image/png"
    if len(content) > _LARGEST_FIGURE:
        return Picture("image/png", _reduced(png), size)
    return Picture(kind, content, size)


def _heat_palette() -> npt.NDArray[np.uint8]:
    colours = matplotlib.colormaps[SIGNED](np.linspace(0, 1, LEVELS))[:, :3]
    palette: npt.NDArray[np.uint8] = np.round(colours * 255).astype(np.uint8)
    return palette


def _png(positions: npt.NDArray[Any], palette: npt.NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(positions.astype(np.uint8))
    image.putpalette(palette.tobytes())
    return _encoded(image)


def _reduced(path: Path) -> bytes:
    with Image.open(path) as image:
        flat = image.convert("RGB")
    if flat.width > _FIGURE_WIDTH:
        height = round(flat.height * _FIGURE_WIDTH / flat.width)
        flat = flat.resize((_FIGURE_WIDTH, height), Image.Resampling.LANCZOS)
    return _encoded(flat.quantize(64, dither=Image.Dither.NONE))


def _encoded(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
