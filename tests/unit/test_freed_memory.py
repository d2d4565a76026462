"""Memory that is freed stays with the process."""

import platform
import subprocess
import sys
from unittest import mock

import pytest

from rnnxai.memory import keep_freed_memory
from rnnxai.stages import explain

CODE = """
import sys, torch
from rnnxai.memory import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def heap():
    with open("/proc/self/maps") as maps:
        start, end = next(line for line in maps if "[heap]" in line).split()[0].split("-")
    return int(start, 16), int(end, 16)
block = torch.zeros(6_000_000)
start, end = heap()
inside = start < block.data_ptr() < end
del block
print(inside and heap() == (start, end))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library, which is left as it is")
def test_a_large_block_stays_with_the_process():
    found = {
        kind: subprocess.run([sys.executable, "-c", CODE, kind], capture_output=True, check=True).stdout
        for kind in ("kept", "as it is")
    }
    assert found == {"kept": b"True\n", "as it is": b"False\n"}


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()


def test_extraction_asks_for_it(monkeypatch):
    monkeypatch.setattr(explain, "keep_freed_memory", mock.Mock(side_effect=KeyboardInterrupt))
    case = {"dataset": "digits-maj", "architecture": "deep", "steps": 12, "fold": 0}
    with pytest.raises(KeyboardInterrupt):
        explain.explain_network("data.h5", "net", {}, **case, explainers=[], maps=0, chunk=1)
