"""What strangers' files and configurations cannot do."""

import ast
import copy
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnxai.archive.format import PROVENANCE
from rnnxai.archive.layout import Layout
from rnnxai.archive.provenance import explanation, provenance
from rnnxai.archive.read import AttributionArchive
from rnnxai.archive.verify import verify
from rnnxai.archive.write import AttributionWriter
from rnnxai.config import check_config
from rnnxai.errors import Error
from rnnxai.files import write_text
from rnnxai.locks import job_lock
from rnnxai.scoring.store import read_scores, write_scores
from rnnxai.study import Study

ROOT = Path(__file__).parents[2]
PYTHON = sorted(
    path
    for folder in ("src", "workflow/scripts", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
WORKFLOW = [ROOT / "Snakefile", *sorted((ROOT / "workflow" / "rules").glob("*.smk"))]

# --- nothing unpickles, and no shell is asked --------------------------------------------------------------

MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle"}
FUNCTIONS = {
    "eval",
    "exec",
    "os.system",
    "os.popen",
    "commands.getoutput",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "yaml.load",
    "yaml.load_all",
    "yaml.full_load",
    "yaml.unsafe_load",
    "pd.read_pickle",
    "pandas.read_pickle",
    "read_pickle",
    "torch.hub.load",
    "asyncio.create_subprocess_shell",
}
NEEDED = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
NEEDED["numpy.load"] = NEEDED["np.load"]
PROGRAMS = {f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output")}


def dangers(tree):
    """Yield what code does that runs a stranger's code, or a shell."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            if str(node.module).split(".")[0] in MODULES or names & (FUNCTIONS | set(NEEDED)):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            keyword, right = NEEDED.get(name, ("", None))
            if (
                name in FUNCTIONS
                or given.get("shell")
                or (keyword and given.get(keyword) is not right)
                or (
                    name in PROGRAMS
                    and node.args
                    and isinstance(node.args[0], ast.Constant | ast.JoinedStr | ast.BinOp)
                )
            ):
                yield ast.unparse(node)


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_unpickles_and_no_shell_is_asked(path):
    assert list(dangers(ast.parse(path.read_bytes()))) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.numpy_pickle",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "from numpy import load",
        "yaml.load(text)",
        "from yaml import unsafe_load",
        "pd.read_pickle(path)",
        "eval(text)",
        "os.system(text)",
        "subprocess.run(f'rm {name}')",
        "subprocess.run('rm ' + name)",
        "subprocess.run(['sh', '-c', text], shell=True)",
    ],
)
def test_the_search_finds(code):
    assert list(dangers(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(path, weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "model.eval()",
        "yaml.safe_load(text)",
        "subprocess.run(['git', 'status'], check=True)",
    ],
)
def test_the_search_lets_pass(code):
    assert not list(dangers(ast.parse(code)))


@pytest.mark.parametrize("path", WORKFLOW, ids=lambda path: path.name)
def test_rules_run_scripts_and_no_shell_text(path):
    """A configuration's values reach jobs as data. Text for a shell would have to quote them."""
    words = path.read_text()
    for forbidden in ("shell:", "shell(", "os.system", "subprocess", "run:", "pickle", "eval("):
        assert forbidden not in words, f"{path.name} holds {forbidden}"


def test_metadata_of_weights_is_json_and_not_code():
    """Networks and checkpoints are safetensors: no other reader of weights is imported."""
    readers = [
        path for path in PYTHON if "torch.load" in path.read_text() or "torch.save" in path.read_text()
    ]
    assert readers == []


# --- names cannot leave the results ------------------------------------------------------------------------

STUDY = {
    "results": "results",
    "datasets": {"digits-maj": {"source": "digits"}},
    "architectures": {"mine": {"cell": "shallow"}},
    "experiments": {
        "one": {"datasets": ["digits-maj"], "architectures": ["mine"], "steps": [3], "folds": [0, "quality"]}
    },
    "explainers": [[{"method": "sa", "name": "mine"}]],
    "scores": ["cosine", {"score": "majority-share", "name": "own"}],
}


def named(kind, name):
    """Return the study with a name of some kind replaced."""
    study = copy.deepcopy(STUDY)
    experiment = study["experiments"]["one"]
    if kind == "dataset":
        study["datasets"] = {name: {"source": "digits"}}
        experiment["datasets"] = [name]
    elif kind == "architecture":
        study["architectures"] = {name: {"cell": "shallow"}}
        experiment["architectures"] = [name]
    elif kind == "explainer":
        study["explainers"] = [[{"method": "sa", "name": name}]]
    elif kind == "score":
        study["scores"][1]["name"] = name
    elif kind == "experiment":
        study["experiments"] = {name: experiment}
    return study


KINDS = ("dataset", "architecture", "explainer", "score", "experiment")
NAMES = [
    "..",
    ".",
    "",
    "../elsewhere",
    "a/../../b",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "~",
    "$HOME",
    "$(touch x)",
    "`touch x`",
    "a;b",
    "a b",
    "a\n",
    "a\0b",
    "-rf",
    "*",
    "{dataset}",
    "a'b",
    'a"b',
    "Große",
    "a\u2215b",
    "\u202egnp",
]


@pytest.mark.parametrize("kind", KINDS)
def test_plain_names_pass(kind):
    check_config(named(kind, "my-own.2"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_names_that_could_leave_the_results_are_refused(kind, name):
    with pytest.raises(Error, match="the configuration cannot be used"):
        check_config(named(kind, name))


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=8), st.sampled_from(KINDS[:3]))
def test_whatever_passes_stays_inside(name, kind):
    try:
        study = Study(check_config(named(kind, name)))
    except Error:
        return
    for case in study.cases:
        for group in study.groups:
            path = (
                f"results/archives/{case.dataset}/{case.architecture}/t{case.steps}/fold-{case.fold}/{group}"
            )
            assert os.path.normpath(path) == path
            assert len(Path(path).parts) == 7


@pytest.mark.parametrize("fold", ["../0", "0/..", -1, 1.5, "1", None])
def test_folds_are_numbers(fold):
    study = copy.deepcopy(STUDY)
    study["experiments"]["one"]["folds"] = [fold]
    with pytest.raises(Error, match="folds"):
        check_config(study)


@pytest.mark.parametrize("results", ["", ".", "/", "..", "a{b}", "a*", "a\nb", 7, None])
def test_the_results_are_a_folder(results):
    with pytest.raises(Error, match="results"):
        check_config(STUDY | {"results": results})


def test_a_link_in_the_results_is_replaced_and_not_followed(tmp_path):
    outside, link = tmp_path / "outside.txt", tmp_path / "results" / "report.html"
    outside.write_text("mine")
    link.parent.mkdir()
    link.symlink_to(outside)
    write_text(link, "new")
    assert outside.read_text() == "mine"
    assert link.read_text() == "new"
    assert not link.is_symlink()


def test_a_job_name_cannot_lead_its_lock_elsewhere(tmp_path):
    folder = tmp_path / "results" / ".jobs"
    with job_lock(folder, "../../elsewhere/job"):
        assert [path.parent for path in tmp_path.rglob("*.lock")] == [folder]


# --- archives from strangers -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def about():
    return provenance({}, {}, seed=0, threads=1, device="cpu")


@pytest.fixture
def archive(tmp_path, about):
    """An archive that is sound."""
    path = tmp_path / "sa.attribution.h5"
    case = {"dataset": "a", "architecture": "b", "steps": 2, "fold": 0, "explainer": "sa"}
    which = explanation(**case, parameters={}, model_sha256="0" * 64)
    layout = Layout(samples=3, channels=1, height=2, width=4, steps=2, classes=2)
    with AttributionWriter(path, layout, about | which) as writer:
        writer.append(
            relevance=np.ones((3, 1, 2, 4)),
            prediction=np.zeros((3, 2)),
            label=[0, 1, 1],
            index=[0, 1, 2],
            explained_score=np.zeros(3),
        )
    return path


@pytest.fixture
def scores(tmp_path, about):
    """A score file that is sound."""
    path = tmp_path / "sa.scores.h5"
    columns = {"index": np.arange(3), "correct": np.ones(3), "cosine": np.ones(3)}
    write_scores(path, {"sa": columns}, {name: about[name] for name in PROVENANCE})
    return path


@pytest.fixture
def secret(tmp_path):
    """Somebody else's file, with an array that nobody may read through an archive."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        for name, shape in (("prediction", (3, 2)), ("attribution", (3, 1, 2, 4)), ("cosine", (3,))):
            file[name] = np.full(shape, 42.0, dtype="f4" if name != "cosine" else "f8")
    path.with_suffix(".raw").write_bytes(np.full(64, 42.0).tobytes())
    return path


def external_link(group, name, secret):
    del group[name]
    group[name] = h5py.ExternalLink(str(secret), name)


def soft_link(group, name, secret):
    group.move(name, f"{name}_elsewhere")
    group[name] = h5py.SoftLink(f"{group.name.rstrip('/')}/{name}_elsewhere")


def external_storage(group, name, secret):
    shape, dtype = group[name].shape, group[name].dtype
    del group[name]
    size = int(np.prod(shape)) * dtype.itemsize
    group.create_dataset(name, shape, dtype, external=[(str(secret.with_suffix(".raw")), 0, size)])


def virtual(group, name, secret):
    shape, dtype = group[name].shape, group[name].dtype
    del group[name]
    layout = h5py.VirtualLayout(shape, dtype)
    layout[:] = h5py.VirtualSource(str(secret), name, shape=shape)
    group.create_virtual_dataset(name, layout)


def gigantic(group, name, secret):
    shape, dtype = group[name].shape, group[name].dtype
    del group[name]
    group.create_dataset(name, (2**40, *shape[1:]), dtype, chunks=(2**26, *shape[1:]))


TRICKS = (external_link, soft_link, external_storage, virtual, gigantic)


def altered(path, trick, place, name, secret):
    """Play a trick on a file; what opening compares, the hash of the root attributes, stays right."""
    with h5py.File(path, "r+") as file:
        trick(file[place], name, secret)


@pytest.mark.parametrize("name", ["prediction", "attribution"])
@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.__name__)
def test_an_archive_cannot_reach_out_or_swell(archive, secret, trick, name):
    altered(archive, trick, "/", name, secret)
    with pytest.raises(Error) as caught, AttributionArchive(archive) as opened:
        opened[name][...]
    assert str(archive) in str(caught.value)
    assert verify(archive), "verify says so, too"


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.__name__)
def test_a_score_file_cannot_reach_out_or_swell(scores, secret, trick):
    altered(scores, trick, "sa", "cosine", secret)
    with pytest.raises(Error) as caught:
        read_scores(scores)
    assert str(scores) in str(caught.value)
    assert verify(scores), "verify says so, too"


def test_sound_files_open(archive, scores):
    with AttributionArchive(archive) as opened:
        assert opened["prediction"][...].shape == (3, 2)
    assert read_scores(scores)["sa"]["cosine"].tolist() == [1, 1, 1]
    assert verify(archive) == verify(scores) == []
