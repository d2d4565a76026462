"""A sequence of images as a strip: the picture, its blocks and which of them agree."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from rnnxai.figures import style


def draw_strip(
    axes: Axes,
    pixels: npt.NDArray[Any],
    marks: npt.NDArray[np.uint8] | None,
    colours: str = "gray",
    limits: tuple[float, float] = (0, 255),
) -> None:
    """Draw pixels (height, width) as they are, blocks parted by lines, those of the majority framed."""
    height, width = pixels.shape
    axes.imshow(
        pixels,
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
        extent=(0, width, height, 0),
        aspect="equal",
    )
    axes.set_axis_off()
    if marks is None:
        return
    step = width / len(marks)
    for block in range(1, len(marks)):
        axes.plot([block * step] * 2, [0, height], color=style.GREY, linewidth=0.4, zorder=2)
    for majority in np.flatnonzero(marks).tolist():
        axes.add_patch(
            Rectangle(
                (majority * step, 0),
                step,
                height,
                facecolor="none",
                edgecolor=style.ORANGE,
                zorder=3,
                clip_on=False,
            )
        )
    axes.set(xlim=(0, width), ylim=(height, 0))
