"""Draw a named figure from what the other stages wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnxai.figures.catalogue import FIGURES
from rnnxai.figures.save import save


def draw_figure(name: str, stem: str | Path, arguments: Mapping[str, Any]) -> None:
    """Draw a figure of the catalogue and save it in every format, beside the numbers it shows.

    Parameters
    ----------
    name : str
        A name in :data:`rnnxai.figures.catalogue.FIGURES`.
    stem : str or Path
        Path of the outputs without their endings.
    arguments : Mapping
        What the figure's draw function takes.
    """
    figure, table = FIGURES.load(name)(**arguments)
    save(figure, table, stem)
