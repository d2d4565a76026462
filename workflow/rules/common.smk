"""What all stages share: the checked configuration, paths, fingerprints, and what rules ask for."""

import json
import re
import signal
import sys
from dataclasses import asdict
from functools import cache
from math import ceil
from os import environ, pathsep
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

from rnnxai.benchmarks import longest_seconds
from rnnxai.config import check_config
from rnnxai.errors import Error
from rnnxai.files import sha256, write_text
from rnnxai.fingerprint import fingerprint
from rnnxai.locks import check_holder, end_orphans, exclusive, holder_of
from rnnxai.slurm import cancel_run, forget_run, note_run, watch_run
from rnnxai.study import (
    Case,
    Study,
    code_of_architecture,
    code_of_dataset,
    code_of_group,
    code_of_scores,
    may_conserve,
)

# Every job reads these files anew. Snakemake hands it the configuration files, but not --replace-workflow-config,
# without which keys of config.yaml would come in that the study does not have.
WHOLE_CONFIG = "RNNXAI_CONFIG"  # variable by which jobs know the configuration of their study
if not workflow.is_main_process and WHOLE_CONFIG in environ:
    config.clear()
    config.update(json.loads(environ[WHOLE_CONFIG]))

try:
    STUDY = Study(check_config(config))
except Error as error:
    raise WorkflowError(str(error)) from None

CONFIG = STUDY.config
config.update(CONFIG.model_dump(mode="json"))  # jobs see every key, those left out too
environ[WHOLE_CONFIG] = json.dumps(config)
RESULTS = CONFIG.results
LOCKS = f"{RESULTS}/.jobs"
LOCK = f"{RESULTS}/.lock"
SLURM_RUN = f"{RESULTS}/.slurm-run"
HOLDER = "RNNXAI_HOLDER"  # variable by which jobs know which Snakemake has started them

# One network of the study. The fold is a number, or "quality" for the fixed split.
CASE = "{dataset}/{architecture}/t{steps}/fold-{fold}"
ARCHIVES = f"{RESULTS}/archives/{CASE}"
SCORE_FILES = f"{RESULTS}/scores/{CASE}/{{group}}"

WORKFLOW = Path(workflow.basedir) / "workflow"
ENVIRONMENT = str(WORKFLOW / "envs" / "rnnxai.yaml")
# How a job is run, not what it computes.
FRAME = ["rnnxai.stages.job", "rnnxai.stages.stopping", "rnnxai.slurm"]
START_UP = 5  # minutes of a time limit beyond the job's own, for what Snakemake does around it
DAY = 24 * 60  # minutes, which most partitions grant; a training that takes longer is put back and goes on

# Trainings run side by side, each submitted by itself, unless there are so many that the controller of a cluster
# would mind. How many are bundled then is for a profile to say.
TRAININGS = "train" if len(STUDY.stacks) <= 100 else "many_trainings"

# Jobs import the package from here, whichever environment they run in, and plug-ins from where the
# configuration says.
environ["PYTHONPATH"] = pathsep.join(
    [
        str(Path(workflow.basedir) / "src"),
        *(str(Path(folder).resolve()) for folder in CONFIG.python_path),
        *filter(None, [environ.get("PYTHONPATH")]),
    ]
)


wildcard_constraints:
    dataset=r"[a-z0-9][a-z0-9.-]*",
    architecture=r"[a-z0-9][a-z0-9.-]*",
    steps=r"\d+",
    fold=r"\d+|quality",
    group="|".join(map(re.escape, STUDY.groups)),


@cache  # a study of 2,000 jobs asks 1,200 times, for some 40 fingerprints
def code(script, *targets):
    """Fingerprint a script with all the code it reaches, and the registry entries it will load."""
    return fingerprint(WORKFLOW / "scripts" / script, *targets, without=FRAME)


def canonical(value):
    """One text for one value, so that an unchanged setting is seen to be unchanged."""
    return json.dumps(value, sort_keys=True)


def contents(paths):
    """One text for the content of some files."""
    return canonical({path.name: sha256(path) for path in sorted(paths)})


def take_over():
    """Hold the results folder, and end the jobs that outlived a killed Snakemake."""
    try:
        exclusive(LOCK, "snakemake")
        for job in cancel_run(SLURM_RUN):
            print(f"Cancelled Slurm job {job}, whose Snakemake is gone.", file=sys.stderr)
        for job in end_orphans(LOCKS):
            print(f"Ended {job}, whose Snakemake is gone.", file=sys.stderr)
    except Error as error:
        raise WorkflowError(str(error)) from None
    environ[HOLDER] = str(holder_of(LOCK))
    # The Slurm executor gives all its jobs one name. Other executors have no such thing.
    if name := getattr(workflow.scheduler._executor, "run_uuid", None):
        note_run(SLURM_RUN, name)
        watch_run(name, lambda line: print(line, file=sys.stderr, flush=True))


def note_study():
    """Keep the configuration beside the results, where `rnnxai report` looks for it."""
    text = yaml.safe_dump(CONFIG.model_dump(mode="json"), sort_keys=False, default_flow_style=None)
    write_text(f"{RESULTS}/config.yaml", text)


# This file is read by the main Snakemake and once more for every job. A job of a Snakemake that is gone, which
# a cluster starts only now, must not get as far as tidying away what is no longer its own.
if not workflow.is_main_process:
    # Slurm's warning that the time is nearly up goes to all processes of a job. It is meant for the
    # training, and would end the Snakemake that waits for it.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if HOLDER in environ:
        try:
            check_holder(LOCK, environ[HOLDER])
        except Error as error:
            raise WorkflowError(str(error)) from None


# --- data and training -------------------------------------------------------------------------------------


def definition(wildcards):
    return CONFIG.datasets[wildcards.dataset]


def parts_of(network):
    """Data set, architecture and steps of a path such as mnist-maj/deep/t12."""
    dataset, architecture, steps = network.split("/")
    return dataset, architecture, int(steps.removeprefix("t"))


def architecture_of(wildcards):
    """The cell, with its sizes, of the network that a job trains."""
    return STUDY.architecture(parts_of(wildcards.network)[1])


def networks_of(folds):
    """Regular expression of the networks whose given folds are trained as one stack."""
    stacks = (stack for stack in STUDY.stacks if stack.folds == folds)
    return "|".join(re.escape(f"{s.dataset}/{s.architecture}/t{s.steps}") for s in stacks)


def settings_of(wildcards):
    """Training settings of the network that a job trains or explains."""
    network = getattr(wildcards, "network", None) or CASE.format(**wildcards).rpartition("/")[0]
    return STUDY.train_settings(*parts_of(network))


def minutes(unmeasured, pattern, most):
    """Time limit of jobs: ample for the longest of their like that ran here, more at every attempt, up to a most."""

    def of(wildcards, attempt):
        longest = longest_seconds(RESULTS, pattern.format(**wildcards))
        return min(most, attempt * (unmeasured if longest is None else START_UP + ceil(2 * longest / 60)))

    return of


def share_of_a_day(group, jobs=1):
    """Minutes for a job of a bundle, so that the bundle stays within a day; `jobs` of a bundle belong together."""
    return DAY // (jobs * workflow.group_settings.group_components.get(group, 1))


def gpus(wildcards):
    return 0 if settings_of(wildcards).device == "cpu" else 1


def explain_settings(wildcards):
    where = settings_of(wildcards).model_dump(include={"threads", "device"})
    return canonical(CONFIG.archive.model_dump() | where)


def path_of(case):
    """Where a case's files are, inside models/, archives/ and scores/."""
    return CASE.format(**case._asdict())


def every_network():
    return [f"{RESULTS}/models/{path_of(case)}.safetensors" for case in STUDY.cases]


# --- archives ----------------------------------------------------------------------------------------------


def archives_of(group):
    """Paths of a group's archives by the names of its explainers."""
    return {member.name: f"{ARCHIVES}/{member.name}.attribution.h5" for member in STUDY.groups[group]}


def every_archive():
    return [
        path.format(**case._asdict())
        for case in STUDY.cases
        for group in STUDY.groups_of(case)
        for path in archives_of(group).values()
    ]
