"""A small study that runs on a Slurm of this machine, and what can be seen of it while it does."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
from cluster import Cluster
from small_study import Project

T = TypeVar("T")
PATIENCE = 900.0  # seconds: nothing here takes half as long, unless the machine is very busy
IMPATIENT = Path(__file__).with_name("impatient.py")
NETWORK = "digits-maj/shallow/t3"
FOLDS = [0, 1]
EPOCHS = 48
STUDY = {
    "results": "results",
    "datasets": {"digits-maj": {"source": "digits", "folds": 2, "repeats": 1}},
    "experiments": {
        "majority": {
            "datasets": ["digits-maj"],
            "architectures": ["shallow"],
            "steps": [3],
            "folds": FOLDS,
        }
    },
    # A pretended GPU is asked for, and the processor computes.
    "train": {"epochs": EPOCHS, "learning_rate": 0.002, "device": "auto"},
    "train_job": {"checkpoint_seconds": 2},
    "explainers": [["sa", "gb"]],
    "archive": {"maps": 16},
    "figures": {"samples": 2},
    "statistics": {"resamples": 100},
}


class Study(Project):
    """A copy of the project whose study runs on a cluster."""

    def __init__(self, folder: Path, cluster: Cluster, folds: list[int]) -> None:
        super().__init__(folder)
        self.cluster = cluster
        self.folds = folds
        majority = STUDY["experiments"]["majority"] | {"folds": folds}
        self.configure(STUDY | {"experiments": {"majority": majority}})

    def command(self, *arguments: str) -> list[str]:
        study = ["--profile", "profiles/slurm", "--configfile", "study.yaml", "--replace-workflow-config"]
        quick = ["--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "30"]
        return [sys.executable, str(IMPATIENT), *arguments, *study, *quick]

    def environment(self) -> dict[str, str]:
        return super().environment() | self.cluster.environment()

    def with_data_of(self, other: Project) -> "Study":
        """Take the data set from a study that has it, with what Snakemake knows of it."""
        shutil.copytree(other.result("datasets"), self.result("datasets"))
        shutil.copytree(other.folder / ".snakemake" / "metadata", self.folder / ".snakemake" / "metadata")
        return self

    # --- what is going on ------------------------------------------------------------------------------

    def slurm(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def queue(self, *states: str) -> list[str]:
        """Return the jobs of this study's run in some states."""
        note = self.result(".slurm-run")
        if not note.exists():
            return []
        wanted = f"--states={','.join(states)}"
        return self.slurm("squeue", "-h", wanted, f"--name={note.read_text().strip()}", "-o", "%A").split()

    def log(self, fold: int) -> str:
        path = self.result(f"logs/train/{NETWORK}/folds-{fold}.log")
        return path.read_text() if path.exists() else ""

    def epochs(self, fold: int) -> int:
        """Return the last epoch that the present attempt at a fold has finished."""
        return max((int(number) for number in re.findall(r'"epoch": (\d+)', self.log(fold))), default=0)

    def resumed_at(self, fold: int) -> int:
        """Return after which epoch the present attempt at a fold went on, 0 where it began anew."""
        found = re.search(r"going on after epoch (\d+)", self.log(fold))
        return int(found[1]) if found else 0

    def slurm_job(self, fold: int) -> str:
        """Return the Slurm job that trains a fold."""
        (lock,) = self.result(".jobs").glob(f"*folds-{fold}.log.lock")
        return json.loads(lock.read_text())["job"]

    def training(self, fold: int) -> psutil.Process:
        """Return the process that trains a fold."""
        (lock,) = self.result(".jobs").glob(f"*folds-{fold}.log.lock")
        return psutil.Process(json.loads(lock.read_text())["pid"])

    def wait(self, what: Callable[[], T], otherwise: str, running: bool = True) -> T:
        """Wait for a condition while Snakemake runs."""
        deadline = time.monotonic() + PATIENCE
        while not (found := what()):
            state = self.started[-1].poll()
            assert not running or state is None, (
                f"{otherwise}, it ended with {state}:\n{self.said.read_text()}"
            )
            assert time.monotonic() < deadline, f"{otherwise} in time:\n{self.said.read_text()}"
            time.sleep(0.1)
        return found

    def wait_for_epoch(self, fold: int, epoch: int = 2) -> int:
        """Wait until the present attempt at a fold has finished some epoch and more are to come."""
        done = self.wait(lambda: self.epochs(fold) >= epoch and self.epochs(fold), f"no epoch {epoch}")
        assert done < EPOCHS, "too quick: training has ended before the fault could happen"
        return done

    def wait_for_next_attempt(self, fold: int, before: psutil.Process | None) -> int:
        """Wait until another process has gone on with a fold; return after which epoch it began."""

        def went_on() -> bool:
            self.hurry()
            try:
                return self.training(fold) != before and self.epochs(fold) > 0
            except (ValueError, OSError, psutil.NoSuchProcess):
                return False

        self.wait(went_on, f"nobody goes on with fold {fold}")
        return self.resumed_at(fold)

    def hurry(self) -> None:
        """Have jobs that were put back into the queue begin now: Slurm gives them two minutes of rest."""
        for job in self.queue("PENDING"):
            if "Reason=BeginTime" in self.slurm("scontrol", "show", "job", job):
                self.slurm("scontrol", "update", f"jobid={job}", "starttime=now")

    def finish(self) -> str:
        """Wait for the end of the study, which must be a good one; return all it said."""
        code = self.started[-1].wait(timeout=PATIENCE)
        assert code == 0, self.said.read_text()
        return self.said.read_text()

    def agrees_with(self, other: Project) -> None:
        """Compare the scores of all samples, and the networks behind them, byte for byte."""
        for fold in self.folds:
            for folder, stem in (("models", f"fold-{fold}"), ("scores", f"fold-{fold}/sa+gb")):
                for mine in self.result(f"{folder}/{NETWORK}").glob(f"{stem}*"):
                    theirs = other.result(str(mine.relative_to(self.result("."))))
                    assert mine.read_bytes() == theirs.read_bytes(), mine
            assert self.result(f"scores/{NETWORK}/fold-{fold}/sa+gb.scores.csv").exists()
        assert not list(self.result(".").rglob("*.part"))
