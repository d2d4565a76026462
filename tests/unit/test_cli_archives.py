"""The commands that read archives: inspect, verify, scores, join, completion."""

import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
from PIL import Image

from rnnxai.archive.layout import Layout
from rnnxai.archive.provenance import explanation, provenance
from rnnxai.archive.write import AttributionWriter
from rnnxai.cli import codes
from rnnxai.cli.heatmap import as_text, colours_of, has_colours
from rnnxai.cli.main import main
from rnnxai.cli.output import WIDTH
from rnnxai.data.dataset import Dataset, build_dataset
from rnnxai.data.definition import DatasetDefinition

SMALL = np.zeros((6, 4, 6))
SMALL[:5] = np.random.default_rng(0).normal(size=(5, 4, 6))
MAPS = np.kron(SMALL, np.ones((7, 14)))[:, None].astype("f4")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A data set file."""
    path = tmp_path_factory.mktemp("datasets") / "d-maj.h5"
    build_dataset(DatasetDefinition("digits", folds=2), path)
    return path


@pytest.fixture(scope="module")
def marks(dataset):
    return Dataset.open(dataset).majority[:6]


@pytest.fixture
def study(tmp_path, dataset):
    """The results of a study: a data set and two archives, of which one keeps half of its maps."""
    (tmp_path / "datasets").mkdir()
    shutil.copy(dataset, tmp_path / "datasets")
    labels = Dataset.open(dataset).labels[:6]
    predicted = np.where(np.arange(6) < 4, labels, (labels + 1) % 10)
    for fold, maps in (("0", None), ("1", np.array([0, 2, 5]))):
        path = tmp_path / f"archives/d-maj/deep/t2/fold-{fold}/sa.attribution.h5"
        path.parent.mkdir(parents=True)
        about = provenance({}, {"dataset": dataset}, seed=0, threads=1, device="cpu") | explanation(
            dataset="d-maj",
            architecture="deep",
            steps=2,
            fold=fold,
            explainer="sa",
            parameters={},
            model_sha256=fold * 64,
        )
        sizes = {"samples": 6, "channels": 1, "height": 28, "width": 84, "steps": 2, "blocks": 3}
        with AttributionWriter(path, Layout(**sizes, classes=10, maps=maps), about) as writer:
            writer.append(
                relevance=MAPS,
                prediction=np.eye(10)[predicted],
                label=labels,
                index=np.arange(6),
                explained_score=np.ones(6),
            )
    return tmp_path


@pytest.fixture
def archive(study):
    return study / "archives/d-maj/deep/t2/fold-0/sa.attribution.h5"


@pytest.fixture
def run(capsys):
    """Run the program; return its exit code, what it prints and what it complains of."""

    def run(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


def test_exit_codes_are_what_they_have_always_been():
    assert {name: value for name, value in vars(codes).items() if name.isupper()} == {
        "OK": 0,
        "USAGE": 2,
        "BAD_INPUT": 3,
        "NOT_MET": 4,
        "DAMAGED": 5,
        "INTERRUPTED": 130,
        "NO_READER": 141,
    }


# --- verify ------------------------------------------------------------------------------------------------


def test_verify_a_folder(run, study):
    code, text, complaint = run("verify", study / "archives")
    assert (code, text, complaint) == (0, "2 files sound\n", "")


def test_verify_names_all_damage(run, study, archive):
    with h5py.File(archive, "r+") as file:
        file["index"][0] = 5
        file.attrs["fold"] = "7"
    (study / "text.h5").write_text("x")
    code, text, _ = run("verify", archive, study / "text.h5")
    assert code == 5
    assert "attributes: they do not have the attributes_sha256" in " ".join(text.split())
    assert "values: index" in text and "not-hdf5" in text
    assert text.endswith("2 of 2 files damaged\n")
    code, text, _ = run("verify", archive, "--json")
    (found,) = json.loads(text)
    assert (code, found["file"], found["sound"]) == (5, str(archive), False)
    assert {each["kind"] for each in found["damage"]} >= {"attributes", "values"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["verify"], 2, "FILE"),
        (["verify", "none.h5"], 3, "none.h5: no such file or folder"),
        (["verify", "{empty}"], 3, "no file *.h5 in this folder"),
        (["inspect", "none.h5"], 5, ""),
        (["inspect", "{archive}", "--png", "a.png"], 3, "say which with --sample"),
        (["inspect", "{archive}", "--sample", "6"], 3, "no sample 6; rows are 0..5"),
        (["inspect", "{archive}", "--sample", "1", "--png", "a.jpg"], 3, "a picture is written as .png"),
        (
            ["inspect", "{other}", "--sample", "1", "--png", "a.png"],
            3,
            "is not kept; first kept ones: 0, 2, 5",
        ),
        (["inspect", "{archive}", "--dataset", "none.h5"], 3, "none.h5: no such file"),
        (["inspect", "{archive}", "--dataset", "{archive}"], 3, "not the data set file"),
        (["scores", "none"], 3, "none: no such file or folder"),
        (["join", "{archive}", "-o", "{empty}/j.h5"], 3, "is not in"),
        (["join", "{archive}"], 2, "--output"),
        (["completion", "powershell"], 2, "invalid choice"),
        (["export", "virelay", "{archive}", "-o", "{empty}", "--dataset", "{archive}"], 3, "is of the kind"),
    ],
)
def test_wrong_requests(run, study, archive, tmp_path, monkeypatch, words, code, message):
    (study / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    other = str(archive).replace("fold-0", "fold-1")
    found, _, complaint = run(*(w.format(archive=archive, empty=study / "empty", other=other) for w in words))
    assert found == code
    assert message in " ".join(complaint.split())
    assert "Traceback" not in complaint


# --- inspect -----------------------------------------------------------------------------------------------


def test_inspect_shows_tree_and_scores(run, archive):
    code, text, complaint = run("inspect", archive)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert (code, complaint) == (0, "")
    assert max(map(len, text.splitlines())) <= max(WIDTH, len(str(archive)))
    assert any(line.startswith("attribution sample, channel, y, x 6 x 1 x 28 x 84 float32") for line in lines)
    assert "maps kept 6" in lines and "explained class predicted 0.6667" in lines
    assert "cosine undefined 1" in lines


def test_inspect_as_json(run, archive, marks):
    code, text, _ = run("inspect", archive, "--sample", 1, "--json")
    found = json.loads(text)
    assert code == 0
    assert found["attributes"]["explainer"] == "sa"
    blocks = np.maximum(SMALL[1], 0).reshape(4, 3, 2).sum(axis=(0, 2))
    cosine = blocks @ marks[1] / np.linalg.norm(blocks) / np.sqrt(2)
    assert found["sample"]["cosine"] == pytest.approx(cosine, abs=1e-6)
    assert found["sample"]["majority_blocks"] == marks[1].tolist()
    assert found["scores"]["cosine_undefined"] == 1
    assert {each["name"] for each in found["arrays"]} >= {"attribution", "relevance_step"}


def test_inspect_a_sample_in_letters(run, archive):
    code, text, _ = run("inspect", archive, "--sample", 0)
    *drawing, legend = text.splitlines()[-15:]
    assert (code, legend) == (0, "# and + are positive, = and - negative")
    assert {len(line) for line in drawing} == {84}
    peak = np.abs(SMALL[0]).max()
    for row, line in ((0, drawing[1]), (3, drawing[-2])):
        assert [letter in "#+" for letter in line[::14]] == (SMALL[0, row] > 0.1 * peak).tolist()
        assert [letter in "=-" for letter in line[::14]] == (SMALL[0, row] < -0.1 * peak).tolist()
    assert "\x1b" not in text


def test_inspect_an_empty_map_and_one_that_is_not_kept(run, archive):
    assert run("inspect", archive, "--sample", 5)[1].endswith("The map is empty: no relevance.\n")
    other = str(archive).replace("fold-0", "fold-1")
    code, text, _ = run("inspect", other, "--sample", 1)
    assert code == 0
    assert "map kept" in text and "False" in text


def test_inspect_writes_a_picture(run, archive, tmp_path):
    pictures = [tmp_path / "a.png", tmp_path / "b.png"]
    for picture in pictures:
        assert run("inspect", archive, "--sample", 0, "--png", picture)[0] == 0
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    seen = np.asarray(Image.open(pictures[0]).convert("RGB")).reshape(-1, 3).tolist()
    end = [103, 0, 31] if SMALL[0].max() == np.abs(SMALL[0]).max() else [5, 48, 97]
    assert seen.count(end) > 1000  # the strongest pixel has the end of the colours


def test_inspect_looks_into_no_damaged_file(run, archive):
    with h5py.File(archive, "r+") as file:
        file["index"][0] = 5
    code, text, complaint = run("inspect", archive, "--json")
    assert (code, complaint) == (5, "")
    assert json.loads(text)["damage"]


def test_inspect_shows_files_of_other_kinds(run, study):
    run("join", study / "archives", "-o", study / "joined.h5")
    code, text, _ = run("inspect", study / "joined.h5")
    assert code == 0 and "explainer, fold, sample" in " ".join(text.split())
    assert run("inspect", study / "joined.h5", "--sample", 1)[0] == 3


def in_a_terminal(*words, **environment):
    """Run the program in a terminal of its own; return what it shows."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLORTERM")}
    process = subprocess.Popen(
        [sys.executable, "-m", "rnnxai", *map(str, words)],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=kept | {"TERM": "xterm-256color"} | environment,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            part = b""
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return shown.decode()


@pytest.mark.parametrize(
    ("environment", "pattern"),
    [
        ({"COLORTERM": "truecolor"}, "\x1b[38;2;"),
        ({}, "\x1b[38;5;"),
        ({"NO_COLOR": "1"}, None),
        ({"TERM": "dumb"}, None),
    ],
)
def test_a_terminal_gets_colours_unless_it_is_told_not_to(archive, environment, pattern):
    shown = in_a_terminal("inspect", archive, "--sample", "0", **environment)
    assert ("red is positive" in shown) == (pattern is not None)
    assert (pattern in shown) if pattern else ("\x1b" not in shown)


# --- heatmaps as text --------------------------------------------------------------------------------------


def test_colours_are_those_of_matplotlib():
    import matplotlib

    values = np.linspace(-1, 1, 101)
    expected = (matplotlib.colormaps["RdBu_r"]((values + 1) / 2)[:, :3] * 255).round()
    assert np.abs(colours_of(values).astype(int) - expected).max() <= 3
    assert (colours_of(np.array(1.0)) - colours_of(np.array(-1.0)))[0] > 90  # red is positive


def test_a_heatmap_as_half_blocks():
    text = as_text(np.array([[1.0, -1.0], [0.0, 0.5], [0.0, 0.0]]), colours=True, true_colours=True)
    first, second = text.splitlines()
    assert re.findall(r"38;2;([\d;]+);48;2;([\d;]+)m(.)", first) == [
        ("103;0;31", "247;247;247", "▀"),
        ("5;48;97", "229;130;104", "▀"),
    ]
    assert first.endswith("\x1b[0m") and second.count("▀") == 2


def test_maps_without_relevance_or_numbers_are_drawn():
    assert as_text(np.zeros((2, 3)), colours=False) == "   "
    assert as_text(np.array([[np.nan, 1.0, -1.0]]), colours=False) == " #="
    assert not has_colours(io.StringIO())


# --- scores ------------------------------------------------------------------------------------------------


def test_scores_of_archives(run, study):
    code, text, complaint = run("scores", study / "archives", "--json")
    rows = json.loads(text)
    assert (code, complaint) == (0, "")
    assert [(row["fold"], row["n"], row["n_undefined"], row["accuracy"]) for row in rows] == [
        ("0", 6, 1, pytest.approx(2 / 3)),
        ("1", 6, 1, pytest.approx(2 / 3)),
    ]
    _, text, _ = run("scores", study / "archives")
    assert text.startswith("dataset d-maj, architecture deep, T 2, explainer sa\n\nfold")
    assert max(map(len, text.splitlines())) <= 2 * WIDTH


def test_scores_of_a_study_are_those_of_its_table(run, study):
    table = study / "scores" / "scores.csv"
    table.parent.mkdir()
    table.write_text("dataset,architecture,T,fold,explainer,n,accuracy,cosine\nd,deep,2,0,sa,6,0.5,0.25\n")
    assert json.loads(run("scores", study, "--json")[1]) == [
        {
            "dataset": "d",
            "architecture": "deep",
            "T": 2,
            "fold": "0",
            "explainer": "sa",
            "n": 6,
            "accuracy": 0.5,
            "cosine": 0.25,
        }
    ]
    assert "0.250" in run("scores", study)[1]


def test_damaged_archives_are_not_scored(run, study, archive):
    with h5py.File(archive, "r+") as file:
        file["relevance_block_positive"][0] = 1
    code, text, complaint = run("scores", archive)
    assert (code, text) == (3, "")
    assert "values: relevance_block_positive" in complaint


def test_a_data_set_elsewhere_is_asked_for(run, study, archive, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.move(archive, elsewhere)
    code, _, complaint = run("scores", elsewhere)
    assert code == 3 and "say with --dataset where it is" in complaint
    code, text, _ = run("scores", elsewhere, "--dataset", study / "datasets/d-maj.h5", "--json")
    assert code == 0 and len(json.loads(text)) == 1


# --- join, completion --------------------------------------------------------------------------------------


def test_join(run, study):
    code, text, _ = run("join", study / "archives", "-o", study / "joined.h5")
    assert code == 0
    assert text.endswith("explainer 1, fold 2, sample 6, channel 1, y 28, x 84\n")
    found = json.loads(run("join", study / "archives", "-o", study / "joined.h5", "--json")[1])
    assert (found["files"], found["shape"]) == (2, [1, 2, 6, 1, 28, 84])
    assert run("verify", study / "joined.h5")[0] == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(run, shell):
    code, text, complaint = run("completion", shell)
    assert (code, complaint) == (0, "")
    assert all(word in text for word in ("inspect", "verify", "sample", "virelay"))
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=text, text=True, check=True, capture_output=True)
