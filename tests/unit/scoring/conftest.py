"""A data set file of 12 samples and archives of 8 of them, with known maps."""

import h5py
import numpy as np
import pytest

from rnnxai.archive.layout import Layout
from rnnxai.archive.provenance import explanation, provenance
from rnnxai.archive.write import AttributionWriter

JOB = {"seed": 0, "threads": 1, "device": "cpu"}
LABEL = np.arange(12) % 3
MAJORITY = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]] * 4, dtype=np.uint8)
INDEX = np.array([11, 0, 1, 2, 3, 4, 5, 6])

# Block sums per sample; each block is one column of two pixels, of which one holds -1 beside the sum.
BLOCKS = np.array(
    [[0.9, 0.1, 0], [0.9, 0.1, 0], [0, 0.1, 0.9], [0, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 1], [0, 1, 1]]
)


# Every image is one column of two pixels, of which the upper one is ink.
IMAGES = np.array([[[255], [20]]], dtype=np.uint8)


@pytest.fixture
def dataset(tmp_path):
    path = tmp_path / "maj.input.h5"
    with h5py.File(path, "w") as file:
        file["label"], file["majority"] = LABEL.astype(np.uint16), MAJORITY
        file["image"], file["source_index"] = IMAGES, np.zeros((12, 3), dtype=np.uint32)
    return path


@pytest.fixture
def make_archive(tmp_path):
    def make(
        dataset=None, blocks=3, index=INDEX, label=None, predicted=None, start=None, kept=None, **changes
    ):
        cell = {
            "dataset": "digits-maj",
            "architecture": "deep",
            "steps": 1,
            "fold": 0,
            "explainer": "lrp",
            "parameters": {},
            "model_sha256": "0" * 64,
        } | changes
        inputs = {} if dataset is None else {"dataset": dataset}
        maps = np.stack([BLOCKS, -np.ones((8, 3))], axis=1)[:, None]
        label = LABEL[index] if label is None else label
        layout = Layout(
            samples=8,
            channels=1,
            height=2,
            width=3,
            steps=1,
            blocks=blocks,
            classes=3,
            maps=kept,
            conserves=start is not None,
        )
        path = tmp_path / f"{cell['explainer']}-{cell['fold']}.attribution.h5"
        with AttributionWriter(path, layout, provenance({}, inputs, **JOB) | explanation(**cell)) as writer:
            writer.append(
                relevance=maps,
                prediction=np.eye(3)[label if predicted is None else predicted],
                label=label,
                index=index,
                explained_score=np.ones(8),
                start=start,
            )
        return path

    return make
