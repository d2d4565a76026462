"""How Snakemake bears a study of 2,000 jobs: time and memory of a dry run, and of a run whose work is stubs.

The study is the project's own Snakefile, with scripts that make empty files and a cluster that does nothing
(``benchmarks/stub``), under ``profiles/slurm``. So what is measured is Snakemake and this workflow: reading
rules, fingerprints, the graph of jobs, scheduling, grouping, submitting, and looking for outputs.

Run ``python benchmarks/load.py``; ``--networks 40`` is a tenth of it.
"""

import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from timing import Spread, arguments, machine, show

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURES = (
    *("shallow", "deep", "deep-v2", "conv-deep", "deep-sd", "r-lstm", "r-lstm-sd"),
    *("conv-plus-deep", "conv-r-lstm-sd", "conv-plus-r-lstm-sd"),
)
DATASETS = ("first", "second")
GROUPS = (("sa", "gb", "dtd", "lrp-a1.5b0.5"), ("lrp-eps",))
STUB = """from pathlib import Path

for output in snakemake.output:
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).touch()
"""


def study(networks: int) -> dict[str, Any]:
    """Return a configuration: so many networks, and for each training, explanations and scores by group."""
    folds = max(2, networks // (len(ARCHITECTURES) * len(DATASETS)))
    return {
        "results": "results",
        "datasets": {
            name: {"source": "digits", "folds": folds, "seed": seed} for seed, name in enumerate(DATASETS)
        },
        "experiments": {
            "all": {
                "datasets": list(DATASETS),
                "architectures": list(ARCHITECTURES),
                "steps": [12],
                "folds": list(range(folds)),
            }
        },
        "explainers": [list(group) for group in GROUPS],
    }


def project(folder: Path, networks: int) -> None:
    """Copy the workflow into a folder, with a configuration, and with stubs for scripts."""
    for name in ("src", "workflow", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    for script in (folder / "workflow" / "scripts").glob("*.py"):
        script.write_text(STUB)
    (folder / "study.yaml").write_text(yaml.safe_dump(study(networks)))


def snakemake(folder: Path, *options: str) -> dict[str, float]:
    """Run Snakemake; return the seconds that passed, its CPU seconds and its memory in MB.

    The jobs that Snakemake runs itself, the data sets and pictures, are in the CPU seconds.

    Raises
    ------
    SystemExit
        If it fails.
    """
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm"]
    command += ["--configfile", "study.yaml", "--replace-workflow-config", "--executor", "stub", *options]
    path = os.pathsep.join([str(folder / "src"), str(ROOT / "benchmarks" / "stub")])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with (folder / "said.txt").open("w") as said:
        pid = os.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, said.fileno(), 1), (os.POSIX_SPAWN_DUP2, said.fileno(), 2)],
        )
        _, status, used = os.wait4(pid, 0)
    if status:
        sys.exit((folder / "said.txt").read_text()[-4000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": time.perf_counter() - started,
        "CPU seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "MB": used.ru_maxrss / 1024,
    }


def jobs_of(said: str) -> int:
    """Return how many jobs Snakemake counts, without the one that only names what is wanted."""
    return next(int(line.split()[1]) for line in said.splitlines() if line.startswith("total ")) - 1


def measure(folder: Path, networks: int) -> dict[str, dict[str, float]]:
    """Take one round: a dry run, a run to the end, and a dry run when all is done."""
    project(folder, networks)
    os.chdir(folder)
    found = {"dry run": snakemake(folder, "--dry-run")}
    found["dry run"]["jobs"] = jobs_of((folder / "said.txt").read_text())
    options = ["--seconds-between-status-checks", "1", "--latency-wait", "5"]  # no other machine writes
    found["run of stubs"] = snakemake(folder, *options)
    found["run of stubs"] |= {
        "jobs": jobs_of((folder / "said.txt").read_text()),
        "submissions": len((folder / "submissions.txt").read_text().splitlines()),
    }
    found["dry run, all done"] = snakemake(folder, "--dry-run")
    return found


def summary(rounds: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, Any]]:
    """Return median, smallest and largest of what was measured; numbers of jobs as they are."""
    return {
        row: {
            key: values[key]
            if key in ("jobs", "submissions")
            else Spread.of([measured[row][key] for measured in rounds])
            for key in values
        }
        for row, values in rounds[0].items()
    }


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--networks", type=int, default=400, help="each is five jobs (default 400)")
    wanted = parser.parse_args()
    rounds = []
    for _ in range(wanted.rounds):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(measure(Path(folder), wanted.networks))
            os.chdir(ROOT)
    show(
        f"Snakemake on a study of {rounds[0]['dry run']['jobs']:,.0f} jobs",
        machine("snakemake"),
        summary(rounds),
        wanted.json,
    )


if __name__ == "__main__":
    main()
