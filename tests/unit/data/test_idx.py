import functools
import gzip
import hashlib
import http.server
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rnnxai.data import idx
from rnnxai.data._torchvision import import_datasets
from rnnxai.data.source import load_source
from rnnxai.errors import Error

IMAGES = "MNIST/raw/train-images-idx3-ubyte"


def encode_idx(values: np.ndarray) -> bytes:
    lengths = np.array(values.shape, ">u4").tobytes()
    return bytes([0, 0, 8, values.ndim]) + lengths + values.tobytes()


@pytest.fixture
def small_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make up a MNIST of 30 + 12 images, extracted, whose checksums stand in for the published ones."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    checksums = {}
    for part, count in (("train", 30), ("t10k", 12)):
        arrays = {
            f"{part}-images-idx3-ubyte": rng.integers(0, 256, (count, 28, 28), np.uint8),
            f"{part}-labels-idx1-ubyte": rng.integers(0, 10, count, np.uint8),
        }
        for name, values in arrays.items():
            content = encode_idx(values)
            (folder / name).write_bytes(content)
            checksums[name] = idx.Checksums(
                hashlib.md5(content).hexdigest(), hashlib.sha256(content).hexdigest()
            )
    monkeypatch.setitem(idx.FILES, "MNIST", checksums)
    return tmp_path


def compress(root: Path) -> None:
    """Replace the extracted files by compressed ones."""
    for path in (root / "MNIST" / "raw").iterdir():
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()


@pytest.mark.parametrize(("name", "first"), [("mnist", [5, 0, 4]), ("fashion-mnist", [9, 0, 0])])
def test_published_data_is_read(data_root: Path, name: str, first: list[int]) -> None:
    source = load_source(name, data_root)
    assert source.images.shape == (70_000, 28, 28)
    assert source.train_count == 60_000
    assert source.labels[:3].tolist() == first
    assert np.unique(source.labels).tolist() == list(range(10)) and len(source.classes) == 10


def test_class_names_agree_with_torchvision(data_root: Path) -> None:
    source = load_source("fashion-mnist", data_root)
    assert list(source.classes) == import_datasets().FashionMNIST.classes


def test_compressed_and_extracted_files_are_the_same(small_mnist: Path) -> None:
    extracted = load_source("mnist", small_mnist)
    compress(small_mnist)
    before = sorted(small_mnist.rglob("*"))
    compressed = load_source("mnist", small_mnist)
    assert np.array_equal(extracted.images, compressed.images)
    assert np.array_equal(extracted.labels, compressed.labels)
    assert (extracted.train_count, len(extracted.images)) == (30, 42)
    assert sorted(small_mnist.rglob("*")) == before, "reading must not write into the user's folder"


def flip_last_byte(root: Path) -> None:
    path = root / IMAGES
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def flip_inside_gzip(root: Path) -> None:
    flip_last_byte(root)
    compress(root)


def truncate_gzip(root: Path) -> None:
    compress(root)
    path = root / f"{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-100])


def not_gzip(root: Path) -> None:
    compress(root)
    (root / f"{IMAGES}.gz").write_bytes(b"<html>503</html>")


def cut_short(root: Path) -> None:
    (root / IMAGES).write_bytes(b"")


def take_away(root: Path) -> None:
    (root / IMAGES).unlink()


def take_all_away(root: Path) -> None:
    for path in (root / "MNIST/raw").iterdir():
        path.unlink()
    (root / "MNIST/raw").rmdir()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip_last_byte, r"train-images-idx3-ubyte does not hold .* md5 .* is \w{32}, it should be \w{32}"),
        (flip_inside_gzip, r"train-images-idx3-ubyte.gz does not hold the published data"),
        (truncate_gzip, r"train-images-idx3-ubyte.gz cannot be read .*end-of-stream"),
        (not_gzip, r"train-images-idx3-ubyte.gz cannot be read .*[Nn]ot a gzipped file"),
        (cut_short, r"train-images-idx3-ubyte does not hold the published data"),
        (take_away, r"should hold train-images-idx3-ubyte or train-images-idx3-ubyte.gz, but neither"),
        (take_all_away, r"MNIST/raw should hold .* that folder does not exist"),
    ],
)
def test_damaged_files_are_refused(small_mnist: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(small_mnist)
    with pytest.raises(Error, match=message):
        load_source("mnist", small_mnist)


def test_sha256_is_checked_beside_md5(small_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "t10k-labels-idx1-ubyte"
    right = idx.FILES["MNIST"][name]
    monkeypatch.setitem(idx.FILES["MNIST"], name, right._replace(sha256="0" * 64))
    with pytest.raises(Error, match=rf"the sha256 .* is {right.sha256}, it should be {'0' * 64}"):
        load_source("mnist", small_mnist)


def test_one_flipped_byte_of_the_published_data_is_refused(data_root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for path in (data_root / "MNIST" / "raw").glob("*.gz"):
        (folder / path.name).symlink_to(path.resolve())
    labels = folder / "t10k-labels-idx1-ubyte"
    labels.write_bytes(gzip.decompress((folder / f"{labels.name}.gz").read_bytes())[:-1] + b"\x07")
    with pytest.raises(Error, match="t10k-labels-idx1-ubyte does not hold the published data"):
        load_source("mnist", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "mnist"}, "MNIST needs a data folder"),
        ({"name": "minst"}, "unknown source 'minst'. Did you mean 'mnist'"),
        (
            {"name": "mnist", "root": "nowhere", "download": True, "mirrors": ["file:///data"]},
            "mirror 'file:///data' is not an http or https address",
        ),
    ],
)
def test_bad_requests(arguments: dict, message: str, tmp_path: Path) -> None:
    if "root" in arguments:
        arguments = arguments | {"root": tmp_path / arguments["root"]}
    with pytest.raises(Error, match=message):
        load_source(**arguments)


@pytest.fixture
def mirror(small_mnist: Path, monkeypatch: pytest.MonkeyPatch):
    """Serve the made-up files on the loopback interface, where torchvision expects its mirrors."""
    compress(small_mnist)
    folder = small_mnist / "MNIST" / "raw"
    resources = [(p.name, hashlib.md5(p.read_bytes()).hexdigest()) for p in sorted(folder.iterdir())]
    monkeypatch.setattr(import_datasets().MNIST, "resources", resources)
    monkeypatch.setattr(import_datasets().MNIST, "mirrors", [])
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def dead_mirror() -> str:
    """An address where nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def test_download_tries_the_mirrors_in_order(
    mirror: str, dead_mirror: str, small_mnist: Path, tmp_path: Path
) -> None:
    source = load_source("mnist", tmp_path / "fresh", download=True, mirrors=[dead_mirror, mirror])
    assert np.array_equal(source.images, load_source("mnist", small_mnist).images)


def test_torchvisions_own_mirrors_come_last(
    mirror: str, dead_mirror: str, small_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_datasets().MNIST, "mirrors", [f"{mirror}/"])
    source = load_source("mnist", tmp_path / "fresh", download=True, mirrors=[dead_mirror])
    assert np.array_equal(source.images, load_source("mnist", small_mnist).images)

    monkeypatch.setattr(import_datasets().MNIST, "mirrors", [f"{dead_mirror}/own/", f"{dead_mirror}/"])
    with pytest.raises(Error, match=rf"from {dead_mirror}/, {dead_mirror}/own/: "):
        load_source("mnist", tmp_path / "none", download=True, mirrors=[dead_mirror])


def test_download_leaves_what_is_there_alone(small_mnist: Path, dead_mirror: str) -> None:
    compress(small_mnist)
    before = {path: path.stat().st_mtime_ns for path in small_mnist.rglob("*")}
    load_source("mnist", small_mnist, download=True, mirrors=[dead_mirror])
    assert {path: path.stat().st_mtime_ns for path in small_mnist.rglob("*")} == before


def test_a_failed_download_names_the_mirror(mirror: str, dead_mirror: str, tmp_path: Path) -> None:
    with pytest.raises(Error, match=rf"MNIST could not be downloaded from {dead_mirror}/: .*refused"):
        load_source("mnist", tmp_path / "fresh", download=True, mirrors=[dead_mirror])
