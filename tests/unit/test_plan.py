"""Plans: how much work a job is, what has been measured, and what all of it comes to."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from rnnxai.config import check_config
from rnnxai.models.zoo import MODELS
from rnnxai.planning import defaults, dry_run
from rnnxai.planning.dry_run import DryRun, Job
from rnnxai.planning.measured import Measured
from rnnxai.planning.plan import StudyPlan
from rnnxai.planning.work import stage_of, title_of, work_of
from rnnxai.study import Study

NETWORK = "digits-maj/shallow/t12"


def study(**changes):
    return Study(
        check_config(
            {
                "datasets": {"digits-maj": {"source": "digits", "folds": 4}},
                "experiments": {
                    "one": {
                        "datasets": ["digits-maj"],
                        "architectures": ["shallow", "conv-plus-deep"],
                        "steps": [12],
                        "folds": [0, 1, "quality"],
                    }
                },
                "train": {"epochs": 10},
                "explainers": [["sa", "dtd"], ["integrated-gradients"]],
            }
            | changes
        )
    )


def job(stage, wildcards, outputs, inputs=(), benchmark=None, **resources):
    return Job(
        rule=f"{stage}_rule",
        wildcards=wildcards,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        benchmark=f"results/benchmarks/{benchmark or stage}.tsv",
        reason="",
        threads=resources.pop("threads", 1),
        resources=resources,
        grouped=False,
    )


def training(network=NETWORK, folds=(0,), **resources):
    stem = f"results/models/{network}/fold-"
    outputs = [f"{stem}{fold}.{end}" for fold in folds for end in ("safetensors", "metrics.jsonl")]
    label = "-".join(map(str, folds))
    data = ["results/datasets/digits-maj.h5"]
    return job("train", {"network": network}, outputs, data, f"train/{network}/folds-{label}", **resources)


def explaining(names=("sa", "dtd"), architecture="shallow", fold="0"):
    case = f"digits-maj/{architecture}/t12/fold-{fold}"
    outputs = [f"results/archives/{case}/{name}.attribution.h5" for name in names]
    wildcards = {"dataset": "digits-maj", "architecture": architecture, "steps": "12", "fold": fold}
    network = [f"results/models/{case}.safetensors"]
    return job("explain", wildcards, outputs, network, f"explain/{case}/{'+'.join(names)}")


# --- work --------------------------------------------------------------------------------------------------


def alone(work):
    """Seconds of a job without those of starting it."""
    return work.seconds - defaults.of_stage(work.stage).seconds


@pytest.mark.parametrize(
    ("changes", "factor"),
    [
        ({"train": {"epochs": 30}}, 3),
        ({"datasets": {"digits-maj": {"source": "digits", "folds": 4, "repeats": 5}}}, 5),
        ({"datasets": {"digits-maj": {"source": "mnist", "folds": 4}}}, 70_000 / 1_797),
    ],
)
def test_training_grows_with_epochs_and_samples(changes, factor):
    before, after = (alone(work_of(training(), study(**change))) for change in ({}, changes))
    assert after / before == pytest.approx(factor, rel=0.01)


def test_training_grows_with_folds_but_less_than_in_proportion():
    one, seven = (alone(work_of(training(folds=range(k)), study())) for k in (1, 7))
    assert one < seven < 7.5 * one


def test_training_grows_with_steps():
    few, many = (alone(work_of(training(f"digits-maj/shallow/t{t}"), study())) for t in (3, 12))
    assert few < many


def test_the_quality_split_has_its_own_size():
    fold, quality = (alone(work_of(training(folds=(f,)), study())) for f in (0, "quality"))
    expected = (1_500 * 4 / 5 + 297 / 3) / (1_797 * 3 / 4 + 1_797 / 4 / 3)
    assert quality / fold == pytest.approx(expected, rel=0.01)


def test_methods_of_several_passes_take_as_many():
    once = alone(work_of(explaining(), study()))
    often = alone(work_of(explaining(("integrated-gradients",)), study()))
    assert often / once == pytest.approx(32 / 2)


def test_archives_keep_the_maps_they_are_told_to():
    none, some, every = (
        work_of(explaining(), study(archive={"maps": maps})).bytes for maps in (0, 100, "all")
    )
    assert none < some < every
    assert (every - none) / (some - none) == pytest.approx(449 / 100, rel=0.01)


def test_a_cell_of_ones_own_counts_as_the_slowest():
    known = [alone(work_of(training(f"digits-maj/{name}/t12"), study())) for name in MODELS]
    own = study(architectures={"mine": {"cell": "shallow", "sizes": {"hidden": 9}}})
    assert alone(work_of(training("digits-maj/mine/t12"), own)) == pytest.approx(known[0])
    assert defaults.of_training("package:Cell", 1) == max(
        (defaults.of_training(name, 1) for name in MODELS), key=lambda row: row.of_sample(84, 12)
    )


def test_stages_are_folders_of_benchmarks():
    assert stage_of(training(), "results") == "train"
    assert stage_of(job("x", {}, ["a"], benchmark="report"), "results") == "report"
    assert title_of(training()) == f"train {NETWORK}/folds-0"
    assert title_of(job("x", {}, ["a"], benchmark="report")) == "report"


def test_every_architecture_is_in_the_table():
    assert [name for name in MODELS if not defaults.knows(name)] == []
    assert defaults.measured_on().startswith("Measured by benchmarks/plan_defaults.py")


# --- what has been measured --------------------------------------------------------------------------------


def ran(job, seconds, epochs=10, device="cpu", size=1000):
    """Leave behind what a job leaves."""
    for path in map(Path, job.outputs):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            about = {"build": {}, "about": {"settings": {"epochs": epochs, "device": device}}}
            save_file({"w": np.zeros(size // 4, np.float32)}, path, {"rnnxai": json.dumps(about)})
        else:
            path.write_bytes(bytes(size))
    benchmark = Path(job.benchmark)
    benchmark.parent.mkdir(parents=True, exist_ok=True)
    benchmark.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:10\t1.0\n")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_same_network_counts_most(folder):
    ours, twin, other = training(), training(folds=(1,)), training("digits-maj/conv-plus-deep/t12")
    table = work_of(ours, study()).seconds
    ran(twin, 2 * table)
    ran(other, 50 * work_of(other, study()).seconds)
    seconds, shared = Measured([twin, other], study()).seconds(work_of(ours, study()))
    assert seconds == pytest.approx(2 * table)
    assert shared == len(work_of(ours, study()).about)
    seconds, shared = Measured([other], study()).seconds(work_of(ours, study()))
    assert seconds == pytest.approx(50 * table)
    assert shared == 2


def test_a_run_of_fewer_epochs_is_scaled(folder):
    ran(training(folds=(1,)), work_of(training(), study(), epochs=1).seconds, epochs=1)
    seconds, _ = Measured([training(folds=(1,))], study()).seconds(work_of(training(), study()))
    assert seconds == pytest.approx(work_of(training(), study()).seconds)


@pytest.mark.parametrize("damage", ["device", "benchmark", "network", "nothing ran"])
def test_what_says_nothing_is_passed_over(folder, damage):
    twin = training(folds=(1,))
    if damage != "nothing ran":
        ran(twin, 10**6, device="cuda" if damage == "device" else "cpu")
    if damage == "benchmark":
        Path(twin.benchmark).write_text("s\tmax_rss\n-\t-\n")
    if damage == "network":
        Path(twin.outputs[0]).write_bytes(b"half a network")
    work = work_of(training(), study())
    assert Measured([twin], study()).seconds(work) == (work.seconds, 0)


def test_sizes_are_measured_too(folder):
    twin = explaining(fold="1")
    ran(twin, 10, size=12345)
    assert Measured([twin], study()).bytes(work_of(explaining(), study())) == pytest.approx(2 * 12345)


# --- plans -------------------------------------------------------------------------------------------------


def plan_of(jobs, to_run, groups=0, **changes):
    return StudyPlan(DryRun(tuple(jobs), tuple(to_run), groups, study(**changes)))


def test_jobs_are_counted_by_stage(folder):
    trainings, explanations = [training(), training(folds=(1,))], [explaining(), explaining(fold="1")]
    plan = plan_of([*explanations, *trainings], [trainings[1], explanations[1]])
    assert list(plan.stages) == ["train", "explain"], "in the order in which they need each other"
    counted = {name: (s.jobs, s.done, s.to_run) for name, s in plan.stages.items()}
    assert counted == {"train": (2, 1, 1), "explain": (2, 1, 1)}
    assert (plan.total.jobs, plan.total.done, plan.total.to_run) == (4, 2, 2)
    assert plan.total.cpu_hours == pytest.approx(sum(e.seconds for e in plan.estimates) / 3600)
    assert plan.total.gpu_hours == 0
    assert plan.longest.job == trainings[1]


def test_threads_and_gpus_count(folder):
    plan = plan_of([training()], [training(threads=4, gpu=2)])
    seconds = plan.estimates[0].seconds
    assert plan.total.cpu_hours == pytest.approx(4 * seconds / 3600)
    assert plan.total.gpu_hours == pytest.approx(2 * seconds / 3600)
    assert any("knows no GPU" in line for line in plan.warnings)


def test_the_longest_chain_follows_what_jobs_need(folder):
    jobs = [explaining(), training(), training(folds=(1,))]
    plan = plan_of(jobs, jobs)
    explanation, first, _ = plan.estimates
    assert plan.chain_seconds == pytest.approx(explanation.seconds + first.seconds)


def test_submissions_are_groups_and_single_jobs(folder):
    grouped = Job(**{**vars(explaining()), "grouped": True})
    assert plan_of([training(), grouped], [training(), grouped], groups=1).submissions == 2


@pytest.mark.parametrize(
    ("job", "changes", "message"),
    [
        (training(runtime=0), {}, "1 job may pass the time limit of a first attempt"),
        (job("polish", {}, ["x"]), {}, "nothing is known of what polish will take"),
        (
            training(),
            {"datasets": {"digits-maj": {"source": "rnnxai.data.digits:digits"}}},
            "the size of digits-maj is not known",
        ),
    ],
)
def test_warnings(folder, job, changes, message):
    lines = plan_of([job], [job], **changes).warnings
    assert any(line.startswith(message) for line in lines), lines


def test_a_disk_that_is_too_small_is_noticed(folder):
    plan = plan_of([explaining()], [explaining()])
    plan.__dict__["disk_free_bytes"] = 10
    assert plan.warnings[0].startswith("the results need more space than there is")


# --- what Snakemake is asked -------------------------------------------------------------------------------


def test_without_snakemake_it_says_so(monkeypatch):
    monkeypatch.setattr(dry_run, "find_spec", lambda _: None)
    with pytest.raises(dry_run.Error, match=r"install rnnxai\[workflow\]"):
        dry_run.dry_run([])


def test_without_a_workflow_it_says_what_snakemake_says(folder):
    with pytest.raises(dry_run.Error, match=r"^No Snakefile found"):
        dry_run.dry_run([])
