"""What is kept of a finished run: the shares of the steps."""

from pathlib import Path

import numpy as np
import pytest

from rnnxai.data.dataset import Dataset, build_dataset
from rnnxai.data.definition import DatasetDefinition
from rnnxai.figures.relevance_per_step import ink_per_step
from rnnxai.reproduction.published import read_published
from rnnxai.reproduction.run import shares_of_sum

PUBLISHED = Path(__file__).resolve().parents[3] / "docs/reproduction/published.csv"


def test_a_sample_counts_by_its_sum():
    assert shares_of_sum(np.array([[3.0, 0, 0], [0, 0, 1], [0, 0, 0]])).tolist() == [0.75, 0, 0.25]


def test_nothing_to_share():
    assert np.isnan(shares_of_sum(np.zeros((2, 3)))).all()


def test_the_published_curve_of_the_ink_comes_out(data_root, tmp_path):
    """Figure 3.7 of the thesis, whose ink hangs on no network: the grey values of all test images of a 1."""
    build_dataset(DatasetDefinition("mnist", task="columns"), tmp_path / "mnist.h5", data_root)
    images = Dataset.open(tmp_path / "mnist.h5")
    rows = images.rows("quality", "test")
    shares = shares_of_sum(ink_per_step(images, rows[images.labels[rows] == 1], 7))
    table = read_published(PUBLISHED)
    published = table[table["metric"] == "ink-per-step"].sort_values("step")["value"]
    assert shares == pytest.approx(published.to_numpy(), abs=0.0005)
