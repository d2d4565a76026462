"""What the profile for Slurm asks for; that needs no Slurm. tests/slurm/ has the jobs themselves."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from small_study import STUDY, Project

pytestmark = pytest.mark.workflow


class Profile(Project):
    """A study that is planned for Slurm."""

    def command(self, *arguments: str) -> list[str]:
        study = ["--profile", "profiles/slurm", "--configfile", "study.yaml", "--replace-workflow-config"]
        return [sys.executable, "-m", "snakemake", *arguments, *study]

    def jobs(self) -> dict[str, str]:
        """Return what a dry run says of the first job of each rule."""
        code, said = self.snakemake("--dry-run")
        assert code == 0, said
        return dict(reversed(described(said)))


def described(said: str) -> list[tuple[str, str]]:
    """Return the rule of each job and what is said of it."""
    return re.findall(r"^ *(?:local)?rule (\w+):\n((?: +\w+: .*\n)+)", said, re.MULTILINE)


@pytest.fixture
def project(tmp_path: Path) -> Profile:
    project = Profile(tmp_path)
    project.configure(STUDY | {"train": STUDY["train"] | {"device": "cuda"}})
    return project


def test_jobs_ask_for_what_they_need(project: Profile) -> None:
    jobs = project.jobs()
    assert {rule for rule, said in jobs.items() if "gpu=1" in said} == {
        "train_0",
        "explain_sa_gb",
        "explain_dtd",
    }
    assert "runtime=240" in jobs["train_0"]  # nothing is measured yet
    assert "--signal=USR1@" in jobs["train_0"]


def test_jobs_have_the_configuration_of_their_study(
    project: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that only config.yaml has are none of it, but jobs are not told --replace-workflow-config."""
    monkeypatch.setenv("RNNXAI_CONFIG", json.dumps(STUDY | {"explainers": [["lrp-eps"]]}))
    as_a_job = ["--dry-run", "--mode", "remote", "--profile", "none", "--cores", "1"]
    command = [sys.executable, "-m", "snakemake", *as_a_job]
    said = subprocess.run(
        command, cwd=project.folder, env=project.environment(), capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    explained = {rule for rule, _ in described(said.stdout + said.stderr) if rule.startswith("explain")}
    assert explained == {"explain_lrp_eps"}


def test_time_limits_come_from_what_was_measured(project: Profile) -> None:
    for network, seconds in {"digits-maj/shallow/t3": 600, "digits-maj/r-lstm/t3": 1200}.items():
        path = project.result(f"benchmarks/train/{network}/folds-1.tsv")
        path.parent.mkdir(parents=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t-\t-\n")
    code, said = project.snakemake("--dry-run", "--until", "train_0")
    assert code == 0, said
    texts = [text for rule, text in described(said) if rule == "train_0"]
    limits = [int(limit) for text in texts for limit in re.findall(r"runtime=(\d+)", text)]
    assert sorted(limits) == [25, 45]


def test_the_site_files_are_what_the_executor_reads(project: Profile) -> None:
    partitions = pytest.importorskip("snakemake_executor_plugin_slurm.partitions")
    settings = yaml.safe_load((project.folder / "profiles/slurm/config.yaml").read_text())
    found = partitions.read_partition_file(project.folder / settings["slurm-partition-config"])
    assert [each.limits.max_gpu for each in found] == [0, 4]
