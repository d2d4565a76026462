"""MNIST and FashionMNIST: files in the IDX format, in the folder layout of torchvision.

Downloading is torchvision's own code. Reading is not: torchvision takes an extracted file for good as
soon as it exists, and it cannot read a folder that holds the compressed files only without writing into
it. Here the uncompressed content is compared with the published one each time, whichever way it came.
"""

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnnxai.data.source import Source
from rnnxai.errors import Error


class Checksums(NamedTuple):
    """Hexadecimal checksums of an uncompressed file: the customary one, and one that is hard to forge."""

    md5: str
    sha256: str


# In the order train images, train labels, test images, test labels.
FILES = {
    "MNIST": {
        "train-images-idx3-ubyte": Checksums(
            "6bbc9ace898e44ae57da46a324031adb",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        "train-labels-idx1-ubyte": Checksums(
            "a25bea736e30d166cdddb491f175f624",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        "t10k-images-idx3-ubyte": Checksums(
            "2646ac647ad5339dbf082846283269ea",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        "t10k-labels-idx1-ubyte": Checksums(
            "27ae3e4e09519cfbb04c329615203637",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    },
    "FashionMNIST": {
        "train-images-idx3-ubyte": Checksums(
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        "train-labels-idx1-ubyte": Checksums(
            "9018921c3c673c538a1fc5bad174d6f9",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        "t10k-images-idx3-ubyte": Checksums(
            "8181f5470baa50b63fa0f6fddb340f0a",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        "t10k-labels-idx1-ubyte": Checksums(
            "15d484375f8d13e6eb1aabb0c3f46965",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    },
}

_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def mnist(root: Path | None, download: bool, mirrors: tuple[str, ...]) -> Source:
    """Load MNIST; see :func:`rnnxai.data.source.load_source`."""
    return _load("MNIST", _DIGITS, root, download, mirrors)


def fashion_mnist(root: Path | None, download: bool, mirrors: tuple[str, ...]) -> Source:
    """Load FashionMNIST; see :func:`rnnxai.data.source.load_source`."""
    return _load("FashionMNIST", _CLOTHES, root, download, mirrors)


def _load(
    name: str, classes: tuple[str, ...], root: Path | None, download: bool, mirrors: tuple[str, ...]
) -> Source:
    if root is None:
        raise Error(f"{name} needs a data folder: name the one that holds (or shall hold) {name}/raw")
    folder = root / name / "raw"
    if download and not all(_find(folder, file) for file in FILES[name]):
        _download(name, root, mirrors)
    train_images, train_labels, test_images, test_labels = (
        _parse(_read(folder, file, checksums)) for file, checksums in FILES[name].items()
    )
    return Source(
        images=np.concatenate([train_images, test_images]),
        labels=np.concatenate([train_labels, test_labels]),
        train_count=len(train_images),
        classes=classes,
    )


def _find(folder: Path, file: str) -> Path | None:
    """Return the path of a file, extracted or compressed, or None."""
    candidates = (folder / file, folder / f"{file}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _read(folder: Path, file: str, checksums: Checksums) -> bytes:
    """Return the uncompressed content of a file once it is known to be the published one."""
    path = _find(folder, file)
    if path is None:
        found = "that folder does not exist" if not folder.is_dir() else "neither is there"
        raise Error(
            f"{folder} should hold {file} or {file}.gz, but {found}; "
            "point the data folder to where the files are, or ask for the download"
        )
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise Error(f"{path} cannot be read ({error}); replace it by a sound copy") from error
    found_sums = Checksums(
        hashlib.md5(content, usedforsecurity=False).hexdigest(), hashlib.sha256(content).hexdigest()
    )
    for kind, found, right in zip(Checksums._fields, found_sums, checksums, strict=True):
        if found != right:
            raise Error(
                f"{path} does not hold the published data: the {kind} of its uncompressed content is "
                f"{found}, it should be {right}; delete the file and fetch it anew"
            )
    return content


def _parse(content: bytes) -> NDArray[np.uint8]:
    """Decode IDX: two zeros, the type (8, unsigned byte), the rank, big-endian lengths, values."""
    rank = content[3]
    shape = np.frombuffer(content, ">u4", count=rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(tuple(shape))


def _download(name: str, root: Path, mirrors: tuple[str, ...]) -> None:
    """Let torchvision fetch and extract what is missing, from the given mirrors or else from its own."""
    for mirror in mirrors:
        if not mirror.startswith(("http://", "https://")):
            raise Error(f"mirror {mirror!r} is not an http or https address; a local copy is a data folder")
    from rnnxai.data._torchvision import import_datasets

    base = getattr(import_datasets(), name)
    addresses = list(dict.fromkeys([*(mirror.rstrip("/") + "/" for mirror in mirrors), *base.mirrors]))
    # torchvision takes its folder from the class name and its mirrors from a class attribute.
    dataset = type(name, (base,), {"mirrors": addresses})
    try:
        dataset(root, download=True)
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())  # torchvision's message has several lines
        raise Error(f"{name} could not be downloaded from {', '.join(addresses)}: {reason}") from error
