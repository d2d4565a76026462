"""How the memory of an explanation grows: with batch, steps and width each, and never with their squares."""

import importlib.util
from pathlib import Path

import pytest
import torch

from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.strategy import make_strategy
from rnnxai.models.build import build_model

SOURCE = Path(__file__).parents[3] / "benchmarks" / "allocated.py"


@pytest.fixture(scope="module")
def allocated():
    """The benchmarks' way of measuring."""
    spec = importlib.util.spec_from_file_location("allocated", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Allocated


class Plain(torch.nn.Module):
    """An RNN whose width can be chosen."""

    bounds = (-1.0, 1.0)

    def __init__(self, kind, units):
        super().__init__()
        self.kind = kind
        self.recurrent = getattr(torch.nn, kind)(4, units, batch_first=True)
        self.head = torch.nn.Linear(units, 3)

    def forward(self, x):
        return self.head(self.recurrent(x)[0][:, -1])


def peak(allocated, method, count=8, steps=8, units=64, kind="RNN", ledgers=False):
    torch.manual_seed(0)
    model = Plain(kind, units).eval()
    plan, strategies = Plan(model, model.bounds), {method: make_strategy(method)}
    x, targets = torch.rand(count, steps, 4), torch.zeros(count, dtype=torch.int64)
    explain_batch(plan, x, targets, strategies, ledgers=ledgers)  # modified weights are made once per model
    with allocated() as held:
        explain_batch(plan, x, targets, strategies, ledgers=ledgers)
    return held.peak


@pytest.mark.parametrize(
    ("method", "kind"),
    [("sa", "RNN"), ("lrp-0", "RNN"), ("lrp-gamma", "GRU"), ("lrp-0", "LSTM"), ("lrp-w2", "LSTM")],
)
def test_memory_is_linear(allocated, method, kind):
    once = peak(allocated, method, kind=kind)
    for doubled in ({"count": 16}, {"steps": 16}):
        assert 1.7 < peak(allocated, method, kind=kind, **doubled) / once < 2.15, doubled


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_no_sample_costs_the_square_of_the_width(allocated, kind):
    """Weights are the square of the width, whatever the batch, so what another sample takes is compared."""

    def of_a_sample(units):
        return peak(allocated, "lrp-0", 16, units=units, kind=kind) - peak(
            allocated, "lrp-0", 8, units=units, kind=kind
        )

    assert of_a_sample(256) / of_a_sample(64) < 4.2


def test_the_books_are_as_large_as_the_network(allocated):
    model = build_model("shallow", image_size=(8, 24), steps=6, classes=3).eval()
    peaks = []
    for count in (8, 16):
        plan, strategies = Plan(model, model.bounds), {"dtd": make_strategy("dtd")}
        images, targets = torch.rand(count, 1, 8, 24), torch.zeros(count, dtype=torch.int64)
        explain_batch(plan, images, targets, strategies, ledgers=True)
        with allocated() as held:
            explain_batch(plan, images, targets, strategies, ledgers=True)
        peaks.append(held.peak)
    assert peaks[1] / peaks[0] < 2.15
