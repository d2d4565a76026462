"""The versions of the software that made a file."""

import platform
from importlib.metadata import PackageNotFoundError, version

import h5py

from rnnxai import __version__


def software(*packages: str) -> dict[str, str]:
    """Return the versions of this package, Python, HDF5 and some other packages.

    Parameters
    ----------
    *packages : str
        Their names on the package index. One that is not installed is left out.

    Returns
    -------
    dict
        Name to version.
    """
    # Imported from its source folder, this package is not installed, but knows its own version.
    found = {
        "rnnxai": __version__,
        "python": platform.python_version(),
        "hdf5": h5py.version.hdf5_version,
    }
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
