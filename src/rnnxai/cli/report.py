"""``rnnxai report``."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from rnnxai.cli.output import as_json

if TYPE_CHECKING:
    from rnnxai.study import Study

CONFIG, PAGE = "config.yaml", "report-so-far.html"
"""What the workflow notes in a results folder when it starts, and what this command writes there."""


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "results", metavar="RESULTS", type=Path, help="results folder of a study, such as results"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"configuration of the study (default: RESULTS/{CONFIG}, which the workflow keeps)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help=f"the page (default: RESULTS/{PAGE})")
    parser.add_argument(
        "--captions",
        type=Path,
        metavar="FOLDER",
        help="captions of figures and tables, NAME.rst (default: workflow/report, where there is one)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Write a page of what there is, and say what became of the study."""
    from rnnxai.report.page import write_page

    study = _study(wanted.results, wanted.config or wanted.results / CONFIG)
    page = wanted.output or wanted.results / PAGE
    matrix = write_page(study, page, captions=wanted.captions or _captions(), partial=True)
    counts = {state.value: number for state, number in matrix.counts.items()}
    if wanted.json:
        missing = [
            {
                **key.case._asdict(),
                "explainer": key.explainer,
                "state": found.state.value,
                "reason": found.reason,
            }
            for key, found in matrix.unfinished.items()
        ]
        print(
            as_json({"page": str(page), "complete": matrix.complete, "cells": counts, "unfinished": missing})
        )
    else:
        told = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
        print(f"{page}: of {sum(counts.values())} cells {told}")
    return 0


def _study(results: Path, config: Path) -> "Study":
    from rnnxai.config import read_config
    from rnnxai.errors import Error
    from rnnxai.study import Study

    if not results.is_dir():
        raise Error(f"{results}: no such folder; the results folder of a study would be right")
    if not config.is_file():
        raise Error(f"{config}: no such file; name the configuration of the study with --config")
    # Where the results were and images came from does not matter to who looks at them.
    return Study(read_config(config, {"results": str(results), "data": {}}))


def _captions() -> Path | None:
    folders = (Path("workflow", "report"), Path(__file__).parents[3] / "workflow" / "report")
    return next((folder for folder in folders if folder.is_dir()), None)
