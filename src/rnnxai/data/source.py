"""Labelled images of one size, and how they are loaded by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rnnxai.data.sources import SOURCES
from rnnxai.errors import Error
from rnnxai.plugins import parameters

IMAGE_SIZE = (28, 28)
"""Height and width of a source image in pixels."""


@dataclass(frozen=True, eq=False)
class Source:
    """Labelled grey-scale images, those meant for training first.

    Parameters
    ----------
    images : uint8 array (N, 28, 28)
        Grey values, 0 (background) to 255.
    labels : uint8 array (N,)
        Class numbers, each a position in `classes`.
    train_count : int
        How many of the images belong to the source's own training part. The rest is its test part.
    classes : tuple of str
        Class names.

    Raises
    ------
    Error
        If the parts do not fit together.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    train_count: int
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.images)
        if self.images.dtype != np.uint8 or self.images.shape != (count, *IMAGE_SIZE):
            found = f"{self.images.dtype} {self.images.shape}"
            raise Error(f"the images of a source are {found}; they must be uint8 (N, 28, 28)")
        if self.labels.dtype != np.uint8 or self.labels.shape != (count,):
            found = f"{self.labels.dtype} {self.labels.shape}"
            raise Error(f"the labels of a source are {found}; they must be uint8 ({count},), one per image")
        if not 0 < self.train_count < count:
            raise Error(f"train_count is {self.train_count}; it must lie between 1 and {count - 1}")
        if self.labels.max() >= len(self.classes):
            raise Error(f"a label is {self.labels.max()}, but there are only {len(self.classes)} class names")


def load_source(
    name: str,
    root: str | Path | None = None,
    download: bool = False,
    mirrors: Sequence[str] = (),
) -> Source:
    """Load the images of a source by name.

    Parameters
    ----------
    name : str
        A name in :data:`rnnxai.data.sources.SOURCES`, or a reference ``package.module:function``.
    root : str or Path, optional
        Folder with the data, laid out as torchvision does (``ROOT/MNIST/raw/``). Sources that come with
        an installed package (``digits``) need none.
    download : bool
        Fetch what is missing into `root`. Without it nothing is ever written there.
    mirrors : sequence of str
        Addresses (http or https) to download from, tried in order before torchvision's own.

    Raises
    ------
    Error
        If the name is unknown, a file is missing, or its content is not the published one, or if a loader
        from outside returns something else than a source.
    """
    folder = (None if root is None else Path(root), download, tuple(mirrors))
    source = SOURCES.load(name)(*(folder if needs_folder(name) else ()))
    if not isinstance(source, Source):
        raise Error(f"source {name!r} returned a {type(source).__name__}; it must return a Source")
    return source


def needs_folder(name: str) -> bool:
    """Return whether a source is read from the data folder, or else comes with an installed package.

    The loader itself says so: one without a folder takes no arguments, any other takes the last three of
    :func:`load_source`. That is read in its source, since a loader from outside is not run for it.

    Raises
    ------
    Error
        If the name is unknown, or a loader takes other arguments.
    """
    target = SOURCES.target(name)
    taken = parameters(target)
    if taken is None or len(taken) not in (0, 3):
        found = "what its source does not show" if taken is None else ", ".join(taken)
        raise Error(f"source {name!r} takes {found}; nothing, or root, download, mirrors would be right")
    return bool(taken)
