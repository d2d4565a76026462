"""Trained networks as files."""

import json
import pickle
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import rnnxai
from rnnxai.errors import Error
from rnnxai.models.dropout import Dropout
from rnnxai.models.weights import load_network, save_network

ABOUT = {"fold": 3, "trained_together": [0, 3], "test_accuracy": 0.5}


@pytest.fixture
def stack(sizes):
    """Return a function that builds a stack of two networks, and how it was built."""

    def build(architecture, bias_init="thesis"):
        how = {
            "name": architecture,
            "image_size": (3, 8),
            "steps": 1 if architecture in ("lenet", "mnist-cnn") else 4,
            "classes": 4,
            "dropout": 0.25,
            "bias_init": bias_init,
            **sizes[architecture],
        }
        rngs = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
        return rnnxai.build_model(**how, generators=rngs), how

    return build


@pytest.mark.parametrize("bias_init", ["thesis", "none", "plain"])
@pytest.mark.parametrize("architecture", list(rnnxai.MODELS))
def test_each_network_of_a_stack_comes_back(stack, tmp_path, architecture, bias_init):
    model, how = stack(architecture, bias_init)
    images = torch.rand(5, 1, 3, 8) * 2 - 1
    right = model.eval()(torch.stack([images, images]))
    for k in (0, 1):
        save_network(model, k, tmp_path / "network.safetensors", how, ABOUT | {"fold": k})
        loaded, about = load_network(tmp_path / "network.safetensors")
        assert about == ABOUT | {"fold": k}
        assert not loaded.training
        assert (loaded.folds, loaded.steps, loaded.image_size) == (1, how["steps"], (3, 8))
        assert {module.p for module in loaded.modules() if isinstance(module, Dropout)} <= {0.25}
        for name, value in model.state_dict().items():
            assert loaded.state_dict()[name][0].equal(value[k])
        torch.testing.assert_close(loaded(images), right[k], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", ["conv-deep", "lenet"])
def test_pooling_comes_back(stack, tmp_path, architecture):
    _, how = stack(architecture)
    how["pooling"] = "max"
    model = rnnxai.build_model(**how)
    save_network(model, 0, tmp_path / "network.safetensors", how, ABOUT)
    loaded, _ = load_network(tmp_path / "network.safetensors")
    images = torch.rand(5, 1, 3, 8) * 2 - 1
    torch.testing.assert_close(loaded(images), model.eval()(images))


def test_equal_networks_give_equal_bytes(stack, tmp_path):
    model, how = stack("deep")
    shuffled = dict(reversed(how.items()))
    save_network(model, 0, tmp_path / "a", how, ABOUT)
    save_network(model, 0, tmp_path / "b", shuffled, dict(reversed(ABOUT.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture
def path(stack, tmp_path):
    model, how = stack("shallow")
    save_network(model, 0, tmp_path / "network.safetensors", how, ABOUT)
    return tmp_path / "network.safetensors"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(Error, match=r"nothing\.safetensors does not exist"):
        load_network(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("part", [0.0, 0.001, 0.1, 0.5, 0.99])
def test_a_cut_file_is_refused(path, part):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(Error, match=f"{re.escape(str(path))} is damaged or no safetensors file"):
        load_network(path)


def test_another_file_is_refused(path):
    path.write_text("weights: none")
    with pytest.raises(Error, match="is damaged or no safetensors file"):
        load_network(path)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(Error, match="is damaged or no safetensors file"):
        load_network(tmp_path)


class Bomb:
    def __reduce__(self):
        return Path.touch, (Path(self.target),)


@pytest.mark.parametrize("write", [pickle.dump, torch.save])
def test_nothing_is_unpickled(path, tmp_path, write):
    Bomb.target = str(tmp_path / "exploded")
    with open(path, "wb") as handle:
        write(Bomb(), handle)
    with pytest.raises(Error, match="is damaged or no safetensors file"):
        load_network(path)
    assert not (tmp_path / "exploded").exists()


def test_no_module_can_unpickle():
    suspects = re.compile(
        r"\btorch\.load\b|^\s*(import|from) (pickle|joblib|dill|shelve|marshal)|allow_pickle=True", re.M
    )
    for module in Path(rnnxai.__file__).parent.rglob("*.py"):
        assert not suspects.search(module.read_text(encoding="utf-8")), module


def test_foreign_weights_are_refused(path):
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(Error, match="holds weights, but not of rnnxai"):
        load_network(path)


@pytest.mark.parametrize("damage", ["one tensor short", "one tensor more", "another shape"])
def test_weights_that_do_not_fit_their_description_are_refused(stack, path, damage):
    model, how = stack("shallow")
    tensors = {name: value[:1].clone() for name, value in model.state_dict().items()}
    if damage == "one tensor short":
        tensors.pop("cell.output.bias")
    elif damage == "one tensor more":
        tensors["cell.output.extra"] = torch.zeros(1)
    else:
        tensors["cell.output.bias"] = torch.zeros(1, 5)
    save_file(tensors, path, {"rnnxai": json.dumps({"build": how, "about": ABOUT})})
    with pytest.raises(Error, match=r"(?s)does not fit its own description: .*cell\.output\."):
        load_network(path)


def test_a_failed_write_leaves_the_old_file(stack, path):
    model, how = stack("shallow")
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_network(model, 1, path, how, {"not": {"json"}})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
