"""How far the engine is from the slow float64 reference in ``tests/oracles``, for every method.

The error of a map is its largest difference to the reference's, relative to the largest value. What is
written is the largest over tiny networks of every architecture with 1, 2, 4 and 12 steps, in float64.

Run ``python benchmarks/reference_error.py [FILE.csv]``; without a file the table is only printed.
"""

import argparse
import csv
import importlib
import sys
from pathlib import Path
from typing import Any

import torch

from rnnxai.files import replacing

ORACLES = Path(__file__).resolve().parents[1] / "tests" / "oracles"
COLUMNS = ("method", "error", "network", "networks")


def largest_errors() -> list[dict[str, Any]]:
    """Return a row for each method: the largest error, on which network, and of how many networks."""
    sys.path.insert(0, str(ORACLES))
    comparison = importlib.import_module("comparison")
    rows: dict[str, dict[str, Any]] = {}
    for architecture, steps in comparison.networks_compared():
        for method, error in comparison.errors_of(architecture, steps).items():
            row = rows.setdefault(method, {"method": method, "error": -1.0, "network": "", "networks": 0})
            row["networks"] += 1
            if error > row["error"]:
                row.update(error=error, network=f"{architecture}, T = {steps}")
    return list(rows.values())


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, nargs="?", help="CSV file to write")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row | {"error": f"{row['error']:.1e}"} for row in largest_errors()]
    for row in rows:
        print(f"{row['method']:24} {row['error']}   {row['network']:32} worst of {row['networks']} networks")
    if wanted.path is not None:
        with replacing(wanted.path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
