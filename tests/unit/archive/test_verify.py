"""Every kind of damage has a name, and no file harms who asks."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest

from rnnxai.archive import verify as module
from rnnxai.archive.check import check_complete
from rnnxai.archive.damage import KINDS, Damage
from rnnxai.archive.examine import examine
from rnnxai.archive.read import AttributionArchive
from rnnxai.archive.verify import Verifier, refuse_damaged, verify, verify_all
from rnnxai.errors import Error
from rnnxai.seal import seal

KEPT_ROWS = np.array([0, 3, 17, 19])


@pytest.fixture
def some(tmp_path, write):
    """An archive that keeps four of its maps."""
    return write(tmp_path / "some.h5", maps=KEPT_ROWS).path


def kinds(path):
    return [(found.kind, found.where) for found in verify(path)]


def edit(path, change, sealed=False):
    """Change an archive, and give it new hashes if `sealed`, as a writer with a mistake would."""
    with h5py.File(path, "r+") as file:
        change(file)
        if sealed:
            seal(file)


def put(name, place, value):
    return lambda file: file[name].__setitem__(place, value)


def instead(name, **how):
    def change(file):
        del file[name]
        file.create_dataset(name, **how)

    return change


def link(name, target):
    def change(file):
        del file[name]
        file[name] = target

    return change


def test_what_was_written_is_sound(archive, some):
    assert [(path.name, found) for path, found in verify_all([archive.path, some])] == [
        ("dtd.attribution.h5", []),
        ("some.h5", []),
    ]
    refuse_damaged(some)


ALTERED = {
    "an attribute of the root": (lambda f: f.attrs.modify("fold", "3"), ("attributes", "")),
    "a new attribute of the root": (lambda f: f.attrs.__setitem__("more", 1), ("attributes", "")),
    "an attribute of an array": (
        lambda f: f["label"].attrs.modify("long_name", "label"),
        ("content", ""),
    ),
    "the type of an attribute": (
        lambda f: f["map_stored"].attrs.__setitem__("flag_values", np.arange(2, dtype="i4")),
        ("content", ""),
    ),
    "a name": (lambda f: f.move("dropped", "droped"), ("names", "")),
    "a group": (lambda f: f.create_group("more"), ("names", "")),
    "a value of a map": (put("attribution", (17, 0, 1, 1), 2), ("values", "attribution")),
    "a map that is not kept": (put("attribution", (1, 0, 1, 1), 2), ("values", "attribution")),
    "a value": (put("index", 3, 70), ("values", "index")),
    "a row of a dimension": (put("x", 3, 4), ("values", "x")),
    "the type of an array": (
        instead("relevance_sum", data=np.zeros(20, dtype="f4")),
        ("shape", "relevance_sum"),
    ),
    "the shape of an array": (instead("label", data=np.zeros(19, dtype="u2")), ("shape", "label")),
    "no end": (lambda f: f.attrs.pop("complete"), ("unfinished", "complete")),
    "another end": (lambda f: f.attrs.__setitem__("complete", 1), ("unfinished", "complete")),
    "no format": (lambda f: f.attrs.pop("rnnxai_format"), ("foreign", "")),
    "a new format": (lambda f: f.attrs.modify("rnnxai_format", "2.0"), ("version", "rnnxai_format")),
    "a new kind": (lambda f: f.attrs.modify("rnnxai_kind", "film"), ("attributes", "rnnxai_kind")),
    "no hash": (lambda f: f.attrs.pop("content_sha256"), ("attributes", "")),
    "no provenance": (lambda f: f.attrs.pop("git_commit"), ("attributes", "")),
    "a soft link": (link("index", h5py.SoftLink("/label")), ("link", "")),
    "an external link": (link("index", h5py.ExternalLink("other.h5", "index")), ("link", "")),
    "two names": (lambda f: f.__setitem__("again", f["index"]), ("link", "")),
    "a circle": (lambda f: f.__setitem__("again", f["/"]), ("link", "")),
    "values in another file": (
        instead("index", shape=(20,), dtype="u4", external=[("/etc/passwd", 0, 80)]),
        ("link", ""),
    ),
}


@pytest.mark.parametrize("name", ALTERED)
def test_what_was_altered_is_named(some, name):
    change, expected = ALTERED[name]
    edit(some, change)
    found = kinds(some)
    assert expected in found, found


def virtual(file):
    layout = h5py.VirtualLayout((20,), "u4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "index", (20,), dtype="u4")
    del file["index"]
    file.create_virtual_dataset("index", layout)


WRONG = {
    "an infinite map": (put("attribution", (17, 0, 1, 1), np.inf), ("not-finite", "attribution")),
    "values of a map that is not kept": (put("attribution", (1, 0, 1, 1), 2), ("not-finite", "attribution")),
    "an infinite sum": (put("explained_score", 3, np.nan), ("not-finite", "explained_score")),
    "a class there is not": (put("label", 3, 5), ("range", "label")),
    "a flag there is not": (put("map_stored", 3, 2), ("range", "map_stored")),
    "a row twice": (lambda f: f["index"].__setitem__(3, f["index"][17]), ("range", "index")),
    "a dimension that does not count": (put("step", 3, 4), ("range", "step")),
    "a sum of steps": (put("relevance_step", (1, 2), 99), ("sums", "relevance_step")),
    "sums of steps": (
        lambda f: f["relevance_step"].__setitem__(3, f["relevance_step"][3][::-1]),
        ("sums", "relevance_step"),
    ),
    "a positive sum": (put("relevance_block_positive", (17, 2), 99), ("sums", "relevance_block_positive")),
    "a kept amount": (put("dropped", 3, 99), ("books", "conservation_error")),
    "the largest error": (
        lambda f: f.attrs.modify("conservation_max_error", 0.0),
        ("books", "conservation_max_error"),
    ),
    "another place's values": (virtual, ("shape", "index")),
    "no dimensions": (lambda f: f["label"].dims[0].detach_scale(f["sample"]), ("shape", "label")),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_writer_got_wrong_is_named(some, name):
    change, expected = WRONG[name]
    edit(some, change, sealed=True)
    found = kinds(some)
    assert expected in found, found
    assert all(kind not in ("values", "content", "attributes", "chunk") for kind, _ in found)


def test_rounding_is_allowed_for(tmp_path, write):
    path = write(tmp_path / "a.h5", keep_bits=5).path
    assert verify(path) == []
    edit(path, lambda f: f["attribution"].attrs.pop("maximum_relative_error"), sealed=True)
    assert ("sums", "relevance_step") in kinds(path)


def test_files_that_are_no_archives(tmp_path):
    (tmp_path / "text.h5").write_text("relevance,1\n")
    (tmp_path / "empty.h5").touch()
    (tmp_path / "folder.h5").mkdir()
    os.mkfifo(tmp_path / "pipe.h5")
    h5py.File(tmp_path / "other.h5", "w").close()
    found = {path.name: [each.kind for each in found] for path, found in verify_all(tmp_path.iterdir())}
    assert found == {
        "text.h5": ["not-hdf5"],
        "empty.h5": ["not-hdf5"],
        "folder.h5": ["no-file"],
        "pipe.h5": ["no-file"],
        "other.h5": ["foreign"],
    }
    assert kinds(tmp_path / "none.h5") == [("no-file", "")]


@pytest.mark.parametrize("part", [0.01, 0.5, 0.999])
def test_a_truncated_file_is_named(some, part):
    some.write_bytes(some.read_bytes()[: int(part * some.stat().st_size)])
    assert kinds(some) == [("not-hdf5", "")]


def test_a_flipped_bit_in_a_chunk_is_named(some):
    with h5py.File(some) as file:
        place = file["relevance_step"].id.get_chunk_info(0).byte_offset
    content = bytearray(some.read_bytes())
    content[place + 20] ^= 4
    some.write_bytes(content)
    assert kinds(some)[0] == ("chunk", "relevance_step")


def test_a_file_that_is_too_large_is_named(some):
    def change(file):
        for name in list(file):
            if name == "sample" or (name != "attribution" and file[name].shape[0] == 20):
                rest, dtype = file[name].shape[1:], file[name].dtype
                del file[name]
                file.create_dataset(name, (2**40, *rest), dtype, chunks=(4096, *rest))
        for name in ("sample", "channel"):
            file[name].make_scale(name)

    edit(some, change)
    assert {("too-large", ""), ("too-large", "index")} <= set(kinds(some))
    with pytest.raises(Error, match="1099511627776 samples of 192 bytes; at most"):
        AttributionArchive(some)


def test_a_file_without_end_is_given_up(some):
    def change(file):
        file.create_dataset("more", (2**24, 2**10), "f8", chunks=(2**10, 2**10))

    edit(some, change)
    assert [found.kind for found in verify(some, seconds=1)] == ["time"]


def test_a_file_that_needs_too_much_memory_is_given_up(some):
    edit(some, lambda file: file.create_dataset("more", (2**24, 8), "f8", chunks=(2**24, 8)))
    assert {found.kind for found in verify(some, memory=2**27)} & {"memory", "chunk"}


def test_a_crash_is_no_crash_of_who_asks(some, monkeypatch, tmp_path):
    # A stand-in for h5py that dies on being asked to open anything.
    (tmp_path / "sitecustomize.py").write_text(
        "import h5py, os, signal\nh5py.File = lambda *a, **k: os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert verify(some) == [Damage("crash", "", "reading it ended with -11")]


def test_a_verifier_that_cannot_run_says_so(some, monkeypatch):
    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    with pytest.raises(Error, match="the process that verifies files has ended"):
        verify(some)


def test_modules_of_the_folder_are_not_imported(some, monkeypatch):
    (some.parent / "h5py.py").write_text("raise SystemExit('a trap')\n")
    monkeypatch.chdir(some.parent)
    assert verify("some.h5") == []


def test_every_kind_has_a_line():
    used = {kind for kind, _ in [expected for _, expected in [*ALTERED.values(), *WRONG.values()]]}
    assert used < set(KINDS)
    assert str(Damage("values", "index", "wrong")) == "values: index: wrong"


def test_the_examination_of_a_sound_file_finds_nothing(some):
    assert examine(some) == []


def test_repacked_files_keep_their_hashes(archive, tmp_path):
    program = shutil.which("h5repack")
    if program is None:
        pytest.skip("h5repack is not installed")
    repacked = tmp_path / "repacked.h5"
    subprocess.run([program, "-f", "NONE", archive.path, repacked], check=True)
    assert repacked.read_bytes() != archive.path.read_bytes()
    assert verify(repacked) == []


def flips(path, count, seed):
    """Yield copies of a file's bytes with one bit of one byte changed, and which."""
    content, random = path.read_bytes(), np.random.default_rng(seed)
    for _ in range(count):
        place, bit = int(random.integers(len(content))), int(random.integers(8))
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        yield place, bytes(flipped)


@pytest.mark.parametrize("layout", [{}, {"maps": KEPT_ROWS, "blocks": None}], ids=["all", "some"])
@pytest.mark.parametrize("count", [60, pytest.param(500, marks=pytest.mark.slow)])
def test_no_flipped_bit_that_changes_content_goes_unseen(tmp_path, write, layout, count):
    original = write(tmp_path / "original.h5", **layout).path
    unseen, places, tally = [original], [None], Counter()
    with Verifier() as verifier:
        for number, (place, flipped) in enumerate(flips(original, count, seed=count)):
            path = tmp_path / f"{number}.h5"
            path.write_bytes(flipped)
            found = verifier.verify(path, seconds=20)
            tally.update({each.kind for each in found} or {"none"})
            if found:
                if number % 20 == 0:  # what scoring calls first
                    with pytest.raises(Error, match=path.name):
                        check_complete(path)
                path.unlink()
            else:
                unseen.append(path)
                places.append(place)
    program = Path(__file__).parent / "content.py"
    ended = subprocess.run(
        [sys.executable, program], input="\n".join(map(str, unseen)), capture_output=True, text=True
    )
    expected, *contents = ended.stdout.splitlines()
    assert len(contents) == len(unseen) - 1
    changed = [place for place, found in zip(places[1:], contents, strict=True) if found != expected]
    assert not changed, f"bytes {changed} changed what the file says, and verify saw nothing"
    assert tally["none"] < count < 4 * (count - tally["none"]), tally
    assert tally["time"] == 0
