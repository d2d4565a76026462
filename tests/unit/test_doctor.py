"""The doctor: what is found, what is advised, and the exit code."""

import json
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import yaml

from rnnxai.cli.codes import NOT_MET, OK
from rnnxai.cli.main import main
from rnnxai.cli.output import WIDTH
from rnnxai.config import check_config
from rnnxai.diagnosis import cluster, environment, storage
from rnnxai.diagnosis.data import sources
from rnnxai.locks import job_lock

STUDY = {
    "datasets": {"digits-maj": {"source": "digits"}},
    "experiments": {
        "one": {"datasets": ["digits-maj"], "architectures": ["shallow"], "steps": [3], "folds": [0]}
    },
    "explainers": [["sa"]],
}
SINFO = "cpu|up|1-00:00:00|(null)\ngpu|up|1-00:00:00|gpu:2(S:0)"
ACCOUNTING = "AccountingStorageType = accounting_storage/slurmdbd"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A folder with a small study, which the program is started in; no Slurm is in sight."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(STUDY))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    return tmp_path


@pytest.fixture
def slurm(study, monkeypatch):
    """Return a function that puts a Slurm there which answers as told."""

    def install(sinfo=SINFO, config="", sacct=True, profile=None, partitions=("cpu", "gpu"), answers=True):
        programs = study / "bin"
        programs.mkdir()
        said = {"sinfo": sinfo, "scontrol": config, "squeue": "", "sbatch": "", "scancel": ""}
        for name, text in said.items() | ({("sacct", "")} if sacct else set()):
            (programs / name).write_text(
                f"#!{sys.executable}\nprint('''{text}''')\nraise SystemExit({int(not answers)})\n"
            )
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(programs))
        folder = study / "profiles" / "slurm"
        folder.mkdir(parents=True)
        partitions_file = folder / "partitions.yaml"
        partitions_file.write_text(yaml.safe_dump({"partitions": {name: {} for name in partitions}}))
        settings = {"slurm-partition-config": str(partitions_file)} | (profile or {})
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        return {finding.subject: finding for finding in cluster.slurm(folder)}

    return install


def doctor(capsys, *words):
    code = main(["doctor", "--json", *words])
    found = json.loads(capsys.readouterr().out)
    assert code == (NOT_MET if any(finding["state"] == "wrong" for finding in found) else OK)
    return code, {finding["subject"]: finding for finding in found}


def test_a_sound_study(study, capsys):
    code, found = doctor(capsys)
    assert code == OK
    assert list(found) == [
        "python",
        "packages",
        "configuration",
        "device",
        "matrix products",
        "data digits",
        "slurm",
        "disk",
        "file locks",
        "results",
    ]
    assert found["data digits"]["found"] == "1,797 images"
    assert found["slurm"]["found"] == "there is none; studies run on this machine"
    assert list(study.iterdir()) == [study / "config.yaml"], "it leaves nothing behind"


def test_lines_are_narrow_and_failures_have_advice(study, capsys):
    assert main(["doctor", "--slurm"]) == NOT_MET
    text = capsys.readouterr().out
    assert "wrong  slurm               sbatch, squeue, scancel, sinfo, scontrol not on PATH" in text
    lines = text.splitlines()
    wrong = next(number for number, line in enumerate(lines) if line.startswith("wrong"))
    assert lines[wrong + 1].strip().startswith("-> ")
    advice = [line for line in lines if line.startswith(" ")]
    assert max(map(len, advice)) <= WIDTH


def test_no_study_here(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, found = doctor(capsys)
    assert code == OK
    assert found["configuration"]["state"] == "note"


def test_a_wrong_configuration_is_one_finding(study, capsys):
    (study / "config.yaml").write_text(yaml.safe_dump(STUDY | {"explainer": []}))
    code, found = doctor(capsys)
    assert code == NOT_MET
    assert found["configuration"]["state"] == "wrong"
    assert "explainer: unknown key" in found["configuration"]["found"]
    assert found["disk"]["state"] != "wrong", "the rest is looked at all the same"


# --- environment -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needed", "message"),
    [
        ("numpy>=99", "; >=99 is needed"),
        ("no-such-package-of-ours>=1", "no-such-package-of-ours is not installed; >=1 is needed"),
        ('snakemake>=99; extra == "workflow"', "; >=99 is needed"),
    ],
)
def test_packages_that_do_not_fit(monkeypatch, needed, message):
    monkeypatch.setattr(
        environment, "requires", lambda _: [needed, 'nothing>=99; extra == "test"', "h5py>=3"]
    )
    wrong, right = environment.packages()
    assert wrong.state == "wrong"
    assert message in wrong.found
    assert wrong.advice.startswith("pip install '")
    assert right.found.startswith("1 of 2 are as needed")


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(environment, "OLDEST_PYTHON", (4, 0))
    assert environment.python().advice == "use Python 4.0 or newer"


@pytest.mark.parametrize(
    ("wanted", "built_with", "state"),
    [("cpu", None, "ok"), ("cuda", None, "wrong"), ("cuda", "12.8", "note"), ("auto", "12.8", "ok")],
)
def test_the_device(monkeypatch, wanted, built_with, state):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built_with)
    found = environment.device(wanted)
    assert found.state == state
    assert bool(found.advice) == (wanted == "cuda")


def test_matrix_products_are_named():
    assert environment.products().found.split()[0] in ("default", "onednn")


# --- data --------------------------------------------------------------------------------------------------


def mnist(root: Path, download: bool):
    data = {"root": str(root), "download": download}
    experiment = STUDY["experiments"]["one"] | {"datasets": ["maj"]}
    config = STUDY | {
        "data": data,
        "datasets": {"maj": {"source": "mnist"}},
        "experiments": {"one": experiment},
    }
    (finding,) = sources(check_config(config))
    return finding


def test_missing_data_will_be_downloaded_or_are_missing(tmp_path):
    assert mnist(tmp_path, download=True).state == "note"
    found = mnist(tmp_path, download=False)
    assert found.state == "wrong"
    assert "should hold train-images-idx3-ubyte" in found.found
    assert "point the data folder to where the files are" in found.advice


def test_altered_data_are_wrong_even_if_they_could_be_downloaded(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").write_bytes(b"altered")
    found = mnist(tmp_path, download=True)
    assert found.state == "wrong"
    assert "does not hold the published data" in found.found
    assert found.advice == "delete the file and fetch it anew"


# --- the cluster -------------------------------------------------------------------------------------------


def test_a_slurm_that_fits(slurm):
    found = slurm(profile={"slurm-status-command": "squeue"})
    assert {finding.state for finding in found.values()} == {"ok"}
    assert found["slurm"].found.endswith("partitions cpu, gpu")
    assert found["slurm GPUs"].found == "in gpu"
    assert found["slurm accounting"].found == "none; the profile asks squeue"


@pytest.mark.parametrize(
    ("settings", "subject", "state", "advice"),
    [
        ({"profile": {"slurm-status-command": "sacct"}}, "slurm accounting", "wrong", "squeue"),
        ({"profile": {}}, "slurm accounting", "wrong", "squeue"),
        ({"profile": {}, "sacct": False}, "slurm accounting", "ok", ""),
        (
            {"profile": {"slurm-status-command": "sacct"}, "config": ACCOUNTING},
            "slurm accounting",
            "ok",
            "",
        ),
        ({"partitions": ("cpu", "fast")}, "slurm partitions", "wrong", "describe cpu, gpu there"),
        ({"partitions": ()}, "slurm partitions", "ok", ""),
        ({"sinfo": "cpu|up|1:00|(null)", "partitions": ("cpu",)}, "slurm GPUs", "note", ""),
        ({"answers": False}, "slurm", "note", "scontrol ping"),
    ],
)
def test_a_slurm_that_does_not(slurm, settings, subject, state, advice):
    found = slurm(**settings)[subject]
    assert found.state == state
    assert advice in found.advice


def test_half_a_slurm_is_wrong(slurm, study):
    slurm()
    (study / "bin" / "sbatch").unlink()
    (found,) = cluster.slurm(study / "profiles" / "slurm")
    assert found.state == "wrong"
    assert found.found == "sbatch not on PATH"


# --- the disk ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("free", "state"), [(10**8, "wrong"), (5 * 10**9, "note"), (10**12, "ok")])
def test_space(tmp_path, monkeypatch, free, state):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: usage(free))
    disk, *_ = storage.storage(str(tmp_path / "results"))
    assert disk.state == state


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(storage, "TemporaryDirectory", refuse)
    _, files, _ = storage.storage(str(tmp_path))
    assert files.state == "wrong"
    assert "Permission denied" in files.found
    assert files.advice


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    _, files, _ = storage.storage(str(tmp_path))
    assert files.state == "wrong"
    assert "cannot lock files" in files.found
    assert "Lustre" in files.advice


def test_results_in_use_and_left_locks(tmp_path):
    def in_use():
        *_, found = storage.storage(str(tmp_path))
        return found

    assert in_use().state == "ok"
    (tmp_path / ".lock").write_text('{"purpose": "x", "pid": 1, "host": "elsewhere", "started": "then"}')
    assert in_use().state == "note"
    assert "process 1 on elsewhere" in in_use().found
    with job_lock(tmp_path, "other"):
        (tmp_path / "other.lock").rename(tmp_path / ".lock")
        assert in_use().state == "note", "held by this very process"
