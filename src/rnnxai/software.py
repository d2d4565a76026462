"""The versions of the software that made a file."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import h5py

from rnnxai import __version__

_LETTERS = 10  # of a commit


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


def commit_of(folder: str | Path, *parts: str) -> str:
    """Return the commit that a checkout is at, with a plus where some of its parts were changed since.

    Parameters
    ----------
    folder : str or Path
        The checkout.
    *parts : str
        Files and folders in it that matter.

    Returns
    -------
    str
        The version of this package, where the folder is no checkout or there is no git.
    """

    def git(*arguments: str) -> str:
        command = ("git", "-C", str(folder), *arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - fixed words
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")[:_LETTERS]
        return f"{commit}+" if git("status", "--porcelain", "--", *parts) else commit
    except (OSError, subprocess.CalledProcessError):
        return __version__
