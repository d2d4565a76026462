"""Build a data set file."""

from collections.abc import Sequence
from pathlib import Path

from rnnxai.data.dataset import build_dataset
from rnnxai.data.definition import DatasetDefinition


def make_dataset(
    definition: DatasetDefinition, path: str | Path, root: str | Path, download: bool, mirrors: Sequence[str]
) -> None:
    """Write the HDF5 file of a data set.

    Parameters
    ----------
    definition : DatasetDefinition
    path : str or Path
    root, download, mirrors
        Where its images come from; see :func:`rnnxai.data.source.load_source`.
    """
    build_dataset(definition, path, root, download, mirrors)
