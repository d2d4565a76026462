"""A heatmap as text: two pixels in each character, in colour where the terminal has any."""

import os
from typing import IO, Any

import numpy as np
import numpy.typing as npt

# Brewer's RdBu from blue to red, as matplotlib's RdBu_r has it: both signs weigh the same, for colour-blind
# eyes, too. Red is positive.
_COLOURS = np.array(
    [
        (0x05, 0x30, 0x61),
        (0x21, 0x66, 0xAC),
        (0x43, 0x93, 0xC3),
        (0x92, 0xC5, 0xDE),
        (0xD1, 0xE5, 0xF0),
        (0xF7, 0xF7, 0xF7),
        (0xFD, 0xDB, 0xC7),
        (0xF4, 0xA5, 0x82),
        (0xD6, 0x60, 0x4D),
        (0xB2, 0x18, 0x2B),
        (0x67, 0x00, 0x1F),
    ]
)
_UPPER_HALF = "\N{UPPER HALF BLOCK}"
_RESET = "\x1b[0m"
_LETTERS = "=- +#"
"""Without colours: much negative, some, nearly none, some positive, much."""
_LEVELS = np.array([-0.5, -0.1, 0.1, 0.5])
_CUBE = np.array([0, 95, 135, 175, 215, 255])
"""Levels of each channel among the 256 colours of older terminals."""
_CUBE_START = 16

COLOURED = "red is positive, blue negative"
LETTERED = "# and + are positive, = and - negative"


def has_colours(stream: IO[str]) -> bool:
    """Return whether to write colours: to a terminal that can, unless NO_COLOR is set (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def as_text(heatmap: npt.NDArray[Any], *, colours: bool, true_colours: bool | None = None) -> str:
    """Draw a heatmap, scaled by its largest magnitude.

    Parameters
    ----------
    heatmap : array (height, width)
        Relevance. Values that are not finite are drawn as 0.
    colours : bool
        Whether to write escape sequences for colours, or letters.
    true_colours : bool, optional
        Whether the terminal has more than 256 colours; by default what COLORTERM says.

    Returns
    -------
    str
        ceil(height / 2) lines of `width` characters.
    """
    values = np.nan_to_num(np.asarray(heatmap, dtype=np.float64), nan=0, posinf=0, neginf=0)
    peak = np.abs(values).max(initial=0)
    scaled = values / peak if peak > 0 else values
    if len(scaled) % 2:
        scaled = np.concatenate([scaled, np.zeros((1, scaled.shape[1]))])
    upper, lower = scaled[::2], scaled[1::2]
    if not colours:
        stronger = np.where(np.abs(upper) >= np.abs(lower), upper, lower)
        return "\n".join("".join(_LETTERS[np.searchsorted(_LEVELS, v)] for v in row) for row in stronger)
    if true_colours is None:
        true_colours = os.environ.get("COLORTERM", "") in ("truecolor", "24bit")
    above, below = _codes(upper, true_colours), _codes(lower, true_colours)
    return "\n".join(
        "".join(f"\x1b[38;{a};48;{b}m{_UPPER_HALF}" for a, b in zip(*pair, strict=True)) + _RESET
        for pair in zip(above, below, strict=True)
    )


def colours_of(scaled: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Return the colours (..., 3) of values in [-1, 1]."""
    place = (scaled + 1) / 2 * (len(_COLOURS) - 1)
    steps = np.arange(len(_COLOURS))
    channels = [np.interp(place, steps, _COLOURS[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _codes(scaled: npt.NDArray[np.float64], true_colours: bool) -> list[list[str]]:
    colours = colours_of(scaled)
    if true_colours:
        return [["2;{};{};{}".format(*colour) for colour in row] for row in colours]
    nearest = np.abs(colours[..., None].astype(int) - _CUBE).argmin(axis=-1)
    numbers = _CUBE_START + nearest @ np.array([36, 6, 1])
    return [[f"5;{number}" for number in row] for row in numbers]
