"""``rnnxai doctor``."""

import textwrap
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rnnxai.cli import codes
from rnnxai.cli.output import WIDTH, as_json
from rnnxai.errors import Error

if TYPE_CHECKING:
    from rnnxai.diagnosis.finding import Finding

DEFAULT = "config.yaml"
INDENT = 30


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--configfile", metavar="FILE", help=f"the study (default {DEFAULT})")
    parser.add_argument("--profile", metavar="FOLDER", default="profiles/slurm", help="of the cluster")
    parser.add_argument("--slurm", action="store_true", help="it is wrong if there is no Slurm")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Look at everything, print a line for each; the exit code says whether anything is wrong."""
    found = []
    for finding in _findings(wanted):
        found.append(finding)
        if not wanted.json:
            print(line(finding), flush=True)
    if wanted.json:
        print(as_json([finding._asdict() for finding in found]))
    return codes.NOT_MET if any(finding.state == "wrong" for finding in found) else codes.OK


def line(finding: "Finding") -> str:
    """Return a finding as text; what to do stands below."""
    text = f"{finding.state:5}  {finding.subject:18}  {finding.found}"
    if finding.advice:
        text += "\n" + textwrap.fill(
            finding.advice,
            WIDTH,
            initial_indent=" " * (INDENT - 3) + "-> ",
            subsequent_indent=" " * INDENT,
            break_long_words=False,
        )
    return text


def _findings(wanted: Namespace) -> Iterator["Finding"]:
    from rnnxai.config import read_config
    from rnnxai.diagnosis import cluster, data, environment, storage
    from rnnxai.diagnosis.finding import Finding

    yield environment.python()
    yield from environment.packages()
    config = None
    if wanted.configfile or Path(DEFAULT).is_file():
        path = wanted.configfile or DEFAULT
        try:
            config = read_config(path)
            yield Finding("configuration", "ok", path)
        except Error as error:
            yield Finding("configuration", "wrong", str(error), f"correct {path}")
    else:
        yield Finding(
            "configuration", "note", "none here; start in the folder of a study, or use --configfile"
        )
    yield environment.device(config.train.device if config else None)
    yield environment.products()
    if config:
        yield from data.sources(config)
    yield from cluster.slurm(wanted.profile, wanted.slurm)
    yield from storage.storage(config.results if config else "results")
