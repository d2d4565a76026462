"""The configuration: what is refused, how it is said, and what a study makes of it."""

import copy
from pathlib import Path

import pytest
import yaml

from rnnxai.config import check_config, read_config
from rnnxai.errors import Error
from rnnxai.models.zoo import MODELS
from rnnxai.reproduction.claims import MAJORITY
from rnnxai.scoring.scores import SCORES
from rnnxai.study import Case, Stack, Study
from rnnxai.training.settings import TrainSettings

ROOT = Path(__file__).parents[2]
SMALL = {
    "datasets": {"digits-maj": {"source": "digits", "folds": 3}},
    "experiments": {
        "majority": {"datasets": ["digits-maj"], "architectures": ["shallow"], "steps": [12], "folds": [0]}
    },
    "explainers": [["sa", "dtd"]],
}


def changed(path: str, value: object) -> dict:
    """Return the small configuration with one value set, by its dotted path."""
    config = copy.deepcopy(SMALL)
    *parents, last = path.split("/")
    place = config
    for key in parents:
        place = place.setdefault(key, {})
    place[last] = value
    return config


TRAIN_KEYS = ", ".join(TrainSettings.model_fields)
EXPERIMENT = "experiments/majority"
REFUSED = {
    "an unknown key": (
        "epochz",
        3,
        "epochz: unknown key; allowed: results, data, datasets, architectures, experi",
    ),
    "an unknown key inside": ("train/epoch", 3, f"train.epoch: unknown key; allowed: {TRAIN_KEYS}"),
    "an unknown architecture": (
        f"{EXPERIMENT}/architectures",
        ["shallow", "deap"],
        (
            "experiments.majority.architectures.1: 'deap' is not allowed: unknown architecture 'deap'. "
            "Did you mean 'deep'? Known: shallow, deep, deep-v2"
        ),
    ),
    "negative epochs": (
        "train/epochs",
        -3,
        "train.epochs: -3 is not allowed: Input should be greater than or equal to 1",
    ),
    "a word for a number": ("train/batch_size", "many", "train.batch_size: 'many' is not allowed"),
    "one fold": (
        "datasets/digits-maj/folds",
        1,
        "datasets.digits-maj: folds is 1; it must be a whole number from 2 to 127",
    ),
    "an unknown key of a data set": (
        "datasets/digits-maj/sauce",
        "digits",
        "datasets.digits-maj: unknown key 'sauce'; allowed: source, task, blocks",
    ),
    "a fold that is not there": (
        f"{EXPERIMENT}/folds",
        [0, 3],
        "experiments.majority.folds: there is no fold 3 in digits-maj; allowed: 0 to 2 and quality",
    ),
    "steps that do not divide the width": (
        f"{EXPERIMENT}/steps",
        [11],
        (
            "experiments.majority.steps: 11 does not divide the width 84 of digits-maj; "
            "allowed: 1, 2, 3, 4, 6, 7, 12, 14, 21, 28, 42, 84"
        ),
    ),
    "steps of an architecture that has one": (
        f"{EXPERIMENT}/architectures",
        ["shallow", "lenet"],
        "experiments.majority.steps: lenet reads an image in one step, not in 12; allowed: 1",
    ),
    "pooling of what does not pool": (
        "train/pooling",
        "sum",
        "train.pooling: shallow of experiments.majority does not pool, so 'sum' means nothing to it",
    ),
    "a data set that is not defined": (
        f"{EXPERIMENT}/datasets",
        ["mnist"],
        "experiments.majority.datasets: 'mnist' is not defined; allowed: digits-maj",
    ),
    "an unknown explainer": (
        "explainers",
        [["lpr-eps"]],
        "unknown explanation method 'lpr-eps'.",
    ),
    "an option that a method does not have": (
        "explainers",
        [[{"method": "gb", "options": {"gate": "follow"}}]],
        "explainers.0.0: explanation method 'gb' does not take the options {'gate': 'follow'}",
    ),
    "a value that an option does not have": (
        "explainers",
        [[{"method": "gb", "options": {"gates": "ajar"}}]],
        "gates is 'ajar'; it must be ",
    ),
    "a rule that does not conserve": ("explainers", [["lrp-a2b2"]], "alpha - beta must be 1"),
    "an explainer named twice": ("explainers", [["sa"], ["sa"]], "explainers: sa stands there twice"),
    "a name that leaves the folder": ("datasets/../evil", {"source": "digits"}, "'..' is no name"),
    "an override of nothing": (
        "overrides",
        [{"when": {"architecture": "shallow"}, "set": {"epoch": 1}}],
        f"overrides.0.set.epoch: unknown key; allowed: {TRAIN_KEYS}",
    ),
    "an override out of range": (
        "overrides",
        [{"when": {}, "set": {"learning_rate": -1}}],
        "overrides.0.set.learning_rate: -1 is not allowed: Input should be greater than 0",
    ),
    "a gate for nothing": ("accuracy_gate", {"mnist": 0.9}, "accuracy_gate: 'mnist' is not defined"),
    "an override of no network": (
        "overrides",
        [{"when": {"dataset": "digits", "steps": 99}, "set": {"epochs": 1}}],
        "overrides.0.when: no network of any experiment is {'dataset': 'digits', 'steps': 99}",
    ),
    "an empty group": ("explainers", [["sa"], []], "explainers.1: "),
    "a folder without a name": ("results", "", "results: '' is not allowed: '' is no folder to write to"),
    "a folder with a wildcard": ("results", "res{x}", "results: 'res{x}' is not allowed"),
    "a truth for a number": (
        f"{EXPERIMENT}/steps",
        [True],
        "experiments.majority.steps.0: True is not allowed",
    ),
    "a truth for epochs": ("train/epochs", True, "train.epochs: True is not allowed"),
    "a number for a name": ("explainers", [[{"method": "sa", "name": 5}]], "5 is no name"),
    "a list for a name": (f"{EXPERIMENT}/architectures", [["deep"]], "['deep']"),
    "no experiments": ("experiments", {}, "experiments: "),
    "a reference that wants a name": (
        f"{EXPERIMENT}/architectures",
        ["own.cells:Own"],
        (
            "experiments.majority.architectures.0: 'own.cells:Own' is not allowed: it needs a name; "
            "write architectures: {my-cell: {cell: own.cells:Own}}"
        ),
    ),
    "a method that wants a name": (
        "explainers",
        [["own.rules:rule"]],
        "it needs a name; write {method: own.rules:rule, name: my-method}",
    ),
    "a score that wants a name": (
        "scores",
        ["cosine", "own.scores:s"],
        "write {score: own.scores:s, name: my-score}",
    ),
    "a cell that is not there": (
        "architectures",
        {"own": {"cell": "own.cells:Own"}},
        (
            "architectures.own: architecture 'own.cells:Own': there is no Python source of the module "
            "own.cells; install its package, or name the folder it is in under python_path"
        ),
    ),
    "a cell of no name": ("architectures", {"own": {"cell": "shalow"}}, "Did you mean 'shallow'?"),
    "a size that a cell does not have": (
        "architectures",
        {"own": {"cell": "shallow", "sizes": {"hiden": 3}}},
        "architectures.own: shallow does not take 'hiden'; allowed: hidden, recurrent",
    ),
    "a size that every cell gets": (
        "architectures",
        {"own": {"cell": "shallow", "sizes": {"classes": 3}}},
        "shallow does not take 'classes'; allowed: hidden, recurrent",
    ),
    "a size that is none": (
        "architectures",
        {"own": {"cell": "shallow", "sizes": {"hidden": 0}}},
        "architectures.own.sizes.hidden: 0 is not allowed",
    ),
    "an architecture named like another": (
        "architectures",
        {"deep": {"cell": "shallow"}},
        "deep is one of the architectures of rnnxai; another name would be right",
    ),
    "an architecture that leaves the folder": (
        "architectures",
        {"../x": {"cell": "shallow"}},
        "'../x' is no name",
    ),
    "a key of an architecture": (
        "architectures",
        {"own": {"cel": "shallow", "cell": "deep"}},
        "architectures.own.cel: unknown key; allowed: cell, sizes",
    ),
    "a source that is not there": (
        "datasets/digits-maj",
        {"source": "own.data:load"},
        "datasets.digits-maj: source 'own.data:load': there is no Python source of the module own.data",
    ),
    "a task that is not there": (
        "datasets/digits-maj/task",
        "rnnxai.data.samples:minority",
        "datasets.digits-maj: task 'rnnxai.data.samples:minority': rnnxai.data.samples has no 'minority'",
    ),
    "a method that is not there": (
        "explainers",
        [[{"method": "rnnxai.explain.relevance:depp_taylor", "name": "own"}]],
        "rnnxai.explain.relevance has no 'depp_taylor'. Did you mean 'deep_taylor'?",
    ),
    "an option that a method from outside does not have": (
        "explainers",
        [[{"method": "rnnxai.explain.relevance:alpha_beta", "name": "own", "options": {"gamma": 1}}]],
        "explainers.0.0: rnnxai.explain.relevance:alpha_beta does not take 'gamma'; allowed: alpha, beta",
    ),
    "an unknown score": ("scores", ["cosin"], "unknown score 'cosin'. Did you mean 'cosine'?"),
    "an option that a score does not have": (
        "scores",
        ["cosine", {"score": "majority-share", "options": {"reductions": 1}}],
        "scores.1: majority-share does not take 'reductions'; allowed: nothing",
    ),
    "a score named like another": (
        "scores",
        [{"score": "majority-share", "name": "cosine"}],
        "cosine is one of the scores of rnnxai; another name would be right",
    ),
    "a score named like a column": (
        "scores",
        ["cosine", {"score": "majority-share", "name": "n-undefined"}],
        "n-undefined is a column of every table; another name would be right",
    ),
    "a baseline that is not compared": (
        "comparisons",
        {"depth": {"architectures": ["shallow"], "baselines": ["deep"]}},
        "baseline 'deep' is not compared; allowed: shallow",
    ),
    "a comparison of what remains": (
        "comparisons",
        {"others": {"architectures": ["shallow"]}},
        "comparisons: others is what remains of all; another name would be right",
    ),
    "a choice of samples that is none": ("figures", {"choice": "by hand"}, "figures.choice"),
    "a score named twice": ("scores", ["cosine", "cosine"], "scores: cosine stands there twice"),
    "no cosine": (
        "scores",
        ["majority-share"],
        "scores: cosine is missing beside majority-share; the figures",
    ),
    "a folder of code that is not there": (
        "python_path",
        ["nowhere"],
        "python_path.0: 'nowhere' is not allowed: there is no folder 'nowhere'",
    ),
}


def of_thesis(**datasets: object) -> dict:
    """Return the configuration of a study of MNIST whose figures show the thesis' samples."""
    config = changed("figures", {"choice": "thesis"})
    config["datasets"] = {"mnist-maj": {"source": "mnist", **datasets}}
    config["experiments"]["majority"] |= {"datasets": ["mnist-maj"], "folds": ["quality", 0]}
    return config


def test_samples_of_the_thesis_need_all_maps() -> None:
    config = of_thesis()
    with pytest.raises(
        Error, match=r"archive\.maps: 1000 keeps the samples of figures\.choice: thesis by"
    ) as e:
        check_config(config)
    assert str(e.value).endswith("allowed with it: all")
    assert check_config(config | {"archive": {"maps": "all"}}).figures.choice == "thesis"
    assert check_config(config | {"figures": {"choice": "rule"}}).archive.maps == 1000


@pytest.mark.parametrize("change", ["seed", "leak_free", "blocks", "folds"])
def test_samples_of_the_thesis_need_its_data_and_split(change: str) -> None:
    config = of_thesis(
        **{"seed": {"seed": 1}, "leak_free": {"leak_free": True}, "blocks": {"blocks": 5}}.get(change, {})
    )
    config["archive"] = {"maps": "all"}
    if change == "folds":
        config["experiments"]["majority"]["folds"] = [0]
    with pytest.raises(
        Error, match=r"figures\.choice: thesis shows samples of the fixed split .* allowed: rule"
    ):
        check_config(config)


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str) -> None:
    path, value, message = REFUSED[name]
    with pytest.raises(Error) as refused:
        check_config(changed(path, value))
    text = str(refused.value)
    assert text.startswith("the configuration cannot be used:\n")
    assert message in text
    assert len(text.splitlines()) == 2, "one wrong value, one line"


def test_every_wrong_value_is_named_at_once() -> None:
    config = changed("train/epochs", -1)
    config["train"]["lr"] = 3
    config["folds_per_job"] = 0
    with pytest.raises(Error) as refused:
        check_config(config)
    assert len(str(refused.value).splitlines()) == 4


def test_everything_that_does_not_fit_the_rest_is_named_at_once() -> None:
    config = changed(f"{EXPERIMENT}/steps", [11, 12, 13])
    config["experiments"]["majority"]["folds"] = [7]
    config["accuracy_gate"] = {"mnist": 0.9}
    config["explainers"] = [["sa"], ["sa"]]
    with pytest.raises(Error) as refused:
        check_config(config)
    assert len(str(refused.value).splitlines()) == 6


@pytest.mark.parametrize(
    ("given", "kept"), [("results/", "results"), ("./a//b", "a/b"), ("/scratch/x", "/scratch/x")]
)
def test_the_folder_of_results_is_written_in_one_way(given: str, kept: str) -> None:
    assert check_config(changed("results", given)).results == kept


def test_a_missing_data_folder_is_refused_unless_it_will_be_filled(tmp_path: Path) -> None:
    config = changed("datasets/digits-maj", {"source": "mnist", "folds": 3})
    config["data"] = {"root": str(tmp_path / "nowhere"), "download": False}
    with pytest.raises(Error, match=r"data\.root: there is no folder '.*nowhere'; one with mnist in"):
        check_config(config)
    config["data"]["download"] = True
    check_config(config)
    check_config(changed("data", {"root": "nowhere", "download": False}))  # digits need no folder


@pytest.mark.parametrize("text", ["a: [", "- 1", ""])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(Error, match=r"config\.yaml"):
        read_config(path)


@pytest.mark.parametrize("path", ["config.yaml", "profiles/demo/study.yaml", "docs/mnist-maj/study.yaml"])
def test_the_configurations_of_the_project_are_good(path: str) -> None:
    assert Study(read_config(ROOT / path)).cases


def test_the_defaults_are_those_that_the_file_of_the_study_shows() -> None:
    shown = yaml.safe_load((ROOT / "config.yaml").read_text())
    needed = ("datasets", "architectures", "experiments", "explainers")
    given = check_config({key: shown[key] for key in needed})
    whole = check_config(shown)
    for key in (
        "results",
        "data",
        "train",
        "train_job",
        "folds_per_job",
        "archive",
        "statistics",
        "figures",
    ):
        assert getattr(whole, key) == getattr(given, key), key
    assert whole.scores[:-1] == given.scores  # and the cosine once more, clipped elsewhere


def test_the_study_of_the_thesis() -> None:
    study = Study(read_config(ROOT / "config.yaml"))
    columns = [case for case in study.cases if case.dataset in ("mnist", "fashion-mnist")]
    assert len([case for case in columns if case.architecture in ("shallow", "deep")]) == 2 * 2 * 3
    assert [case.architecture for case in columns[12:]] == ["lenet", "lenet", "mnist-cnn"]
    majority = [case for case in study.cases if case.steps == 12]
    of_the_thesis = [case for case in majority if case.architecture in MODELS and case.dataset in MAJORITY]
    assert len(of_the_thesis) == 2 * 10 * (1 + 7)
    assert len(majority) - len(of_the_thesis) == 3 + 1 + 3  # what the sources leave open
    assert study.train_settings("mnist", "shallow", 7).learning_rate == 0.0001
    assert study.train_settings("fashion-mnist", "shallow", 7).learning_rate == 0.0002
    assert study.train_settings("mnist", "deep", 7).learning_rate == 0.0002


def test_a_case_named_twice_is_one() -> None:
    config = copy.deepcopy(SMALL)
    config["experiments"]["again"] = config["experiments"]["majority"] | {"folds": [0, 1]}
    assert Study(check_config(config)).cases == [
        Case("digits-maj", "shallow", 12, 0),
        Case("digits-maj", "shallow", 12, 1),
    ]


def test_stacks_hold_as_many_folds_as_asked_for_and_the_quality_split_alone() -> None:
    config = changed(f"{EXPERIMENT}/folds", [0, "quality", 1, 2]) | {"folds_per_job": 2}
    network = ("digits-maj", "shallow", 12)
    assert Study(check_config(config)).stacks == [
        Stack(*network, ("quality",)),
        Stack(*network, (0, 1)),
        Stack(*network, (2,)),
    ]


def test_later_overrides_win() -> None:
    overrides = [
        {"when": {}, "set": {"epochs": 7, "seed": 3}},
        {"when": {"architecture": "shallow", "steps": 12}, "set": {"epochs": 9}},
        {"when": {"dataset": "digits-maj", "architecture": "deep"}, "set": {"epochs": 11}},
    ]
    config = changed(f"{EXPERIMENT}/architectures", ["shallow", "deep"]) | {"overrides": overrides}
    settings = Study(check_config(config)).train_settings("digits-maj", "shallow", 12)
    assert (settings.epochs, settings.seed, settings.batch_size) == (9, 3, 50)


def test_an_architecture_of_the_configuration_is_a_cell_with_sizes() -> None:
    config = changed(f"{EXPERIMENT}/architectures", ["small", "shallow"])
    config["architectures"] = {"small": {"cell": "shallow", "sizes": {"hidden": 8}}}
    config["overrides"] = [{"when": {"architecture": "small"}, "set": {"epochs": 9}}]
    study = Study(check_config(config))
    assert [case.architecture for case in study.cases] == ["small", "shallow"]
    assert study.architecture("small").model_dump() == {"cell": "shallow", "sizes": {"hidden": 8}}
    assert study.architecture("shallow").model_dump() == {"cell": "shallow", "sizes": {}}
    assert study.train_settings("digits-maj", "small", 12).epochs == 9
    config["overrides"][0]["when"]["architecture"] = "smal"
    with pytest.raises(
        Error, match=r"unknown architecture 'smal'\. Did you mean 'small'\? Known: .*, small\."
    ):
        check_config(config)


def test_the_scores_are_those_of_the_table_unless_named() -> None:
    assert [score.name for score in check_config(SMALL).scores] == list(SCORES)
    named = check_config(changed("scores", ["cosine", {"score": "majority-share", "name": "share"}]))
    assert [(score.name, score.score) for score in named.scores] == [
        ("cosine", "cosine"),
        ("share", "majority-share"),
    ]


def test_explainers_with_options_keep_their_name() -> None:
    config = changed(
        "explainers", [["sa", {"method": "gb", "name": "gb-open", "options": {"gates": "follow"}}]]
    )
    study = Study(check_config(config))
    assert list(study.groups) == ["sa+gb-open"]
    assert [member.method for member in study.groups["sa+gb-open"]] == ["sa", "gb"]


# --- explainers of an experiment ----------------------------------------------------------------------------


def with_own_explainers(architectures: list[str], groups: list) -> dict:
    config = copy.deepcopy(SMALL)
    own = {"architectures": architectures, "explainers": groups}
    config["experiments"]["own"] = config["experiments"]["majority"] | own
    return config


def test_an_experiment_may_have_explainers_of_its_own() -> None:
    study = Study(check_config(with_own_explainers(["deep"], [["sa"], ["gb", "dtd"]])))
    shallow, deep = study.cases
    assert list(study.groups_of(shallow)) == ["sa+dtd"]
    assert list(study.groups_of(deep)) == ["sa", "gb+dtd"]
    assert [member.name for member in study.explainers_of(deep)] == ["sa", "gb", "dtd"]
    assert list(study.groups) == ["sa+dtd", "sa", "gb+dtd"]


def test_a_network_of_two_experiments_has_the_explainers_of_both() -> None:
    study = Study(check_config(with_own_explainers(["shallow", "deep"], [["gb"]])))
    shallow, deep = study.cases
    assert list(study.groups_of(shallow)) == ["sa+dtd", "gb"]
    assert list(study.groups_of(deep)) == ["gb"]


@pytest.mark.parametrize(
    ("groups", "complaint"),
    [
        ([["gb", "sa"]], "explainers: sa stands there twice for shallow"),
        ([[{"method": "gb", "name": "dtd"}]], "explainers: dtd stands there twice for shallow"),
        ([["gb"], ["gb"]], "explainers: gb stands there twice for shallow"),
        ([], "experiments.own.explainers"),
    ],
)
def test_explainers_of_one_network_have_names_of_their_own(groups, complaint) -> None:
    with pytest.raises(Error, match=complaint):
        check_config(with_own_explainers(["shallow"], groups))


def test_groups_of_one_name_are_the_same_everywhere() -> None:
    groups = [[{"method": "lrp-eps", "name": "sa", "options": {"epsilon": 0.1}}, "dtd"]]
    with pytest.raises(Error, match=r"sa\+dtd is not the same everywhere"):
        check_config(with_own_explainers(["deep"], groups))
