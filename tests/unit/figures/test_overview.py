import json
import struct

import numpy as np
import pandas as pd
import pytest

from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.figures import overview, problem
from rnnxai.figures.networks import read_network
from rnnxai.figures.save import save
from rnnxai.scoring.statistics import corrected_interval

REFERENCES = pd.DataFrame({"reference": ["uniform", "last block"], "n": 10, "cosine": [0.82, 0.47]})
LAYERS = {
    "deep": {
        "encoder": (256, 196),
        "hidden": (128, 512),
        "recurrent": (256, 128),
        "decoder": (32, 128),
        "output": (10, 32),
    },
    "r-lstm": {"encoder": (256, 196), "gates": (216, 328), "candidate": (72, 328), "output": (10, 72)},
}


@pytest.fixture
def network(tmp_path):
    """Write a network file of zeros with safetensors' layout."""

    def network(architecture, header=None):
        shapes = {}
        for name, shape in LAYERS[architecture].items():
            shapes[f"cell.{name}.weight"], shapes[f"cell.{name}.bias"] = (1, *shape), (1, shape[0])
        end, tensors = 0, {}
        for name, shape in shapes.items():
            size = 4 * int(np.prod(shape))
            tensors[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
            end += size
        kept = json.dumps({"build": {"name": architecture, "steps": 12}, "about": {"fold": 0}})
        text = json.dumps(
            {"__metadata__": {"rnnxai": kept}, **tensors} if header is None else header
        ).encode()
        path = tmp_path / f"{architecture}.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
        return path

    return network


def scores(folds=("0", "1", "2")):
    random = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {"architecture": a, "explainer": e, "fold": fold, "cosine": random.uniform(0.5, 0.9)}
            for a in LAYERS
            for e in ("dtd", "lrp-a1.5b0.5")
            for fold in folds
        ]
    )


def texts(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def draw(digits_maj, explain_all, network, folds=("0", "1", "2")):
    networks = {name: network(name) for name in LAYERS}
    return overview.draw(digits_maj, explain_all(digits_maj), networks, scores(folds), REFERENCES, 7)


def test_means_and_intervals(digits_maj, explain_all, network):
    _, table = draw(digits_maj, explain_all, network)
    assert len(table) == 4
    for _, row in table.iterrows():
        own = scores().query(f"architecture == {row['architecture']!r} and explainer == {row['explainer']!r}")
        assert row["cosine"] == pytest.approx(own["cosine"].mean())
        assert (row["low"], row["high"]) == pytest.approx(corrected_interval(own["cosine"], 1 / 6))
        assert row["folds"] == 3
    assert table["sample"].nunique() == 1


def test_layers_are_named_with_their_units(digits_maj, explain_all, network):
    found = texts(draw(digits_maj, explain_all, network)[0])
    for text in ("256\nencoder", "128\nhidden", "32\ndecoder", "10\noutput", "72\ncandidate"):
        assert text in found
    assert not any("gates" in text for text in found)
    assert {"256", "72"} <= set(found)  # handed to the next step


@pytest.mark.parametrize(
    ("folds", "words"),
    [
        (("0",), "one fold"),
        (("quality",), "the fixed split"),
        (("0", "1"), "mean of 2 folds and its corrected"),
    ],
)
def test_how_many_networks_is_said(digits_maj, explain_all, network, folds, words):
    assert words in " ".join(texts(draw(digits_maj, explain_all, network, folds)[0]))


def test_nothing_lies_outside(digits_maj, explain_all, network, drawn_texts):
    for figure, _ in (draw(digits_maj, explain_all, network), problem.draw(digits_maj)):
        figure.draw_without_rendering()
        for text in drawn_texts(figure):
            if text.get_text() and text.get_visible():
                box = text.get_window_extent()
                assert box.x0 >= -1, text.get_text()
                assert box.x1 <= figure.bbox.x1 + 1, text.get_text()


def test_equal_bytes(digits_maj, explain_all, network, tmp_path):
    for stem in ("a", "b"):
        save(*draw(digits_maj, explain_all, network), tmp_path / f"overview-{stem}")
        save(*problem.draw(digits_maj), tmp_path / f"problem-{stem}")
    for name in ("overview", "problem"):
        for ending in ("png", "svg", "pdf", "csv"):
            first, second = (tmp_path / f"{name}-{stem}.{ending}" for stem in ("a", "b"))
            assert first.read_bytes() == second.read_bytes()


def test_without_marks_there_is_neither(digits, explain, network):
    with pytest.raises(Error, match="has no marks; the summary is of explanations that can be scored"):
        overview.draw(digits, {("deep", "dtd"): explain(digits)}, {}, scores(), REFERENCES, 7)
    with pytest.raises(Error, match="has no marks; there is no majority to show"):
        problem.draw(digits)


def test_the_example_of_the_thesis(digits_maj):
    figure, table = problem.draw(digits_maj)
    example = table.set_index("explanation").loc["nearly all on one of them"]
    assert example[["block_1", "block_2", "block_3"]].tolist() == pytest.approx([0, 0.1, 0.9])
    assert example["majority_share"] == pytest.approx(0.9)
    assert example["cosine"] == pytest.approx(0.7028, abs=1e-4)
    dataset = Dataset.open(digits_maj)
    row = int((dataset.majority == [1, 0, 1]).all(axis=1).argmax())
    assert (figure.findobj(lambda a: hasattr(a, "get_array") and hasattr(a, "get_extent"))[0].get_array()
            == dataset.sequences([row])[0, 0]).all()  # fmt: skip


def test_a_network_file(network, tmp_path):
    found = read_network(network("r-lstm"))
    assert [tuple(layer) for layer in found.layers] == [("encoder", 256), ("candidate", 72), ("output", 10)]
    assert found.recurrent == 72
    assert found.build == {"name": "r-lstm", "steps": 12}
    assert found.about == {"fold": 0}
    assert found.parameters == 256 * 197 + 216 * 329 + 72 * 329 + 10 * 73
    assert read_network(network("deep")).recurrent == 256
    with pytest.raises(Error, match=r"none\.safetensors: the network cannot be read"):
        read_network(tmp_path / "none.safetensors")
    for content in (b"", b"abc", struct.pack("<Q", 2**60), struct.pack("<Q", 2) + b"[]"):
        (tmp_path / "bad.safetensors").write_bytes(content)
        with pytest.raises(Error, match=r"bad\.safetensors is damaged or no safetensors file"):
            read_network(tmp_path / "bad.safetensors")
    with pytest.raises(Error, match="is not a network of rnnxai"):
        read_network(network("deep", header={}))
