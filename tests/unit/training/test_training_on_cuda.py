"""Training on a GPU: a graph computes what plain calls compute, and a run that was stopped ends the same."""

import pytest
import torch
from test_resume import assert_same, stop_at

from rnnxai.errors import Stopped
from rnnxai.training import step as one_step

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.fixture(autouse=True)
def _deterministic(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True)


def test_a_graph_makes_the_same_steps(case, monkeypatch):
    one = case(device="cuda")
    graph = one.train(one.run(), one.checkpoint(name="graph", seconds=1e9))
    monkeypatch.setattr(one_step.Step, "_record", lambda step: None)
    assert_same(one.train(one.run(), one.checkpoint(name="plain", seconds=1e9)), graph)


@pytest.mark.parametrize("step", [1, 5, 6, 8])
def test_stopped_anywhere(case, step):
    one = case(device="cuda")
    straight = one.train(one.run(), one.checkpoint(name="straight", seconds=1e9))
    with pytest.raises(Stopped):
        one.train(one.run(), one.checkpoint(seconds=1e9), stop_at(step))
    assert_same(one.train(one.run(), one.checkpoint()), straight)


def test_it_learns_what_a_cpu_learns(case):
    cpu, gpu = (case(device=device, dropout=0.0, epochs=2) for device in ("cpu", "cuda"))
    runs = [one.train(one.run(), one.checkpoint(name=one.settings.device)) for one in (cpu, gpu)]
    for name, value in runs[0].model.state_dict().items():
        found = runs[1].model.state_dict()[name].cpu()
        torch.testing.assert_close(found, value, rtol=1e-2, atol=1e-3)
