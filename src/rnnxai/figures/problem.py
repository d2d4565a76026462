"""What a majority sequence is, and why a cosine and not a share says whether it is explained (Fig. 3.10)."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure, SubFigure

from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.figures import style
from rnnxai.figures.strips import draw_strip
from rnnxai.scoring.blocks import cosine, majority_share

_STRIP, _ROW = 1.15, 0.42  # heights in inches: of the sequence, and of an example


@style.styled()
def draw(dataset_path: str | Path) -> tuple[Figure, pd.DataFrame]:
    """Draw a sequence with its marks, and what two metrics make of some explanations of it.

    The sequence is the first of the data set whose marks are those of the thesis' example, an odd image in
    the middle. The explanations are made up, each as the relevance of the blocks; the third is the
    thesis' example.

    Parameters
    ----------
    dataset_path : str or Path
        The data set file.

    Returns
    -------
    Figure
    DataFrame
        A row per explanation: its name, the relevance of each block, ``majority_share`` and ``cosine``.

    Raises
    ------
    Error
        If the data set has no marks.
    """
    dataset = Dataset.open(dataset_path)
    majority = dataset.majority
    if majority is None:
        raise Error(f"{dataset_path} has no marks; there is no majority to show")
    row = _first(majority)
    marks, picture = majority[row], dataset.sequences([row])[0, 0]
    table = _examples(marks)
    rows = len(table)
    figure = Figure((style.WIDTH, _STRIP + _ROW * rows + 0.75), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[_STRIP + 0.15, _ROW * rows + 0.6])
    top, below = parts
    _draw_sequence(top, dataset, row, picture, marks)
    _draw_examples(below, table, picture, marks)
    return figure, table


def _first(majority: npt.NDArray[np.uint8]) -> int:
    """Return the first row that is marked at both ends and not in the middle, or else the first."""
    middle = majority.shape[1] // 2
    wanted = (majority[:, 0] == 1) & (majority[:, -1] == 1) & (majority[:, middle] == 0)
    return int(wanted.argmax())


def _examples(marks: npt.NDArray[np.uint8]) -> pd.DataFrame:
    blocks, count = len(marks), int(marks.sum())
    even = marks / count
    last = np.eye(blocks)[np.flatnonzero(marks)[-1]]
    odd = np.eye(blocks)[marks.argmin()] if count < blocks else last
    vectors = {
        "all majority blocks alike": even,
        "uniform": np.full(blocks, 1 / blocks),
        "nearly all on one of them": 0.9 * last + 0.1 * odd,
        "all on a wrong block": odd,
    }
    array = np.array(list(vectors.values()))
    shares, cosines = (score(array, np.tile(marks, (len(array), 1)))[0] for score in (majority_share, cosine))
    columns = {f"block_{block + 1}": array[:, block] for block in range(blocks)}
    return pd.DataFrame(
        {"explanation": list(vectors), **columns, "majority_share": shares, "cosine": cosines}
    )


def _draw_sequence(
    figure: SubFigure,
    dataset: Dataset,
    row: int,
    picture: npt.NDArray[np.uint8],
    marks: npt.NDArray[np.uint8],
) -> None:
    axes = figure.subplots()
    draw_strip(axes, picture, marks)
    height, width = picture.shape
    of_block = dataset.source.labels[dataset.source_index[row]]
    for block, mark in enumerate(marks):
        axes.text(
            (block + 0.5) * width / len(marks),
            height + 2,
            f"{dataset.classes[of_block[block]]}\nm = {mark}",
            ha="center",
            va="top",
            linespacing=1.4,
        )
    label = dataset.classes[dataset.labels[row]]
    axes.annotate(
        f"class: {label}",
        (width + 1, height / 2),
        xytext=(width + 14, height / 2),
        va="center",
        annotation_clip=False,
        arrowprops={"arrowstyle": "<-", "linewidth": 0.8},
    )
    axes.annotate(
        "time",
        (-1, height / 2),
        xytext=(-14, height / 2),
        va="center",
        ha="right",
        color=style.GREY,
        annotation_clip=False,
        arrowprops={"arrowstyle": "->", "linewidth": 0.8, "color": style.GREY},
    )
    figure.suptitle(dataset.definition.title, x=0.01, ha="left", fontsize=style.FONT)


def _draw_examples(
    figure: SubFigure, table: pd.DataFrame, picture: npt.NDArray[np.uint8], marks: npt.NDArray[np.uint8]
) -> None:
    grid = figure.subplots(len(table), 2, width_ratios=[1.25, 2], squeeze=False)
    columns = [f"block_{block + 1}" for block in range(len(marks))]
    largest = table[columns].to_numpy().max()
    for line, (_, example) in zip(grid, table.iterrows(), strict=True):
        shares = np.repeat(example[columns].to_numpy(dtype=float), picture.shape[1] // len(marks))
        strip, bars = line
        draw_strip(strip, np.tile(shares, (picture.shape[0], 1)), marks, "Reds", (0, 1.4 * largest))
        for block, share in enumerate(example[columns]):
            place = (block + 0.5) * picture.shape[1] / len(marks)
            strip.text(place, picture.shape[0] / 2, style.number(share, 2), ha="center", va="center_baseline")
        for y, (name, score) in enumerate((("share on majority", "majority_share"), ("cosine", "cosine"))):
            value = float(example[score])
            face, hatch = (style.SKY, "////") if y == 0 else (style.BLUE, "")
            bars.barh(y, value, 0.75, facecolor=face, hatch=hatch, edgecolor="white", linewidth=0)
            text = f"{name} {style.number(value, 2) if value < 0.995 else '1'}"
            bars.annotate(
                text,
                (value, y),
                xytext=(3, 0),
                textcoords="offset points",
                va="center_baseline",
                fontsize=style.SMALL,
            )
        bars.set(xlim=(0, 1.5), ylim=(1.6, -0.6), xticks=[], yticks=[])
        bars.spines["bottom"].set_visible(False)
        bars.set_title(str(example["explanation"]), fontsize=style.FONT - 1, pad=1)
    figure.suptitle(
        "Relevance of the blocks, and what two metrics make of it", x=0.01, ha="left", fontsize=style.FONT
    )
