"""One heatmap as a picture."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from rnnxai.errors import Error
from rnnxai.figures.style import FONT, SMALL, styled
from rnnxai.files import replacing

_ENDING = ".png"


@styled()
def write_picture(
    heatmap: npt.NDArray[np.float64], title: str, sample: Mapping[str, Any], path: str | Path
) -> None:
    """Write a heatmap (height, width) as PNG: blue negative, white zero, red positive.

    Raises
    ------
    Error
        If the name does not end in .png.
    """
    if Path(path).suffix != _ENDING:
        raise Error(f"{path}: a picture is written as {_ENDING}")
    height, width = heatmap.shape
    figure = Figure(figsize=(5.5, 5.5 * height / width * 0.88 + 0.7), layout="constrained")
    axes = figure.add_subplot()
    peak = float(np.abs(heatmap).max()) or 1.0
    image = axes.imshow(heatmap, cmap="RdBu_r", vmin=-peak, vmax=peak, interpolation="nearest")
    axes.set_title(f"{title}, row {sample['row']}", fontsize=FONT)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    said = f"class {sample['explained_class']} explained, {sample['predicted_class']} predicted"
    if sample.get("cosine") is not None:
        said += f", cosine {sample['cosine']:.2f}"
    axes.set_xlabel(said, fontsize=FONT)
    bar = figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01)
    bar.ax.tick_params(labelsize=SMALL)
    bar.ax.set_title("relevance", fontsize=SMALL)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=200)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
