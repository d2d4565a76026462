"""An LSTM as one operation, against the same LSTM step by step, which is what a ledger asks for."""

import math
from weakref import ref

import pytest
import torch

import rnnxai
from rnnxai.explain.channels import Domain
from rnnxai.explain.engine.inputs import Inputs
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.engine.whole_lstm import WholeLSTM
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.rules import Epsilon
from rnnxai.explain.strategy import Strategy, make_strategy

FORMS = {
    "plain": {},
    "two layers": {"num_layers": 2},
    "both directions": {"bidirectional": True, "num_layers": 2},
    "without biases": {"bias": False},
}
ASKED = {
    "lrp-0": ("lrp-0", {}),
    "lrp-eps": ("lrp-eps", {"epsilon": 0.05}),
    "another rule above": ("lrp", {"rules": {"dense": "lrp-gamma", "*": "lrp-0"}}),
    "another rule at the input": (
        "lrp",
        {"rules": {"input": {"rule": "lrp-eps", "epsilon": 0.05}, "*": "lrp-0"}},
    ),
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


class Decoder(Reader):
    """The first states are computed from the input, each by a layer of its own."""

    def __init__(self, bias):
        super().__init__(bias=bias)
        self.first = torch.nn.ModuleList([torch.nn.Linear(5, 7, bias), torch.nn.Linear(5, 7, bias)])

    def forward(self, x):
        return super().forward(x[:, 2:], tuple(layer(x[:, t])[None] for t, layer in enumerate(self.first)))


@pytest.mark.parametrize("silent", [False, True], ids=["noise", "with silence"])
def test_a_state_that_is_computed(runs, silent):
    """Silence in one sample leaves denominators of 0, and all are walked back with care."""
    torch.manual_seed(1)
    model, x = Decoder(bias=not silent).double(), torch.randn(4, 6, 5, dtype=torch.float64)
    if silent:
        x[0] = 0
    found = rnnxai.explain(model, x, 1, "lrp-0")
    assert runs
    assert all(found[:, step].any() for step in range(6))
    right, _ = rnnxai.explain(model, x, 1, "lrp-0", return_ledger=True)
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-13)


CANCELLED = {
    # what g = tanh(x) gets of 6: a half, or 6 g i / epsilon, of which x gets 1 / (1 + epsilon)
    "lrp-0": ("lrp-0", 3),
    "lrp-eps": ({"rule": "lrp-eps", "epsilon": 0.5}, 6 * math.tanh(1) / 2 / 0.5 / (1 + 0.5)),
}


@pytest.mark.parametrize("name", CANCELLED)
def test_a_content_that_cancels(runs, name):
    """c = f c_0 + i g = -tanh(1) / 2 + tanh(1) / 2 = 0, and 0 is stabilised upwards."""
    rule, right = CANCELLED[name]
    model = torch.nn.Sequential(torch.nn.LSTM(1, 1, bias=False), Hidden(), torch.nn.Linear(1, 1)).double()
    with torch.no_grad():
        model[0].weight_hh_l0.zero_()
        model[0].weight_ih_l0.copy_(torch.tensor([[0.0], [0.0], [1.0], [0.0]]))
        model[2].bias.fill_(6.0)
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    model[0].register_forward_pre_hook(lambda module, given: (*given, (0 * one, -torch.tanh(one))))
    found = rnnxai.explain(model, one, 0, "lrp", rules={"dense": "lrp-w2", "*": rule})
    assert runs
    assert found.item() == pytest.approx(right)


def test_a_layer_goes_with_its_recording(monkeypatch):
    """What it holds is an autograd node's: were it to hold the node's outputs, nobody would free either."""
    made, run = [], WholeLSTM.run
    monkeypatch.setattr(WholeLSTM, "run", lambda self, *given: made.append(ref(self)) or run(self, *given))
    rnnxai.explain(Reader(), torch.randn(2, 4, 5), 0, "lrp-0")
    assert made
    assert not any(layer() for layer in made)


class Outputs(torch.nn.Module):
    def forward(self, pair):
        return pair[0].sum(1)


class Hidden(torch.nn.Module):
    def forward(self, pair):
        return pair[0][-1]


@pytest.mark.parametrize(
    "parameters", [("b_ih",), ("b_hh",), ()], ids=["of the input", "of the state", "none"]
)
def test_a_cell_with_one_bias(runs, parameters):
    """torch's function takes either; the module has both or none."""
    torch.manual_seed(1)
    cell, head = torch.nn.LSTMCell(5, 7).double(), torch.nn.Linear(7, 3).double()

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.head = cell, head

        def forward(self, x):
            zeros = x.new_zeros(len(x), 7)
            biases = (
                cell.bias_ih if "b_ih" in parameters else None,
                cell.bias_hh if "b_hh" in parameters else None,
            )
            return self.head(torch.lstm_cell(x, (zeros, zeros), cell.weight_ih, cell.weight_hh, *biases)[0])

    x = torch.randn(4, 5, dtype=torch.float64)
    found = rnnxai.explain(Net(), x, 1, "lrp-0")
    assert runs
    right, _ = rnnxai.explain(Net(), x, 1, "lrp-0", return_ledger=True)
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-13)


class Last(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = torch.nn.LSTM(5, 7), torch.nn.Linear(7, 3)

    def forward(self, packed):
        return self.head(self.lstm(packed)[1][0][-1])


def test_sequences_of_different_lengths_go_step_by_step(runs):
    torch.manual_seed(1)
    model, x = Last().double(), torch.randn(4, 2, 5, dtype=torch.float64)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, [4, 2])
    found, lengths = torch.nn.utils.rnn.pad_packed_sequence(rnnxai.explain(model, packed, 1, "lrp-0"))
    assert not runs
    for sample, length in enumerate(lengths):
        alone = torch.nn.utils.rnn.pack_padded_sequence(x[:length, sample : sample + 1], [length])
        right = rnnxai.explain(model, alone, 1, "lrp-0").data
        torch.testing.assert_close(found[:length, sample], right, rtol=1e-10, atol=1e-13)
    assert len(runs) == len(lengths)


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_projected_states_go_step_by_step(runs):
    torch.manual_seed(1)
    lstm = torch.nn.LSTM(5, 7, proj_size=3, batch_first=True)
    model = torch.nn.Sequential(lstm, Outputs(), torch.nn.Linear(3, 3)).double()
    x = torch.randn(2, 4, 5, dtype=torch.float64)
    found = rnnxai.explain(model, x, 1, "lrp-0")
    assert not runs
    right, _ = rnnxai.explain(model, x, 1, "lrp-0", return_ledger=True)
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-13)


class Refusing:
    """LRP-0, but not for a kind of layer that reads values of one domain."""

    def __init__(self, kind, domain):
        self.kind, self.domain = kind, domain

    def channels(self, domains, reader):
        if reader.kind == self.kind and self.domain in domains:
            raise rnnxai.Error(f"refuses {self.domain}")
        return Epsilon().channels(domains, reader)


@pytest.mark.parametrize(
    ("kind", "domain"),
    [("recurrent", Domain.SIGNED), ("sum", Domain.SIGNED), ("recurrent", Domain.BOUNDED)],
    ids=["states", "the content", "pixels"],
)
def test_a_rule_that_refuses_what_is_read_is_asked_at_its_step(runs, kind, domain):
    model, x = Last().double(), torch.rand(4, 2, 5, dtype=torch.float64)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, [4, 4])
    strategies = {"": Strategy(rule=Refusing(kind, domain))}
    with pytest.raises(rnnxai.Error, match=f"refuses {domain}"):
        explain_batch(Plan(model, (0, 1)), Inputs(packed), torch.zeros(2, dtype=torch.long), strategies)
    assert not runs


OTHERS = {
    "gates that take something": ("lrp-0", {"gates": "half"}),
    "another rule": ("lrp-gamma", {}),
    "another rule for weights": ("lrp", {"rules": {"recurrent": "lrp-gamma", "*": "lrp-0"}}),
    "another rule for the content": ("lrp", {"rules": {"sum": "lrp-gamma", "*": "lrp-0"}}),
    "a gradient": ("sa", {}),
    "gradients on the way": ("integrated-gradients", {"points": 2}),
}


@pytest.mark.parametrize(("method", "options"), OTHERS.values(), ids=OTHERS)
def test_other_methods_go_step_by_step(runs, method, options):
    rnnxai.explain(Reader(), torch.randn(2, 4, 5), 0, method, **options)
    assert not runs


def test_several_methods_go_step_by_step_unless_all_are_served(runs):
    model, x = Reader().double(), torch.randn(2, 4, 5, dtype=torch.float64)
    for methods, whole in ((["lrp-0", "lrp-gamma"], False), (["lrp-0", "lrp-eps"], True)):
        runs.clear()
        strategies = {method: make_strategy(method) for method in methods}
        _, found = explain_batch(Plan(model, None), x, torch.zeros(2, dtype=torch.long), strategies)
        assert bool(runs) == whole
        for method in methods:
            torch.testing.assert_close(found[method].relevance, rnnxai.explain(model, x, 0, method))
