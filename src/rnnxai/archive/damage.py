"""What can be wrong with a file, by name."""

from typing import NamedTuple

KINDS = {
    "no-file": "there is no such file",
    "not-hdf5": "it cannot be opened as HDF5: truncated, damaged at its head, or something else",
    "foreign": "an HDF5 file that is none of rnnxai",
    "version": "of a version of the format that is not known here",
    "unfinished": "its writer did not reach its end",
    "attributes": "root attributes are missing, or are not those written",
    "content": "names, types, shapes or attributes are not those written",
    "values": "the values of an array are not those written",
    "chunk": "a part of an array cannot be read; its checksum does not fit",
    "unreadable": "HDF5 cannot follow its own structures",
    "link": "a name leads out of the file, or to what has another name",
    "names": "arrays are missing, or are there that do not belong",
    "shape": "an array has another type or shape than the format says",
    "too-large": "sizes are beyond all bounds",
    "not-finite": "a number is infinite, or NaN where there must be a value",
    "range": "a class, row or flag is none of those there are",
    "sums": "sums of maps are not those of the maps",
    "books": "what relevance came to does not add up as recorded",
    "source": "a file that a join is made of is missing, has changed, or lies outside of its folder",
    "time": "it was not read to its end in the time allowed",
    "memory": "it needs more memory than allowed",
    "crash": "reading it ended the process that read it",
}
"""Every kind of damage that :func:`rnnxai.archive.verify.verify` reports."""


class Damage(NamedTuple):
    """One thing that is wrong.

    Attributes
    ----------
    kind : str
        A name in :data:`KINDS`.
    where : str
        The array or attribute; empty where it is the file.
    message : str
        What was found, and what would be right.
    """

    kind: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where + ': ' if self.where else ''}{self.message}"
