"""A program of its own: Snakemake with all its arguments, and an ear on what it says.

``python -m rnnxai.planning._snakemake FILE ARGUMENTS`` runs ``snakemake ARGUMENTS`` and writes to FILE, as
one JSON object, the jobs that it would run, the configuration it found, and what it complains of.
Snakemake's messages carry their content as data (``LogEvent``), so no text is taken apart.
"""

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snakemake.cli import main as snakemake
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

import rnnxai.config
from rnnxai.config import Config

RESOURCES = ("mem_mb", "runtime", "gpu")


class Ear(logging.Filter):
    """Hears all that Snakemake says and lets it pass.

    It is a filter, since Snakemake replaces the handlers of its logger when it starts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self.groups = 0
        self.config: dict[str, Any] | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Note a job, a group of jobs or an error."""
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            self.jobs.append(_job(record))
        elif event == LogEvent.GROUP_INFO:
            self.groups += 1
        elif record.levelno >= logging.ERROR:
            self.errors.append(record.getMessage())
        return True

    def check_config(self, values: Mapping[str, Any]) -> Config:
        """Check a configuration as always, and note it."""
        config = _check_config(values)
        self.config = config.model_dump(mode="json")
        return config


_check_config = rnnxai.config.check_config


def _job(record: logging.LogRecord) -> dict[str, Any]:
    said = vars(record)
    resources = {name: said["resources"].get(name) for name in RESOURCES}
    return {
        "rule": said["rule_name"],
        "wildcards": dict(said["wildcards"] or {}),
        "inputs": [str(path) for path in said["input"] or ()],
        "outputs": [str(path) for path in said["output"] or ()],
        "benchmark": said["benchmark"],
        "reason": said["reason"],
        "threads": said["threads"] if isinstance(said["threads"], int) else 1,
        "resources": {name: value for name, value in resources.items() if isinstance(value, int)},
        "grouped": bool(said["indent"]),
    }


def main() -> None:
    """Run Snakemake, and write down what was heard."""
    path, *arguments = sys.argv[1:]
    ear = Ear()
    logger.addFilter(ear)
    rnnxai.config.check_config = ear.check_config  # the Snakefile checks the configuration by this
    sys.argv[0] = "snakemake"
    code: object = 0
    try:
        snakemake(arguments)
    except SystemExit as end:
        code = end.code
    heard = {"code": code, "jobs": ear.jobs, "groups": ear.groups, "errors": ear.errors, "config": ear.config}
    Path(path).write_text(json.dumps(heard), encoding="utf-8")


if __name__ == "__main__":
    main()
