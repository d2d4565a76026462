"""A small study that looks as if it had run: real files, made-up maps."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure

from rnnxai.archive.layout import Layout, stored_rows
from rnnxai.archive.provenance import explanation, provenance
from rnnxai.archive.write import AttributionWriter
from rnnxai.config import read_config
from rnnxai.data.dataset import Dataset, build_dataset
from rnnxai.figures.save import save
from rnnxai.report.places import Places
from rnnxai.scoring.archives import score_archive
from rnnxai.scoring.table import merge, write_rows
from rnnxai.study import Case, Study

CONFIG = {
    "datasets": {
        "digits-maj": {"source": "digits", "folds": 30},
        "digits": {"source": "digits", "task": "columns", "folds": 30},
    },
    "experiments": {
        "majority": {
            "datasets": ["digits-maj"],
            "architectures": ["shallow", "deep"],
            "steps": [12],
            "folds": [0, 1],
        },
        "columns": {"datasets": ["digits"], "architectures": ["deep"], "steps": [4], "folds": ["quality"]},
    },
    "explainers": [["sa", "dtd"], ["lrp-a1.5b0.5"]],
    "accuracy_gate": {"digits-maj": 0.95},
}
ACCURACY = {"shallow": 0.91, "deep": 0.97}
EMPTY = 3  # maps without relevance in each archive of DTD
KEPT = 40  # full maps in an archive


def make_study(folder: Path) -> Study:
    """Write all files of the study below a folder, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(CONFIG | {"results": str(folder)}, sort_keys=False))
    study, places = Study(read_config(config)), Places(folder)
    datasets = {}
    for name in study.datasets:
        build_dataset(study.config.datasets[name], places.dataset(name))
        datasets[name] = Dataset.open(places.dataset(name))
    tables = []
    for case in study.cases:
        _train(case, places)
        for group, members in study.groups_of(case).items():
            archives = {member.name: places.archive(case, member.name) for member in members}
            for explainer, path in archives.items():
                _explain(case, explainer, datasets[case.dataset], places.dataset(case.dataset), path)
            tables.append(places.rows(case, group))
            scored = [score_archive(places.dataset(case.dataset), path) for path in archives.values()]
            write_rows(tables[-1], [each.row for each in scored])
    _summarise(merge(tables, places.scores), places.summary)
    _draw(folder)
    return study


@cache  # it asks git
def provenance_of(dataset_path: Path) -> dict:
    return provenance({}, {"dataset": dataset_path}, seed=0, threads=1, device="cpu")


def _train(case: Case, places: Places) -> None:
    network, metrics = places.network(case), places.metrics(case)
    network.parent.mkdir(parents=True, exist_ok=True)
    network.write_bytes(b"weights of " + str(case).encode())
    line = {"epoch": 1, "loss": 0.5, "test_accuracy": ACCURACY[case.architecture]}
    metrics.write_text(json.dumps(line) + "\n")


def _explain(case: Case, explainer: str, dataset: Dataset, dataset_path: Path, path: Path) -> None:
    rows = dataset.rows(case.fold, "test")
    rng = np.random.default_rng([len(case.architecture), len(explainer)])
    pictures = dataset.sequences(rows) / 255
    weights = rng.random((len(rows), dataset.definition.blocks)).repeat(28, axis=1)[:, None, None]
    maps = pictures * weights - (0.1 if explainer.startswith("lrp") else 0)
    if explainer == "dtd":
        maps[:EMPTY] = 0
    labels = dataset.labels[rows]
    predicted = np.where(rng.random(len(rows)) < 0.1, (labels + 1) % 10, labels)
    marks = dataset.majority
    layout = Layout(
        len(rows),
        1,
        *dataset.image_size,
        case.steps,
        10,
        None if marks is None else marks.shape[1],
        np.union1d(stored_rows(len(rows), KEPT, seed=0), [0]),
    )
    about = provenance_of(dataset_path) | explanation(
        dataset=case.dataset,
        architecture=case.architecture,
        steps=case.steps,
        fold=case.fold,
        explainer=explainer,
        parameters={},
        model_sha256="0" * 64,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with AttributionWriter(path, layout, about) as writer:
        writer.append(
            relevance=maps.astype(np.float32),
            prediction=np.eye(10)[predicted],
            label=labels,
            index=rows,
            explained_score=rng.random(len(rows)),
        )


def _summarise(scores: pd.DataFrame, path: Path) -> None:
    cell = ["dataset", "architecture", "T", "explainer"]
    rows = []
    split = scores["fold"].where(scores["fold"] == "quality", "folds")
    for of, group in scores.assign(split=split).groupby([*cell, "split"]):
        for score in ("cosine", "majority_share"):
            mean, half = group[score].mean(), 0.05 if len(group) > 1 else np.nan
            rows.append(
                {
                    **dict(zip([*cell, "split"], of, strict=True)),
                    "score": score,
                    "folds": group[score].count(),
                    "mean": mean,
                    "t_low": mean - half,
                    "t_high": mean + half,
                    "accuracy": group["accuracy"].mean(),
                    "n_undefined": group["n_undefined"].sum(min_count=1),
                }
            )
    pd.DataFrame(rows).to_csv(path, index=False)


def _draw(folder: Path) -> None:
    for stem in ("cosine/digits-maj", "mine/digits-maj-t12-fold-0"):
        figure = Figure((5.5, 3))
        figure.subplots().plot([0, 1], [0.2, 0.8])
        table = pd.DataFrame({"explainer": ["sa", "dtd"], "cosine": [0.2, 0.8]})
        save(figure, table, folder / "figures" / stem)
    (folder / "tables").mkdir()
    (folder / "tables" / "parameters.csv").write_text("dataset,parameters\ndigits-maj,1234\n")
    (folder / "tables" / "parameters.md").write_text(
        "Trainable parameters, 1 \\* each.\n\n| data set   | parameters |\n| ---------- | ---------: |\n"
        "| digits-maj |      1,234 |\n"
    )
    wide = {name: ["conv-plus-r-lstm-sd"] for name in ("data set", "architecture", "baseline")}
    wide |= {f"majority share {number}": ["+.123 [+.101, +.145]"] for number in range(6)}
    pd.DataFrame(wide | {"T": 12, "folds": 7}).to_csv(folder / "tables" / "wide.csv", index=False)
