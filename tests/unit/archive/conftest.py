"""A small archive to take apart: 20 samples of 4 x 12 pixels, 6 steps, 3 blocks."""

from types import SimpleNamespace

import numpy as np
import pytest

from rnnxai.archive.layout import Layout
from rnnxai.archive.provenance import explanation, provenance
from rnnxai.archive.write import AttributionWriter

SIZES = {"samples": 20, "channels": 1, "height": 4, "width": 12, "steps": 6, "blocks": 3, "classes": 5}


@pytest.fixture(scope="session")
def attributes():
    return {
        **provenance({"b": [1, 2], "a": None}, {}, seed=7, threads=1, device="cpu"),
        **explanation(
            dataset="digits-maj",
            architecture="deep",
            steps=6,
            fold=2,
            explainer="dtd",
            parameters={"alpha": 1.0},
            model_sha256="0" * 64,
        ),
    }


@pytest.fixture(scope="session")
def rows():
    """What the writer is given, for all 20 samples."""
    random = np.random.default_rng(0)
    relevance = random.normal(size=(20, 1, 4, 12)).astype(np.float32)
    return {
        "relevance": relevance,
        "prediction": random.normal(size=(20, 5)).astype(np.float32),
        "label": random.integers(0, 5, 20),
        "index": random.permutation(40)[:20],
        "explained_score": random.normal(size=20),
        "start": relevance.astype(np.float64).sum(axis=(1, 2, 3)) + 0.5,
    }


def cut(values, part):
    """Return the rows of one batch, of all arrays where there are several."""
    if isinstance(values, dict):
        return {name: cut(array, part) for name, array in values.items()}
    return values if values is None else values[part]


@pytest.fixture
def write(attributes, rows):
    """Write the archive, by default whole and in batches of 7."""

    def write(path, batch=7, changes=None, attributes=attributes, keep_bits=None, **layout):
        layout = Layout(**{**SIZES, "conserves": True, **layout})
        given = {**rows, **({} if layout.conserves else {"start": None}), **(changes or {})}
        with AttributionWriter(path, layout, attributes, keep_bits) as writer:
            for first in range(0, 20, batch):
                part = slice(first, first + batch)
                writer.append(**{name: cut(values, part) for name, values in given.items()})
        return SimpleNamespace(path=path, layout=layout, **given)

    return write


@pytest.fixture
def archive(tmp_path, write):
    return write(tmp_path / "dtd.attribution.h5")
