"""An LSTM as one operation, against the same LSTM step by step, which is what a ledger asks for."""

import pytest
import torch

import rnnxai
from rnnxai.explain.engine.whole_lstm import WholeLSTM

FORMS = {
    "plain": {},
    "two layers": {"num_layers": 2},
    "both directions": {"bidirectional": True, "num_layers": 2},
    "without biases": {"bias": False},
}
ASKED = {
    "lrp-0": ("lrp-0", {}),
    "lrp-eps": ("lrp-eps", {"epsilon": 0.05}),
    "composite": ("lrp", {"rules": {"recurrent": "lrp-eps", "*": "lrp-0"}}),
}


class Reader(torch.nn.Module):
    def __init__(self, **form):
        super().__init__()
        self.lstm = torch.nn.LSTM(5, 7, **form)
        self.head = torch.nn.Linear(7 * (1 + self.lstm.bidirectional), 3)

    def forward(self, x, *state):
        states, (hidden, content) = self.lstm(x.transpose(0, 1), *state)
        return self.head(states[2] + states[-1]) + hidden[-1, :, :3] + content[-1, :, :3]


@pytest.fixture
def runs(monkeypatch):
    """The runs of whole layers so far, as a list."""
    found, run = [], WholeLSTM.run
    monkeypatch.setattr(WholeLSTM, "run", lambda self, *given: found.append(self) or run(self, *given))
    return found


@pytest.mark.parametrize("silent", [False, True], ids=["noise", "with silence"])
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("form", FORMS)
def test_as_step_by_step(runs, form, asked, silent):
    """Silence at the beginning and no biases leave denominators of 0."""
    torch.manual_seed(1)
    model = Reader(**FORMS[form]).double()
    x = torch.randn(4, 6, 5, dtype=torch.float64)
    if silent:
        x[1:3, :3] = 0
        x[0] = 0
    method, options = ASKED[asked]
    found = rnnxai.explain(model, x, 1, method, **options)
    layers = model.lstm.num_layers * (1 + model.lstm.bidirectional)
    assert len(runs) == layers
    right, _ = rnnxai.explain(model, x, 1, method, return_ledger=True, **options)
    assert len(runs) == layers
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-13)


def test_a_state_given_before_silence(runs):
    """At the first step f c_0 alone has relevance, and the candidate's denominator is 0."""
    torch.manual_seed(1)
    model = Reader(bias=False).double()
    x = torch.randn(4, 6, 5, dtype=torch.float64)
    x[:, 0] = 0
    state = torch.zeros(1, 4, 7).double(), torch.randn(1, 4, 7).double()
    found = rnnxai.explain(model, x, 1, "lrp-0", forward_args=(state,))
    assert runs
    right, _ = rnnxai.explain(model, x, 1, "lrp-0", forward_args=(state,), return_ledger=True)
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-13)


OTHERS = {
    "gates that take something": ("lrp-0", {"gates": "half"}),
    "another rule": ("lrp-gamma", {}),
    "another rule for weights": ("lrp", {"rules": {"recurrent": "lrp-gamma", "*": "lrp-0"}}),
    "another rule for the content": ("lrp", {"rules": {"sum": "lrp-gamma", "*": "lrp-0"}}),
    "a gradient": ("sa", {}),
}


@pytest.mark.parametrize(("method", "options"), OTHERS.values(), ids=OTHERS)
def test_other_methods_go_step_by_step(runs, method, options):
    rnnxai.explain(Reader(), torch.randn(2, 4, 5), 0, method, **options)
    assert not runs
