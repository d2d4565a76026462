"""Full disks, damaged files and numbers that are none: refused by name, and mended by another run."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from reliability import Record
from small_study import PATIENCE, STUDY, Project

from rnnxai.data.dataset import build_dataset
from rnnxai.data.definition import DatasetDefinition

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(3600)]

SHALLOW = "digits-maj/shallow/t3"
# Mounts a small disk where only the command after it sees it.
OWN_MOUNTS = ["unshare", "--map-root-user", "--mount", "sh", "-ec"]


@pytest.fixture
def project(tmp_path: Path, finished: Project) -> Project:
    """Return a study that has its data set already, and nothing else."""
    project = Project(tmp_path)
    shutil.copytree(finished.result("datasets"), project.result("datasets"))
    shutil.copytree(finished.folder / ".snakemake" / "metadata", tmp_path / ".snakemake" / "metadata")
    return project


def same_scores(project: Project, finished: Project) -> None:
    for name in ("scores", "summary"):
        path = f"scores/{name}.csv"
        assert project.result(path).read_bytes() == finished.result(path).read_bytes()


def refused(project: Project, *arguments: str) -> str:
    """Run a study that must fail, and return what it said."""
    code, said = project.snakemake(*arguments)
    assert code != 0, said
    assert "this is a bug" not in said, said
    assert not list(project.result(".").rglob("*.part"))
    return said


def test_a_full_disk_is_named_and_leaves_nothing_half_written(
    project: Project, finished: Project, reliability: Record
) -> None:
    if (
        shutil.which("unshare") is None
        or subprocess.run([*OWN_MOUNTS, "mount -t tmpfs none /mnt"]).returncode
    ):
        pytest.skip("no disk can be mounted here (unshare --map-root-user --mount)")
    shutil.rmtree(project.result("datasets"))
    mib = sum(path.stat().st_size for path in finished.result(".").rglob("*") if path.is_file()) / 2**20
    run = " ".join([*project.command("--until", "summary"), ">>said.txt 2>&1"])
    script = f"""
        mount -t tmpfs -o size={int(mib * 256)}k none results
        {run} && exit 3
        find results -name '*.part' >left.txt
        find results -name '*.h5' >written.txt
        date +%s.%N >fault.txt
        mount -o remount,size=1g results
        {run}
        date +%s.%N >mended.txt
        cp results/scores/*.csv .
    """
    done = subprocess.run(
        [*OWN_MOUNTS, script], cwd=project.folder, env=project.environment(), capture_output=True, text=True
    )
    said = project.said.read_text()
    assert done.returncode == 0, said + done.stderr
    assert "no space left for what this job writes" in said
    assert "this is a bug" not in said
    assert (project.folder / "left.txt").read_text() == ""
    for name in ("scores", "summary"):
        mine = (project.folder / f"{name}.csv").read_bytes()
        assert mine == finished.result(f"scores/{name}.csv").read_bytes()
    seconds = float((project.folder / "mended.txt").read_text()) - float(
        (project.folder / "fault.txt").read_text()
    )
    reliability.add(
        10,
        "the jobs that met it said so and left no file; with room again, the same command went on to the end",
        "the files that did not fit",
        time.monotonic() - seconds,
    )


def test_a_truncated_checkpoint_is_not_gone_on_from(
    project: Project, finished: Project, reliability: Record
) -> None:
    process = project.start("--until", "summary")
    log = project.result(f"logs/train/{SHALLOW}/folds-0.log")
    checkpoint = project.result(f"checkpoints/{SHALLOW}/folds-0.safetensors")
    deadline = time.monotonic() + PATIENCE
    while not (checkpoint.exists() and log.exists()):
        assert process.poll() is None, project.said.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.terminate()  # Snakemake ends the job, or waits for its end
    process.wait(timeout=PATIENCE)
    project.result(f"models/{SHALLOW}/fold-0.safetensors").unlink(missing_ok=True)
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2])
    fault = time.monotonic()
    project.run("--until", "summary")
    assert f"starting anew: checkpoint {checkpoint.relative_to(project.folder)} is damaged" in log.read_text()
    reliability.add(11, "training says that it is damaged and starts anew", "that training's epochs", fault)
    same_scores(project, finished)


def test_a_bit_flipped_archive_is_named_and_rebuilt_and_never_scored(
    project: Project, finished: Project, reliability: Record
) -> None:
    project.run("--until", "explain_dtd", "explain_sa_gb")
    archive = project.result(f"archives/{SHALLOW}/fold-0/dtd.attribution.h5")
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 4
    archive.write_bytes(content)
    fault = time.monotonic()
    said = refused(project, "--until", "summary")
    name = archive.relative_to(project.folder)
    assert f"{name}: " in said
    assert "Nothing was scored" in said
    assert not archive.exists()
    assert not project.result(f"scores/{SHALLOW}/fold-0/dtd.scores.csv").exists()
    project.run("--until", "summary")
    assert (
        archive.read_bytes() == finished.result(f"archives/{SHALLOW}/fold-0/dtd.attribution.h5").read_bytes()
    )
    reliability.add(12, "scoring named it and set it aside; the next run made it anew", "that archive", fault)
    same_scores(project, finished)


def test_a_data_set_that_changes_meanwhile_is_noticed(
    project: Project, finished: Project, reliability: Record
) -> None:
    dataset, kept, other = (project.result(f"datasets/digits-maj.{end}") for end in ("h5", "kept", "other"))
    settings = yaml.safe_load((project.folder / "study.yaml").read_text())["datasets"]["digits-maj"]
    build_dataset(DatasetDefinition(**settings, seed=1), other)
    process = project.start("--until", "summary")
    logs = [project.result(f"logs/train/digits-maj/{each}/t3/folds-0.log") for each in ("shallow", "r-lstm")]
    deadline = time.monotonic() + PATIENCE
    while not all(log.exists() and "epoch" in log.read_text() for log in logs):
        assert process.poll() is None, project.said.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    dataset.rename(kept)
    other.rename(dataset)
    fault = time.monotonic()
    assert process.wait(timeout=PATIENCE) != 0
    said = project.said.read_text()
    assert f"datasets/digits-maj.h5: not the data set file that results/models/{SHALLOW}" in said
    assert not list(project.result(".").glob("archives/**/*.h5"))
    reliability.add(14, "explanations of networks trained on the other one were refused", "nothing", fault)
    kept.replace(dataset)
    project.run("--until", "summary")
    same_scores(project, finished)


def test_a_loss_that_is_no_number_is_named(project: Project, reliability: Record) -> None:
    project.configure(STUDY | {"train": STUDY["train"] | {"learning_rate": 1e30}})
    fault = time.monotonic()
    said = refused(project, "--until", "summary")
    assert "fold 0 became" in said
    assert "in epoch 1, batch " in said
    for stage in ("models", "archives", "scores"):
        assert not [path for path in project.result(".").glob(f"{stage}/**/*") if path.is_file()]
    reliability.add(
        15, "training stopped and named fold, epoch and batch; nothing was scored", "nothing", fault
    )
