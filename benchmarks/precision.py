"""How far maps in float32 are from the same maps in float64, on small networks trained on digits.

The networks and the comparison are those of ``tests/proofs``. Run
``python benchmarks/precision.py [FILE.md]``, with a file to replace the table in it.
"""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import torch

from rnnxai.files import replacing

PROOFS = Path(__file__).resolve().parents[1] / "tests" / "proofs"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"


def table() -> str:
    """Measure, and return the table in Markdown."""
    sys.path.insert(0, str(PROOFS))
    rounding: Any = importlib.import_module("rounding")
    lines = [
        "| network | method | median | 99 % | largest | above 1e-5 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in rounding.NETWORKS:
        for method, errors in rounding.measured(name).errors.items():
            e = errors.of_map
            figures = [e.median(), e.quantile(0.99), e.max()]
            cells = [
                name,
                method,
                *(f"{float(x):.0e}" for x in figures),
                str(int((e > rounding.BOUND).sum())),
            ]
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, nargs="?", help="Markdown file with the table")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    measured = table()
    if wanted.path is not None:
        head, _, rest = wanted.path.read_text(encoding="utf-8").partition(BEGIN)
        _, _, tail = rest.partition(END)
        with replacing(wanted.path) as temporary:
            Path(temporary).write_text(head + BEGIN + measured + END + tail, encoding="utf-8")


if __name__ == "__main__":
    main()
