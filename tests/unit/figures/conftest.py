"""Small data sets of digits, and plausible heatmaps of them written by the real writer."""

import numpy as np
import pytest
from matplotlib.text import Text

from rnnxai.archive.layout import Layout, stored_rows
from rnnxai.archive.provenance import explanation, provenance
from rnnxai.archive.write import AttributionWriter
from rnnxai.data.dataset import Dataset, build_dataset
from rnnxai.data.definition import DatasetDefinition


@pytest.fixture(scope="session")
def digits_maj(tmp_path_factory):
    path = tmp_path_factory.mktemp("figures") / "digits-maj.h5"
    build_dataset(DatasetDefinition("digits"), path)
    return path


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    path = tmp_path_factory.mktemp("figures") / "digits.h5"
    build_dataset(DatasetDefinition("digits", task="columns"), path)
    return path


@pytest.fixture
def explain(tmp_path):
    """Write an archive of fold 0; by default all is right and all relevance is on the majority."""

    def explain(
        dataset_path,
        architecture="deep",
        explainer="dtd",
        kept=40,
        wrong=(),
        change=lambda maps, rows: maps,
        steps=7,
        name=None,
        lost=None,  # of each sample, by place: the explainer conserves relevance
    ):
        dataset = Dataset.open(dataset_path)
        rows = dataset.rows(0, "test")
        pictures = dataset.sequences(rows) / 255.0
        blocks = None if dataset.majority is None else dataset.majority.shape[1]
        weight = 1 if blocks is None else dataset.majority[rows].repeat(28, axis=1)[:, None, None]
        maps = change(pictures * weight, rows).astype(np.float32)
        labels = dataset.labels[rows]
        predicted = np.where(np.isin(rows, wrong), (labels + 1) % 10, labels)
        layout = Layout(
            len(rows),
            1,
            *dataset.image_size,
            steps,
            10,
            blocks,
            stored_rows(len(rows), kept, seed=0),
            conserves=lost is not None,
        )
        attributes = provenance({}, {"dataset": dataset_path}, seed=0, threads=1, device="cpu")
        attributes |= explanation(
            dataset=name or dataset_path.stem,
            architecture=architecture,
            steps=steps,
            fold=0,
            explainer=explainer,
            parameters={},
            model_sha256="0" * 64,
        )
        path = tmp_path / f"{architecture}-{explainer}-{steps}.attribution.h5"
        with AttributionWriter(path, layout, attributes) as writer:
            writer.append(
                relevance=maps,
                prediction=np.eye(10)[predicted],
                label=labels,
                index=rows,
                explained_score=np.ones(len(rows)),
                **({} if lost is None else books(maps, lost)),
            )
        return path

    return explain


@pytest.fixture
def drawn_texts():
    """Return the texts that are drawn; ticks that are out of range are not."""

    def drawn_texts(figure):
        axes = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
        ticks = [label for axis in axes for label in axis.get_majorticklabels()]
        found = figure.findobj(Text)
        return [text for text in found if text not in ticks]

    return drawn_texts


def books(maps, lost):
    return {
        "start": maps.sum(axis=(1, 2, 3), dtype=np.float64) + sum(lost.values()),
        "kept": {place: np.full(len(maps), amount) for place, amount in lost.items()},
    }


@pytest.fixture
def explain_all(explain):
    """Write archives of two architectures and two explainers, one of them with signs."""

    def explain_all(dataset_path, **settings):
        def signed(maps, rows):
            return maps - 0.1

        return {
            (architecture, explainer): explain(
                dataset_path,
                architecture,
                explainer,
                **({"change": signed} if explainer != "dtd" else {}) | settings,
            )
            for architecture in ("r-lstm", "deep")
            for explainer in ("lrp-a1.5b0.5", "dtd")
        }

    return explain_all
