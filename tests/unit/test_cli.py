"""The command line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import rnnxai
from rnnxai.cli.commands import COMMANDS
from rnnxai.cli.equations import EQUATIONS, Kept
from rnnxai.cli.main import main
from rnnxai.cli.methods import largest_error
from rnnxai.cli.output import WIDTH, as_table, paragraph
from rnnxai.explain.ledger import LOST
from rnnxai.explain.strategy import make_strategy
from rnnxai.models.weights import save_network

NETS = """
from torch import nn
from rnnxai.models.cells.shallow import Shallow as Mine

plain = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))

class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.out = nn.Embedding(9, 4), nn.LSTM(4, 3), nn.Linear(3, 2)
    def forward(self, tokens):
        return self.out(self.lstm(self.embedding(tokens).transpose(0, 1))[0][-1])

def make():
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))

def broken():
    return 1 / 0

def number():
    return 3

def sorter():
    class Sorter(nn.Module):
        def forward(self, x):
            return x.sort().values
    return Sorter()
"""


@pytest.fixture
def nets(tmp_path, monkeypatch):
    """A folder with a module of models, which the program is started in."""
    (tmp_path / "own_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("own_nets", None)


@pytest.fixture
def run(capsys):
    """Run the program; return its exit code, what it prints and what it complains of."""

    def run(*words):
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


def test_help_names_every_command(run):
    code, text, _ = run("--help")
    assert code == 0
    assert all(re.search(rf"^ +{name}\s+\w", text, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["check", "--help"],
        ["inspect", "--help"],
        ["--version"],
        ["methods"],
        ["completion", "zsh"],
    ],
)
def test_nothing_heavy_is_loaded_for_it(words):
    code = (
        "import sys; from rnnxai.cli.main import main\n"
        f"try: main({words})\nexcept SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout
    assert set(ended.stderr.split()) & {"torch", "numpy", "pandas", "matplotlib", "h5py", "pydantic"} == set()


def test_python_m_is_the_same_program():
    ended = subprocess.run([sys.executable, "-m", "rnnxai", "--version"], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, f"rnnxai {rnnxai.__version__}\n")


def test_a_reader_that_goes_away_is_no_failure():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "rnnxai", "methods"]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "COMMAND"),
        (["modles"], "invalid choice: 'modles'"),
        (["check"], "MODEL"),
        (["check", "r-lstm", "--option", "epsilon"], "KEY=VALUE would be right"),
        (["check", "r-lstm", "--bounds", "low", "1"], "invalid float value: 'low'"),
    ],
)
def test_wrong_usage(run, words, message):
    code, text, complaint = run(*words)
    assert (code, text) == (2, "")
    assert message in complaint


@pytest.mark.parametrize("words", [["models"], ["methods"], ["check", "lenet"]])
def test_plain_text_is_narrow(run, words):
    _, text, _ = run(*words)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert not re.search(r" $", text, re.MULTILINE)


# --- models ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "shallow 28 x 28 1 269,322 334,858",
        "shallow 28 x 28 4 184,330 184,330",
        "shallow 28 x 28 7 162,826 162,826",
        "shallow 28 x 84 12 184,330 184,330",
        "deep 28 x 28 1 271,338 304,106",
        "deep 28 x 84 12 153,578 153,578",
        "r-lstm 28 x 84 12 145,701 145,914",
        "conv-plus-r-lstm-sd 28 x 84 12 175,741 176,026",
        "lenet 28 x 28 1 47,645 47,645",
    ],
)
def test_parameter_counts(run, line):
    _, text, _ = run("models")
    assert line in [" ".join(row.split()) for row in text.splitlines()]


def test_models_as_json(run):
    code, text, _ = run("models", "--json")
    found = {model["name"]: model for model in json.loads(text)}
    assert (code, list(found)) == (0, list(rnnxai.MODELS))
    assert found["shallow"]["summary"] == rnnxai.MODELS["shallow"]
    assert found["shallow"]["parameters"][0] == {
        "image_size": [28, 28],
        "steps": 1,
        "thesis": 269_322,
        "trainable": 334_858,
    }


# --- methods -----------------------------------------------------------------------------------------------


def test_methods(run):
    _, text, _ = run("methods")
    lines = [" ".join(row.split()) for row in text.splitlines()]
    assert f"sa R_i = (dz/dx_i)^2 nothing {largest_error('sa'):.0e}" in lines
    assert all(any(line.startswith(f"{name} ") for line in lines) for name in rnnxai.METHODS)


def test_methods_as_json(run):
    _, text, _ = run("methods", "--json")
    found = {method["name"]: method for method in json.loads(text)}
    assert list(found) == list(rnnxai.METHODS)
    assert found["dtd"]["conserves"] == "relu(score), all of it"
    assert 0 < found["lrp-eps"]["error"] < 1e-9


def test_every_method_has_a_line():
    assert list(EQUATIONS) == list(rnnxai.METHODS)


@pytest.mark.parametrize("name", EQUATIONS)
def test_every_method_was_measured(name):
    assert largest_error(name) < 1e-9


OPTIONS = {
    "lrp": {"rules": {"input": "z-b", "*": "lrp-gamma"}},
    "lrp-eps": {"epsilon": 0.3},
    "lrp-eps-gamma-box": {"epsilon": 0.3},
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_what_is_said_to_be_conserved_is(name, torch_rng):
    model = rnnxai.build_model("lenet", image_size=(28, 28), steps=1, classes=3).eval().double()
    images = torch.rand(6, 1, 28, 28, generator=torch_rng).double() * 2 - 1
    targets = torch.tensor([0, 1, 2, 0, 1, 2])
    method = name.format(alpha=2, beta=1)
    options, kept = OPTIONS.get(name, {}), EQUATIONS[name].conserves
    conserves = make_strategy(method, options).conserves
    found = rnnxai.explain(model, images, targets, method, return_ledger=conserves, **options)
    relevance, ledger = found if conserves else (found, None)
    total = relevance.sum((1, 2, 3))
    score = model(images).gather(1, targets[:, None])[:, 0].detach()
    assert score.min() < 0 < score.max()
    lost = dict.fromkeys(LOST, 0.0)
    if ledger is not None:
        lost = {column: torch.tensor([ledger.table(i)[column].sum() for i in range(6)]) for column in LOST}
    books = {column for column, amount in lost.items() if abs(torch.as_tensor(amount)).max() > 1e-12}
    match kept:
        case Kept.NOTHING:
            assert ledger is None
            assert not torch.allclose(total, score, rtol=1e-3)
            return
        case Kept.SCORE_ABOVE_BASELINE:
            right = score - model(-torch.ones_like(images)).gather(1, targets[:, None])[:, 0].detach()
            assert torch.allclose(total, right, rtol=0.02, atol=0.02)  # as far as the quadrature goes
            return
        case Kept.POSITIVE_SCORE:
            allowed, right = set(), score.relu()
        case Kept.SCORE:
            allowed, right = set(), score
        case Kept.SCORE_LESS_BIASES | Kept.AS_ITS_RULES:
            allowed, right = {"bias"}, score - lost["bias"]
        case Kept.SCORE_LESS_STABILISER:
            allowed, right = {"bias", "stabiliser"}, score - lost["bias"] - lost["stabiliser"]
    assert books == allowed
    assert torch.allclose(total, right, rtol=1e-9, atol=1e-12)


# --- check -------------------------------------------------------------------------------------------------


def test_check_an_architecture(run):
    code, text, _ = run("check", "r-lstm")
    lines = [" ".join(row.split()) for row in text.splitlines()]
    assert code == 0
    assert lines[0] == "layer kind reads bias uses rule"
    assert "encoder dense bounded non-positive 1 z^B" in lines
    assert "candidate dense non-negative non-positive 12 z+" in lines
    assert lines[-1] == "dtd can explain r-lstm."


def test_check_takes_sizes_of_an_architecture(run):
    _, text, _ = run("check", "deep", "--steps", "4", "--image-size", "6", "8", "--json")
    assert 4 in [layer["uses"] for layer in json.loads(text)["layers"]]


def test_check_a_refusal(run, nets):
    code, text, _ = run("check", "own_nets:make", "--input-shape", "6", "--bounds", "-inf", "inf")
    lines = text.splitlines()
    assert code == 4
    assert [line.split()[-1] for line in lines[1:3]] == ["w^2", "[1]"]
    assert sum(line.startswith("[") for line in lines) == 1
    assert "[1] layer '3' reads inputs of either sign" in text
    assert lines[-1] == "dtd cannot explain own_nets:make."


def test_check_as_json(run, nets):
    code, text, _ = run("check", "own_nets:make", "--input-shape", "6", "--bounds", "0", "inf", "--json")
    found = json.loads(text)
    assert code == 4
    assert (found["model"], found["method"], found["can_explain"]) == ("own_nets:make", "dtd", False)
    assert [layer["reads"] for layer in found["layers"]] == ["non-negative", "signed"]
    assert [bool(layer["refusal"]) for layer in found["layers"]] == [False, True]


def test_check_something_that_nothing_goes_through(run, nets):
    words = ("check", "own_nets:sorter", "--input-shape", "6")
    code, text, _ = run(*words, "--method", "lrp-eps")
    assert code == 4
    assert "sort cannot be explained" in " ".join(text.split())
    assert run(*words, "--method", "sa")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["own_nets:plain", "--input-shape", "2", "3", "--bounds", "1", "2"],
        ["own_nets:Reader", "--input-shape", "7", "--tokens", "--method", "lrp-eps"],
        ["own_nets:make", "--input-shape", "6", "--method", "lrp-eps", "--option", "epsilon=0.5"],
        ["own_nets:Mine", "--steps", "2", "--image-size", "4", "6"],
        ["deep", "--method", "lrp", "--option", 'rules={"input": "z-b", "*": "lrp-gamma"}'],
    ],
)
def test_models_of_all_kinds(run, nets, words):
    code, text, complaint = run("check", *words)
    assert (code, complaint) == (0, "")
    assert text.endswith(f"can explain {words[0]}.\n")


def test_options_reach_the_method(run, nets):
    words = ("check", "own_nets:make", "--input-shape", "6", "--method", "lrp-eps")
    assert "epsilon 0.5" in run(*words, "--option", "epsilon=0.5")[1]
    assert "gates is 'none'" in run(*words, "--option", "gates=none")[2]


def test_check_a_network_file(run, tmp_path):
    build = {"name": "shallow", "image_size": [4, 6], "steps": 2, "classes": 3}
    model = rnnxai.build_model(**{**build, "image_size": (4, 6)})
    save_network(model, 0, tmp_path / "net.safetensors", build, {})
    code, text, _ = run("check", str(tmp_path / "net.safetensors"), "--json")
    assert code == 0
    assert {layer["uses"] for layer in json.loads(text)["layers"]} == {1, 2}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shalow"], "unknown architecture 'shalow'. Did you mean 'shallow'?"),
        (["shallow", "--method", "dtt"], "unknown explanation method 'dtt'"),
        (["shallow", "--steps", "5"], "steps = 5 does not divide the image width 84"),
        (["missing.safetensors"], "missing.safetensors does not exist"),
        (["own_nets.py"], "own_nets.py is no network file"),
        (["own_nets:plane"], "own_nets has no 'plane'. Did you mean 'plain'?"),
        (["no_such_module:net"], "no_such_module cannot be imported"),
        (["own_nets:plain"], "own_nets:plain does not say what it reads"),
        (["own_nets:plain", "--input-shape", "7"], "does not run on an input of shape (1, 7): RuntimeError"),
        (["own_nets:broken"], "calling it without arguments fails: ZeroDivisionError"),
        (["own_nets:number"], "is a int; a torch module"),
    ],
)
def test_what_cannot_be_checked(run, nets, words, message):
    code, text, complaint = run("check", *words)
    assert (code, text) == (3, "")
    assert message in complaint
    assert complaint.startswith("rnnxai check: ")
    assert "Traceback" not in complaint


# --- output ------------------------------------------------------------------------------------------------


def test_a_table_is_laid_out():
    rows = [
        {"name": "a", "text": "one two three", "count": 1234},
        {"name": "bcd", "text": "four", "count": 5},
    ]
    assert as_table(rows, {"text": 8}).splitlines() == [
        "name  text     count",
        "a     one two  1,234",
        "      three",
        "bcd   four         5",
    ]


def test_a_paragraph_hangs():
    lines = paragraph("word " * 40, "[1] ").splitlines()
    assert lines[0].startswith("[1] word")
    assert all(line.startswith("    word") for line in lines[1:])
    assert max(map(len, lines)) <= WIDTH


def test_the_measured_errors_travel_with_the_package():
    assert (Path(rnnxai.__file__).parent / "cli" / "reference_error.csv").exists()
