"""How all figures look: one page style, and one look per architecture that no other figure changes."""

import hashlib
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes

WIDTH = 5.5
"""Width of a page's text in inches."""
FONT, SMALL = 8, 6
"""Sizes of text and of remarks in points."""
INK, GREY, PALE = "#000000", "#6e6e6e", "#d9d9d9"

# Okabe and Ito's palette, which colour-blind readers tell apart, without yellow, which vanishes on white.
ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
COLOURS = (INK, ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE)

_RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.labelsize": FONT,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": FONT,
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": False,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine has it
    "font.size": FONT,
    "hatch.linewidth": 0.6,
    "image.composite_image": False,
    "legend.fontsize": FONT,
    "legend.frameon": False,
    "legend.handlelength": 1,
    "legend.handletextpad": 0.5,
    "pdf.fonttype": 42,  # text stays text: it can be searched and edited
    "svg.fonttype": "none",
    "svg.hashsalt": "rnnxai",  # else element names are drawn at random
    "xtick.labelsize": FONT,
    "xtick.major.width": 0.6,
    "ytick.labelsize": FONT,
    "ytick.major.width": 0.6,
}


class Look(NamedTuple):
    """How an architecture is drawn; marker and filling tell it apart where colours print grey."""

    colour: str
    marker: str
    filled: bool

    @property
    def face(self) -> str:
        """Colour inside the marker."""
        return self.colour if self.filled else "white"


_LOOKS = {  # in the order in which figures list them; a variant has its base's colour, not filled
    "shallow": Look(INK, "o", True),
    "deep": Look(ORANGE, "s", True),
    "deep-sd": Look(ORANGE, "s", False),
    "deep-v2": Look(SKY, "v", True),
    "conv-deep": Look(GREEN, "^", True),
    "conv-plus-deep": Look(VERMILLION, "P", True),
    "r-lstm": Look(BLUE, "D", True),
    "r-lstm-sd": Look(BLUE, "D", False),
    "conv-r-lstm-sd": Look(PURPLE, "<", True),
    "conv-plus-r-lstm-sd": Look(PURPLE, "<", False),
}
_OTHERS = [
    Look(colour, marker, filled)
    for marker in ("p", ">", "d", "h")
    for filled in (True, False)
    for colour in COLOURS
]

_EXPLAINERS = {
    "sa": "SA",
    "gb": "GB",
    "taylor": "Taylor",
    "dtd": "DTD",
    "lrp": "LRP",
    "integrated-gradients": "IG",
    "smoothgrad": "SmoothGrad",
    "occlusion": "Occlusion",
}
_ALPHA_BETA = re.compile(r"lrp-a([0-9.]+)b([0-9.]+)")


@contextmanager
def styled() -> Iterator[None]:
    """Set the style for a block or, as a decorator, for a function; a user's matplotlibrc has no say."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def look(architecture: str) -> Look:
    """Return the look of an architecture, which depends on its name alone.

    The architectures of the thesis have fixed looks. Any other name draws one of 56 from a hash, so
    adding an architecture to a study changes the look of none.
    """
    digest = hashlib.sha256(architecture.encode()).digest()
    return _LOOKS.get(architecture) or _OTHERS[int.from_bytes(digest[:8], "big") % len(_OTHERS)]


def in_order(names: Iterable[str]) -> list[str]:
    """Return architectures or explainers, each once: the known ones as listed above, then the others."""
    ranks = {name: rank for rank, name in enumerate([*_LOOKS, *_EXPLAINERS])}
    return sorted(set(names), key=lambda name: (ranks.get(_family(name), len(ranks)), name))


def explainer_title(name: str) -> str:
    """Return the name of an explainer as a figure shows it: ``lrp-a1.5b0.5`` with Greek letters."""
    if match := _ALPHA_BETA.fullmatch(name):
        alpha, beta = match.groups()
        return f"LRP \N{GREEK SMALL LETTER ALPHA}{alpha} \N{GREEK SMALL LETTER BETA}{beta}"
    return _EXPLAINERS.get(name) or name.replace("lrp-", "LRP-")


def label_explainers(axes: Axes, names: Sequence[str], level_at_most: int) -> None:
    """Write the titles of explainers below an axis, at 0, 1, ...; slanted if there are more than fit."""
    axes.set_xticks(range(len(names)), [explainer_title(name) for name in names])
    if len(names) > level_at_most:
        for label in axes.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.tick_params("x", length=0)


def _family(name: str) -> str:
    return "lrp" if name.startswith("lrp-") else name


def number(value: float, decimals: int = 3) -> str:
    """Write a number of size 1 without its leading zero: .817."""
    text = f"{value:.{decimals}f}"
    return re.sub(r"^(-?)0\.", r"\1.", text)


def wrapped(text: str, width: float = WIDTH) -> str:
    """Break a remark into lines of at most `width` inches, set in the small size."""
    return "\n".join(textwrap.wrap(text, int(width * 21)))  # letters per inch, nearly


def marker_style(look: Look, size: float) -> dict[str, Any]:
    """Return matplotlib's marker settings of a look, `size` in points."""
    return {
        "marker": look.marker,
        "markersize": size,
        "markerfacecolor": look.face,
        "markeredgecolor": look.colour,
        "markeredgewidth": 0.8,
    }
