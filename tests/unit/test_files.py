import hashlib
import os
import stat
import subprocess
import sys

import pytest

from rnnxai.files import replacing, sha256, write_text


def test_a_finished_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "new" / "folder" / "scores.csv"
    for text in ("first", "zweite Fassung: ä\n"):
        write_text(path, text)
        assert path.read_bytes() == text.encode("utf-8")
    assert list(path.parent.iterdir()) == [path]


def test_nothing_is_seen_before_the_end(tmp_path):
    path = tmp_path / "scores.csv"
    with replacing(path) as temporary:
        temporary.write_text("half")
        assert temporary.parent == tmp_path and temporary.name.startswith(".")
        assert not path.exists()
    assert path.read_text() == "half"


@pytest.mark.parametrize("old", [None, "old"])
def test_a_failed_write_leaves_everything_as_it_was(tmp_path, old):
    path = tmp_path / "scores.csv"
    if old is not None:
        path.write_text(old)
    before = list(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == before
    assert old is None or path.read_text() == old


def test_what_a_killed_writer_left_is_swept_up(tmp_path):
    path = tmp_path / "scores.csv"
    code = f"""
import os, signal
from rnnxai.files import replacing
with replacing({str(path)!r}) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    (left_over,) = tmp_path.iterdir()
    assert left_over != path
    neighbour = tmp_path / ".other.csv.abc.part"
    neighbour.touch()
    write_text(path, "whole")
    assert set(tmp_path.iterdir()) == {path, neighbour}


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "file", "")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_sha256_is_the_standard_one(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()
