"""``rnnxai reproduction``."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rnnxai.cli.output import as_json


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=Path("config.yaml"),
        help="configuration of the study (default: config.yaml)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Write the page of the reproduction from the book of runs, whatever has run so far."""
    from rnnxai.config import read_config
    from rnnxai.stages.reproduction import write_reproduction
    from rnnxai.study import Study

    # Where images come from does not matter to numbers that are there.
    page, compared = write_reproduction(Study(read_config(wanted.config, {"data": {}})))
    counts = {str(verdict): int(number) for verdict, number in compared["verdict"].value_counts().items()}
    if wanted.json:
        print(as_json({"page": str(page), "numbers": counts}))
    else:
        print(f"{page}: {', '.join(f'{number} {verdict}' for verdict, number in counts.items())}")
    return 0
