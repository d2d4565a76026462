"""How much work a job is: samples, epochs, steps, folds and passes, and what that takes by the table."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from rnnxai.data.dataset import Fold
from rnnxai.data.definition import DatasetDefinition
from rnnxai.explain.strategy import make_strategy
from rnnxai.models.zoo import MODELS
from rnnxai.planning import defaults
from rnnxai.planning.dry_run import Job
from rnnxai.plugins import is_reference
from rnnxai.study import Study

IMAGES = {"mnist": (60_000, 10_000), "fashion-mnist": (60_000, 10_000), "digits": (1_500, 297)}
"""Training and test images of the sources; one from outside counts as MNIST until its data set is made."""
EVALUATION = 1 / 3
"""What it takes to see what a network makes of a test sample, against training on one: no way back."""
STATES = 4
"""Weights, and in the checkpoint the weights and Adam's two moments."""
BYTES_PER_SAMPLE = 200
"""What an archive keeps of a sample beside its map: logits, sums by step and block, books."""


@dataclass(frozen=True)
class Work:
    """What a job is, for those who estimate it.

    Attributes
    ----------
    stage : str
        "dataset", "train", "explain", ...: the folder of its benchmark.
    about : tuple of str
        What makes jobs comparable: the stage, the device or rule, and on to the single network. A job is best
        compared with those that share the most of it, and not at all with those of another device or rule.
    seconds, bytes : float or None
        What it takes by the table of defaults; None where that has nothing.
    """

    stage: str
    about: tuple[str, ...]
    seconds: float | None
    bytes: float | None


def work_of(job: Job, study: Study, epochs: int | None = None) -> Work:
    """Return how much work a job is.

    Parameters
    ----------
    job : Job
    study : Study
    epochs : int, optional
        Of a training job: how many it has trained; by default how many it is to train.
    """
    stage = stage_of(job, study.config.results)
    if stage == "train" and "network" in job.wildcards:
        return _training(job, study, epochs)
    if stage == "explain" and "architecture" in job.wildcards:
        return _explaining(job, study)
    row = defaults.of_stage(stage)
    if row is None:
        return Work(stage, (stage, job.rule), None, None)
    samples, columns, height = 0, 0, 28
    if "dataset" in job.wildcards:
        definition = study.config.datasets[job.wildcards["dataset"]]
        height, columns = definition.image_size
        if stage == "dataset":
            samples = sum(_images(definition)) * definition.repeats
        elif stage == "score":
            samples = _explained(definition, job.wildcards["fold"]) * len(job.inputs)
    return Work(
        stage,
        (stage, job.rule, *job.wildcards.values()),
        row.seconds + samples * row.of_sample(columns, 0),
        row.bytes + samples * row.bytes_per_pixel * height * columns,
    )


def stage_of(job: Job, results: str) -> str:
    """Return the stage of a job: the folder of its benchmark, or else the name of its rule."""
    parts = PurePosixPath(job.benchmark).parts if job.benchmark else ()
    inside = parts[len(PurePosixPath(results).parts) + 1 :]
    return inside[0].removesuffix(".tsv") if inside else job.rule


def title_of(job: Job) -> str:
    """Return a job in a few words: its stage, its network, its folds or group."""
    if not job.benchmark:
        return job.rule
    parts = PurePosixPath(job.benchmark.removesuffix(".tsv")).parts
    stage, *rest = parts[parts.index("benchmarks") + 1 :]
    return f"{stage} {'/'.join(rest)}".strip()


def folds_of(job: Job) -> list[Fold]:
    """Return the folds that a training job trains, as its outputs say."""
    found = [re.search(r"/fold-(\d+|quality)\.safetensors$", path) for path in job.outputs]
    return [int(m[1]) if m[1].isdigit() else "quality" for m in found if m]


def _training(job: Job, study: Study, epochs: int | None) -> Work:
    dataset, architecture, steps = job.wildcards["network"].split("/")
    t = int(steps.removeprefix("t"))
    definition, settings = study.config.datasets[dataset], study.train_settings(dataset, architecture, t)
    folds = folds_of(job)
    row = defaults.of_training(study.architecture(architecture).cell, len(folds))
    seen = sum(_trained(definition, fold) + EVALUATION * _explained(definition, str(fold)) for fold in folds)
    passes = settings.epochs if epochs is None else epochs
    seconds = passes * seen * row.of_sample(definition.image_size[1], t)
    start = defaults.of_stage("train")
    return Work(
        "train",
        ("train", settings.device, architecture, f"{len(folds)} folds", dataset, steps),
        (start.seconds if start else 0) + seconds,
        len(folds) * STATES * row.bytes,
    )


def _explaining(job: Job, study: Study) -> Work:
    network = job.wildcards
    dataset, architecture, steps = network["dataset"], network["architecture"], int(network["steps"])
    definition = study.config.datasets[dataset]
    settings = study.train_settings(dataset, architecture, steps)
    names = {PurePosixPath(path).name.removesuffix(".attribution.h5") for path in job.outputs}
    members = next(group for group in study.groups.values() if {member.name for member in group} == names)
    passes = sum(_passes(member.method, dict(member.options), steps) for member in members)
    samples = _explained(definition, network["fold"])
    row = defaults.of_explaining(study.architecture(architecture).cell)
    start = defaults.of_stage("explain")
    height, width = definition.image_size
    kept = samples if study.config.archive.maps == "all" else min(samples, study.config.archive.maps)
    maps = kept * height * width * (start.bytes_per_pixel if start else 4)
    return Work(
        "explain",
        ("explain", settings.device, architecture, "+".join(sorted(names)), dataset, f"t{steps}"),
        (start.seconds if start else 0) + samples * passes * row.of_sample(width, steps),
        len(members) * (maps + samples * BYTES_PER_SAMPLE),
    )


def _passes(method: str, options: dict[str, object], steps: int) -> int:
    """Return how many passes through the network a method takes; of one from outside, one."""
    if is_reference(method):
        return 1
    sampling = make_strategy(method, options).sampling
    for name in ("points", "samples", "steps"):
        if hasattr(sampling, name):
            return getattr(sampling, name) or steps
    return 1


def _images(definition: DatasetDefinition) -> tuple[int, int]:
    return IMAGES.get(definition.source, IMAGES["mnist"])


def _trained(definition: DatasetDefinition, fold: Fold) -> int:
    train, test = _images(definition)
    if fold == "quality":  # a fifth is for validation
        return train * 4 // 5 * definition.repeats
    return (train + test) * definition.repeats * (definition.folds - 1) // definition.folds


def _explained(definition: DatasetDefinition, fold: str) -> int:
    train, test = _images(definition)
    return (test if fold == "quality" else (train + test) // definition.folds) * definition.repeats


def knows_source(definition: DatasetDefinition) -> bool:
    """Return whether the size of a data set is known before it is made."""
    return definition.source in IMAGES


def knows_cell(study: Study, architecture: str) -> bool:
    """Return whether the table has the cell of an architecture."""
    return study.architecture(architecture).cell in MODELS and defaults.knows(
        study.architecture(architecture).cell
    )
