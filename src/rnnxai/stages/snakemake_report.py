"""Have Snakemake report how figures and tables were made."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from rnnxai.errors import Error
from rnnxai.files import replacing


def make_snakemake_report(
    snakefile: str | Path, config: Mapping[str, Any], shown: Sequence[str], path: str | Path
) -> None:
    """Write Snakemake's report of some finished files.

    A second Snakemake is asked for the report, which only reads: it takes no lock and starts no job.

    Parameters
    ----------
    snakefile : str or Path
    config : Mapping
        The configuration of the running workflow.
    shown : sequence of str
        The outputs that the report is about, with everything they were made from.
    path : str or Path
        The HTML file.

    Raises
    ------
    Error
        If Snakemake cannot make it; its own words are passed on.
    """
    with TemporaryDirectory() as folder, replacing(path) as temporary:
        configfile = Path(folder) / "config.yaml"
        configfile.write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
        page = Path(folder) / "report.html"
        command = [sys.executable, "-m", "snakemake", *shown, "--snakefile", str(snakefile)]
        command += ["--configfile", str(configfile), "--replace-workflow-config"]
        command += ["--report", str(page), "--nolock", "--rerun-triggers", "mtime"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own words)
        if done.returncode or not page.exists():
            raise Error(f"Snakemake made no report of {len(shown)} files:\n{done.stderr.strip()}")
        temporary.write_bytes(page.read_bytes())
