"""What tests of faults have seen, put together as docs/reliability.md.

A test says which fault it provoked and what came of it (:meth:`Record.add`), and pytest's cache keeps that;
``make reliability`` runs all of them and writes the page. A plain run of the tests writes no page.
"""

import os
import time
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
FAULTS = {
    1: "`scancel` of a running job",
    2: "a job cancelled in the queue",
    3: "`kill -9` of a job's process",
    4: "`kill -9` of Snakemake, then the same command again",
    5: "the same, while its Slurm jobs still run",
    6: "`slurmd` down for a while",
    7: "`slurmctld` restarted",
    8: "a job over its memory",
    9: "a job over its time",
    10: "a full disk",
    11: "a truncated checkpoint",
    12: "a bit-flipped archive",
    13: "two Snakemakes at once",
    14: "the data set file changed under a running study",
    15: "NaN in training",
    16: "three preemptions at random moments",
    17: "a node on which no job can be launched",
}
HEAD = """\
# Reliability

Every fault below was provoked in a small study of handwritten digits, 1 to 9, 16 and 17 on a real Slurm
(`tools/slurm/up`). Each ended in the same scores, byte for byte, as an undisturbed run, or in a refusal that
names the cause and leaves nothing half-written. `make reliability` provokes them again and writes this page;
`make test` provokes them too. Times are from the fault until the work that it hit went on, or until the
refusal. They are of a machine with {cores} cores that had other things to do, and most of them is Snakemake
starting. Some waits are shorter in the tests than elsewhere: a job that is put back into Slurm's queue rests
two minutes there; Snakemake asks for its jobs ever more rarely, up to every three minutes, and for those
that Slurm holds (17) once a minute. The time of 10 and 11 is that of all that was left to do.

| | fault | what happened | what was lost | time to recover |
| --: | --- | --- | --- | --: |
"""
TAIL = """
What stands behind it: [architecture.md](architecture.md#what-breaks-and-what-happens-then). The tests:
`tests/slurm/` for 1 to 9, 16 and 17, `tests/workflow/` for the others.
"""


class Record:
    """What became of each fault when it was provoked last."""

    def __init__(self, cache: pytest.Cache) -> None:
        self.cache = cache

    def add(self, fault: int, happened: str, lost: str, since: float) -> None:
        """Note what a fault led to; `since` is when it was provoked, on the clock of time.monotonic."""
        self.cache.set(f"reliability/{fault}", [happened, lost, time.monotonic() - since])

    def write(self, page: Path = PAGE) -> None:
        """Write the page, which needs every fault."""
        rows = {fault: self.cache.get(f"reliability/{fault}", None) for fault in FAULTS}
        if missing := [fault for fault, row in rows.items() if row is None]:
            raise AssertionError(f"no test has told of faults {missing}; the page is not written")
        lines = [
            f"| {number} | {fault} | {happened} | {lost} | {seconds:.0f} s |\n"
            for number, fault in FAULTS.items()
            for happened, lost, seconds in [rows[number]]
        ]
        head = HEAD.format(cores=len(os.sched_getaffinity(0)))
        page.write_text(head + "".join(lines) + TAIL, encoding="utf-8")
