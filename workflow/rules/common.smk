"""What all stages share: the checked configuration, paths, fingerprints."""

import json
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from rnnxai.config import check_config
from rnnxai.errors import Error
from rnnxai.fingerprint import fingerprint
from rnnxai.locks import end_orphans, exclusive
from rnnxai.study import Case, Study, code_of_architecture, code_of_group

try:
    STUDY = Study(check_config(config))
except Error as error:
    raise WorkflowError(str(error)) from None

CONFIG = STUDY.config
RESULTS = CONFIG.results
LOCKS = f"{RESULTS}/.jobs"

# One network of the study. The fold is a number, or "quality" for the fixed split.
CASE = "{dataset}/{architecture}/t{steps}/fold-{fold}"
THREADS = CONFIG.train.threads
GPUS = 0 if CONFIG.train.device == "cpu" else 1

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
FRAME = ["rnnxai.stages.job", "rnnxai.config"]  # how a job is run, not what it computes


wildcard_constraints:
    dataset=r"[a-z0-9][a-z0-9.-]*",
    architecture=r"[a-z0-9][a-z0-9.-]*",
    steps=r"\d+",
    fold=r"\d+|quality",


def code(script, *targets):
    """Fingerprint a script with all the code it reaches, and the registry entries it will load."""
    return fingerprint(SCRIPTS / script, *targets, without=FRAME)


def canonical(value):
    """One text for one value, so that an unchanged setting is seen to be unchanged."""
    return json.dumps(value, sort_keys=True)


def path_of(case):
    """Where a case's files are, inside models/, archives/ and scores/."""
    return CASE.format(**case._asdict())


def take_over(results):
    """Hold the results folder, and end the jobs that outlived a killed Snakemake."""
    try:
        exclusive(f"{results}/.lock", "snakemake")
        for job in end_orphans(LOCKS):
            print(f"Ended {job}, whose Snakemake is gone.", file=sys.stderr)
    except Error as error:
        raise WorkflowError(str(error)) from None
