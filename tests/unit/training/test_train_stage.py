"""A training job: data set file in, one network and one list of metrics per fold out."""

import json
import signal
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open

from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.files import sha256
from rnnxai.models.weights import load_network
from rnnxai.stages.device import choose_device
from rnnxai.stages.train import train_stack
from rnnxai.training.loop import never
from rnnxai.training.settings import TrainSettings

SETTINGS = {"epochs": 3, "batch_size": 500, "learning_rate": 0.002}


def train(
    digits_file,
    folder,
    folds=(0, "quality"),
    code="some code",
    architecture="shallow",
    steps=2,
    sizes=None,
    stop=never,
    checkpoint_seconds=60.0,
    **changed,
):
    """Train to the end, and return the content of all output files by name."""
    networks = {fold: folder / f"{fold}.safetensors" for fold in folds}
    metrics = {fold: folder / f"{fold}.jsonl" for fold in folds}
    train_stack(
        digits_file,
        networks,
        metrics,
        folder / "checkpoint",
        architecture=architecture,
        steps=steps,
        settings=TrainSettings(**(SETTINGS | changed)),
        code=code,
        sizes=sizes,
        stop=stop,
        checkpoint_seconds=checkpoint_seconds,
    )
    return {path.name: path.read_bytes() for path in [*networks.values(), *metrics.values()]}


@pytest.fixture(scope="module")
def straight(digits_file, tmp_path_factory):
    """Return the folder of an uninterrupted job, and the content of its files."""
    folder = tmp_path_factory.mktemp("straight")
    return folder, train(digits_file, folder)


def test_metrics_are_one_object_per_epoch(straight):
    _, files = straight
    for fold in (0, "quality"):
        lines = [json.loads(line) for line in files[f"{fold}.jsonl"].splitlines()]
        assert [line["epoch"] for line in lines] == [1, 2, 3]
        assert all(set(line) == {"epoch", "loss", "test_accuracy"} for line in lines)
        assert lines[-1]["loss"] < lines[0]["loss"]
        assert 0.2 < lines[-1]["test_accuracy"] <= 1


def test_networks_are_what_was_measured(straight, digits_file):
    folder, files = straight
    dataset = Dataset.open(digits_file)
    for fold in (0, "quality"):
        model, about = load_network(folder / f"{fold}.safetensors")
        rows = dataset.rows(fold, "test")
        images = torch.from_numpy(dataset.sequences(rows)).float() * (2 / 255) - 1
        found = (model(images).argmax(1).numpy() == dataset.labels[rows]).mean()
        last = json.loads(files[f"{fold}.jsonl"].splitlines()[-1])
        assert found == pytest.approx(last["test_accuracy"], abs=2 / len(rows))
        assert about["test_accuracy"] == last["test_accuracy"]
        assert (about["fold"], about["trained_together"]) == (fold, [0, "quality"])
        assert about["dataset_sha256"] == sha256(digits_file)
        assert about["settings"] == TrainSettings(**SETTINGS).model_dump()


def test_equal_jobs_write_equal_bytes(straight, digits_file, tmp_path):
    assert train(digits_file, tmp_path) == straight[1]


@pytest.mark.parametrize("pooling, used", [(None, "average"), ("sum", "sum")])
def test_what_the_settings_choose_is_kept_with_the_network(digits_file, tmp_path, pooling, used):
    """What they leave to the architecture is kept too, so that it stays what it was."""
    how = {"architecture": "mnist-cnn", "steps": 1, "sizes": {"channels1": 2, "channels2": 3, "hidden1": 8}}
    train(digits_file, tmp_path, epochs=1, pooling=pooling, initial_scale=1.5, bias_init="plain", **how)
    path = tmp_path / "0.safetensors"
    with safe_open(path, framework="pt") as file:
        build = json.loads(file.metadata()["rnnxai"])["build"]
    chosen = {key: build[key] for key in ("pooling", "initial_scale", "bias_init", "dropout")}
    assert chosen == {"pooling": used, "initial_scale": 1.5, "bias_init": "plain", "dropout": 0.2}
    model, about = load_network(path)
    assert model.cell.pooling == used
    assert about["settings"]["pooling"] == pooling


def test_pooling_of_what_does_not_pool_is_refused(digits_file, tmp_path):
    with pytest.raises(Error, match="architecture 'shallow' does not pool"):
        train(digits_file, tmp_path, pooling="sum")
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal, sys
from pathlib import Path
from rnnxai.training import checkpoint
sys.path.insert(0, sys.argv[1])
from test_train_stage import train

save_file, saves = checkpoint.save_file, []

def dying(tensors, path, metadata):
    saves.append(path)
    save_file(tensors, path, metadata)
    if len(saves) == 3:
        os.truncate(path, 1000)
        os.kill(os.getpid(), signal.SIGKILL)

checkpoint.save_file = dying
train(Path(sys.argv[2]), Path(sys.argv[3]), checkpoint_seconds=0)
"""


def test_killed_while_the_checkpoint_is_written(straight, digits_file, tmp_path, request, caplog):
    """The process gets a real SIGKILL, with half a file on the disk; the next one goes on after step 2."""
    command = [sys.executable, "-c", KILLED, str(request.path.parent), str(digits_file), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list(tmp_path.glob(".checkpoint.*.part"))) == 1
    caplog.set_level("INFO")
    assert train(digits_file, tmp_path) == straight[1]
    assert "going on after epoch 0 of 3 and batch 2" in caplog.text
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    "changed",
    [
        {"code": "other code"},
        {"seed": 1},
        {"learning_rate": 0.001},
        {"dropout": 0.1},
        {"initial_scale": 2.0},
        {"folds": (1, "quality")},
    ],
)
def test_a_checkpoint_is_only_good_for_the_same_run(digits_file, tmp_path, caplog, changed):
    train(digits_file, tmp_path, epochs=1)
    caplog.set_level("INFO")
    train(digits_file, tmp_path, **({"epochs": 1} | changed))
    assert "belongs to another run" in caplog.text


def test_more_epochs_go_on_from_the_checkpoint(straight, digits_file, tmp_path, caplog):
    short = train(digits_file, tmp_path, epochs=2)
    caplog.set_level("INFO")
    found = train(digits_file, tmp_path)
    assert "going on after epoch 2 of 3" in caplog.text
    assert found == straight[1]
    assert found["0.jsonl"].startswith(short["0.jsonl"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(digits_file, tmp_path):
    with pytest.raises(Error, match=r"device 'cuda' was asked for, but torch .* finds no GPU"):
        train(digits_file, tmp_path, device="cuda")
    assert not list(tmp_path.iterdir())
    assert choose_device("auto") == "cpu"


def test_a_batch_larger_than_the_training_set_is_refused(digits_file, tmp_path):
    with pytest.raises(Error, match="batch_size = 5000 is larger than the training set of 1"):
        train(digits_file, tmp_path, batch_size=5000)
    assert not list(tmp_path.iterdir())


def test_the_job_sets_its_threads(digits_file, tmp_path):
    train(digits_file, tmp_path, epochs=1, threads=2)
    assert torch.get_num_threads() == 2
    assert torch.are_deterministic_algorithms_enabled()
