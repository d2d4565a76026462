"""Tables 3.3, 3.5 and 3.6 of the thesis."""

import pytest

from rnnxai import MODELS, build_model
from rnnxai.errors import Error
from rnnxai.models.counts import ParameterCounts, parameter_counts

MNIST, MAJ = (28, 28), (28, 84)
TABLES = [
    ("shallow", MNIST, 1, 269_322, 334_858),
    ("shallow", MNIST, 4, 184_330, 184_330),
    ("shallow", MNIST, 7, 162_826, 162_826),
    ("deep", MNIST, 1, 271_338, 304_106),
    ("deep", MNIST, 4, 153_578, 153_578),
    ("deep", MNIST, 7, 132_074, 132_074),
    ("lenet", MNIST, 1, 47_645, 47_645),
    ("shallow", MAJ, 12, 184_330, 184_330),
    ("deep", MAJ, 12, 153_578, 153_578),
    ("deep-v2", MAJ, 12, 161_386, 161_386),
    ("conv-deep", MAJ, 12, 151_802, 151_802),
    ("deep-sd", MAJ, 12, 153_578, 153_578),
    ("r-lstm", MAJ, 12, 145_701, 145_914),
    ("r-lstm-sd", MAJ, 12, 145_701, 145_914),
    ("conv-plus-deep", MAJ, 12, 175_418, 175_418),
    ("conv-r-lstm-sd", MAJ, 12, 152_125, 152_410),
    ("conv-plus-r-lstm-sd", MAJ, 12, 175_741, 176_026),
]


@pytest.mark.parametrize("architecture, image_size, steps, thesis, trainable", TABLES)
def test_tables_of_the_thesis(architecture, image_size, steps, thesis, trainable):
    counts = parameter_counts(architecture, image_size=image_size, steps=steps)
    assert counts == ParameterCounts(architecture, trainable, thesis)


@pytest.mark.parametrize("bias_init", [None, "none", "plain"])
@pytest.mark.parametrize("architecture", list(MODELS))
def test_what_is_counted_is_what_is_built(sizes, architecture, bias_init):
    steps = 1 if architecture in ("lenet", "mnist-cnn") else 4
    how = {"image_size": (3, 8), "steps": steps, "bias_init": bias_init, **sizes[architecture]}
    model = build_model(architecture, **how)
    built = sum(parameter.numel() for parameter in model.parameters())
    assert parameter_counts(architecture, **how).trainable == built


def test_a_gate_bias_counts_as_one():
    counts = parameter_counts("r-lstm", image_size=(3, 8), steps=4, classes=2, encoder=6, cells=5)
    assert counts.trainable - counts.thesis == 3 * (5 - 1)


def test_what_cannot_be_built_cannot_be_counted():
    with pytest.raises(Error, match="unknown architecture 'shalow'"):
        parameter_counts("shalow", image_size=MAJ, steps=12)
    with pytest.raises(Error, match="steps = 5 does not divide"):
        parameter_counts("shallow", image_size=MAJ, steps=5)
