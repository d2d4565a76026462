"""What is handed to the engine, several methods at once, and models that return or do something odd."""

import pytest
import torch
from small import MIXED, Between, Packed, between
from torch import nn

import rnnxai
from rnnxai.explain import at_layers
from rnnxai.explain.arguments import check_same
from rnnxai.explain.engine.inputs import Inputs
from rnnxai.explain.engine.plan import Plan, Target
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.strategy import make_strategy


def test_several_methods_on_one_plan_are_each_as_alone():
    net, x = between(lambda e, s, x: e + net.state * torch.sigmoid(s))
    net.state = nn.Parameter(MIXED.clone())
    methods = ["lrp-0", "lrp-w2", "lrp-gamma", "lrp-flat", "sa", "lrp-eps"]
    strategies = {method: make_strategy(method) for method in methods}
    targets = torch.zeros(5, dtype=torch.long)
    _, found = explain_batch(Plan(net, (0.0, 1.0)), Inputs(x), Target(targets), strategies)
    for method in methods:
        alone = rnnxai.explain(net, x, 0, method, bounds=(0, 1))
        torch.testing.assert_close(found[method].relevance, alone)
        assert found[method].ledger is None  # nobody asked for it


def test_what_is_no_score_is_refused():
    net, x = between(lambda e, s, x: e)
    pair = Pair(net)
    with pytest.raises(rnnxai.Error, match="the model returns tuple"):
        explain_batch(Plan(pair, (0.0, 1.0)), x, torch.zeros(5, dtype=torch.long), {"": make_strategy("sa")})


class Pair(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, *more):
        scores = self.net(x)
        return (scores, scores) if not more else scores + more[0]


def test_further_arguments_may_be_a_list():
    net, x = between(lambda e, s, x: e)
    right = rnnxai.explain(net, x, 0, "lrp-eps", bounds=(0, 1))
    for given in ([1.0], (1.0,)):
        found, ledger = rnnxai.explain(
            Pair(net), x, 0, "lrp-eps", bounds=(0, 1), forward_args=given, return_ledger=True
        )
        assert found.shape == right.shape
        assert ledger.start[0] == pytest.approx(net(x)[0, 0].item() + 1)


def test_a_packed_input_has_no_noisy_copies():
    packed = nn.utils.rnn.pack_padded_sequence(torch.rand(2, 3, 4).double(), [3, 2], batch_first=True)
    with pytest.raises(rnnxai.Error, match=r"torch\.float64, packed"):
        rnnxai.explain(Packed().double(), packed, 0, "smoothgrad")
    inputs = Inputs(packed)
    assert inputs.numbers(packed.data).dtype == torch.float64


def test_targets_of_another_batch_are_refused():
    net, x = between(lambda e, s, x: e)
    strategies = {"lrp-0": make_strategy("lrp-0")}
    for targets in (torch.zeros(4, dtype=torch.long), torch.zeros(6, dtype=torch.long)):
        with pytest.raises(rnnxai.Error, match=rf"for {len(targets)} targets"):
            explain_batch(Plan(net, (0.0, 1.0)), x, targets, strategies)


def test_a_model_that_drifts_is_refused():
    """The recording has to compute what the model does; 1e-4 of the score is too far."""

    class Drifting(Between):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return super().forward(x) * (1 + 1e-4 * self.calls)

    net = Drifting(lambda e, s, x: e).double()
    with pytest.raises(rnnxai.Error, match="away from the model's own"):
        rnnxai.explain(net, torch.rand(5, 4).double(), 0, "lrp-0", bounds=(0, 1))


def test_a_layer_may_be_named_without_a_list():
    net, x = between(lambda e, s, x: e)
    found = at_layers(net, x, 0, "lrp-eps", layers="out", bounds=(0, 1))
    assert {name: tuple(values.shape) for name, values in found.items()} == {"out": (5, 3)}


def test_inputs_are_left_as_they_were():
    class Clearing(Between):
        def forward(self, x):
            scores = super().forward(x)
            x.detach().zero_()
            return scores

    net, x = Clearing(lambda e, s, x: e).double(), torch.rand(5, 4).double()
    before = x.clone()
    rnnxai.explain(net, x, 0, "sa", bounds=(0, 1))
    assert x.equal(before)


@pytest.mark.parametrize(
    "dtype, most", [(torch.float64, 1e-8), (torch.float32, 1e-4), (torch.bfloat16, 0.05)]
)
def test_how_far_scores_may_be_apart(dtype, most):
    scores = torch.tensor([[1.0, -4.0]], dtype=dtype)
    check_same(scores * (1 + 0.8 * most), scores)
    with pytest.raises(rnnxai.Error, match="away from the model's own"):
        check_same(scores * (1 + 1.2 * most), scores)


def test_integrated_gradients_are_taken_on_the_way():
    """Of a network that bends they add up to the rise of the score; those at the inputs alone do not."""
    net, x = between(lambda e, s, x: torch.tanh(s))
    rise = (net(x) - net(0 * x))[:, 1].detach()
    found = rnnxai.explain(net, x, 1, "integrated-gradients", bounds=(0, 1), points=50)
    torch.testing.assert_close(found.sum(1), rise)
    assert (rnnxai.explain(net, x, 1, "taylor", bounds=(0, 1)).sum(1) - rise).abs().max() > 0.1
