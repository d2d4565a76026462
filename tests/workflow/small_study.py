"""A small study in a copy of the project, so that code can be edited and jobs can be killed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

PATIENCE = 1500  # seconds for a study of a minute or two, on a machine that may be very busy
ROOT = Path(__file__).parents[2]
STUDY = {
    "results": "results",
    "datasets": {"digits-maj": {"source": "digits", "folds": 2}},
    "experiments": {
        "majority": {
            "datasets": ["digits-maj"],
            "architectures": ["shallow", "r-lstm"],
            "steps": [3],
            "folds": [0],
        }
    },
    "train": {"epochs": 3, "learning_rate": 0.002},
    "explainers": [["sa", "gb"], ["dtd"]],
    "archive": {"maps": 64},
    "figures": {"samples": 2},
    "statistics": {"resamples": 100},
}


class Project:
    """A copy of the project with a small study in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen] = []
        for name in ("src", "workflow", "profiles"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("Snakefile", "config.yaml"):
            shutil.copy(ROOT / name, folder)
        self.configure(STUDY)

    def configure(self, study: dict) -> None:
        self._replace(self.folder / "study.yaml", yaml.safe_dump(study))

    def command(self, *arguments: str) -> list[str]:
        study = ["--profile", "profiles/local", "--configfile", "study.yaml", "--replace-workflow-config"]
        return [sys.executable, "-m", "snakemake", *study, "--cores", "2", *arguments]

    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(self.folder / "src"), "OMP_NUM_THREADS": "1"}

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start Snakemake and return at once. What it says goes to a file, which orphans may hold open."""
        with self.said.open("w") as said:
            process = subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=self.environment(),
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        self.started.append(process)
        return process

    @property
    def said(self) -> Path:
        """What the last Snakemake said."""
        return self.folder / "said.txt"

    def snakemake(self, *arguments: str) -> tuple[int, str]:
        """Run Snakemake to its end; return its exit code and all it said."""
        process = self.start(*arguments)
        try:
            code = process.wait(timeout=PATIENCE)
        finally:
            process.kill()
        return code, self.said.read_text()

    def run(self, *arguments: str) -> str:
        """Run the study, which must succeed."""
        code, output = self.snakemake(*arguments)
        assert code == 0, output
        return output

    def planned(self) -> set[str]:
        """Return the outputs, below results/, of all jobs that would run."""
        code, output = self.snakemake("--dry-run")
        assert code == 0, output
        lines = re.findall(r"^ +output: (.*)$", output, re.MULTILINE)  # those of a group are further in
        return {path.removeprefix("results/") for line in lines for path in line.split(", ")}

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text()
        assert old in text, f"{path} no longer holds {old!r}"
        self._replace(file, text.replace(old, new, 1))

    @staticmethod
    def _replace(file: Path, text: str) -> None:
        file.unlink(missing_ok=True)  # it may be a hard link to what is kept
        file.write_text(text)

    def result(self, path: str) -> Path:
        return self.folder / "results" / path

    def outputs(self) -> set[str]:
        """Return all outputs there are, below results/."""
        results = self.folder / "results"
        stages = ("datasets", "models", "archives", "scores", "figures", "tables")
        files = (path for stage in stages for path in (results / stage).rglob("*") if path.is_file())
        return {str(path.relative_to(results)) for path in files} | {"report.html", "snakemake-report.html"}

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Put code, configuration and results back as they were when the block ends."""
        kept = self.folder / "kept"
        shutil.copytree(self.folder, kept, copy_function=os.link, ignore=shutil.ignore_patterns(".snakemake"))
        try:
            yield
        finally:
            for name in ("src", "workflow", "results"):
                shutil.rmtree(self.folder / name)
                (kept / name).rename(self.folder / name)
            (kept / "study.yaml").replace(self.folder / "study.yaml")
            shutil.rmtree(kept)


def matching(paths: set[str], patterns: Sequence[str]) -> set[str]:
    """Return the paths that match any of some patterns, with * for anything but a slash."""
    expressions = [re.escape(pattern).replace(r"\*", "[^/]*") for pattern in patterns]
    return {path for path in paths if any(re.fullmatch(expression, path) for expression in expressions)}
