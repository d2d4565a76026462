"""A process that examines files, each in a child with limits; :mod:`rnnxai.archive.verify` talks to it.

It reads requests, one JSON object per line, and answers each with a line. It never opens a file itself, so
nothing that a file does to HDF5 outlives the child that read it.
"""

import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

from rnnxai.archive.damage import Damage
from rnnxai.archive.examine import as_json, examine

_ANSWER = 2**20
"""Bytes of the longest answer."""


def main() -> None:
    """Serve until there are no more requests."""
    for line in sys.stdin:
        request = json.loads(line)
        found = _examined(request["path"], request["seconds"], request["memory"])
        sys.stdout.write(f"{json.dumps(found)}\n")
        sys.stdout.flush()


def _examined(path: str, seconds: float, memory: int) -> list[dict[str, Any]]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _be_the_child(path, seconds, memory, writer)
    os.close(writer)
    with open(reader, "rb", buffering=0) as answers:
        answer, in_time = _read(answers.fileno(), time.monotonic() + seconds)
    if not in_time:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not in_time:
        return as_json([Damage("time", "", f"not read to its end in {seconds:g} s")])
    if os.waitstatus_to_exitcode(status) or not answer:
        return as_json([Damage("crash", "", f"reading it ended with {os.waitstatus_to_exitcode(status)}")])
    found: list[dict[str, Any]] = json.loads(answer)
    return found


def _be_the_child(path: str, seconds: float, memory: int, writer: int) -> None:
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        used = _address_space()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
        try:
            found = examine(path)
        except MemoryError:
            found = [Damage("memory", "", f"it needs more than {memory >> 20} MiB")]
        answer = json.dumps(as_json(found[:1000])).encode()
        while answer:
            answer = answer[os.write(writer, answer) :]
        os._exit(0)
    finally:
        os._exit(70)


def _read(descriptor: int, deadline: float) -> tuple[bytes, bool]:
    """Read until the other end is closed; say whether that was in time."""
    answer = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return answer, False
        part = os.read(descriptor, _ANSWER)
        answer += part
        if not part:
            return answer, True


def _address_space() -> int:
    """Return the bytes of address space that this process has now; 4 GiB where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 2**32


if __name__ == "__main__":
    main()
