"""What went wrong in other programs, and must not go wrong here.

Each test is named after what happened; its docstring says where. The programs themselves are not needed.
"""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import rnnxai

INFINITE = float("inf")
POSITIVE = (0, INFINITE)
ANY_SIGN = ["lrp-0", "lrp-eps", "lrp-gamma", "lrp-w2", "lrp-flat"]
NOT_NEGATIVE = ["dtd", "lrp-zplus", "lrp-a1.5b0.5", "lrp-a2b1"]
TARGETS = torch.tensor([0, 1, 2])


def randomised(net, seed=0, dtype=torch.float64):
    rng = torch.Generator().manual_seed(seed)
    net = net.to(dtype).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng, dtype=torch.float64) / 2)
    return net


def inputs(*shape, dtype=torch.float64):
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def layer(w, b):
    module = nn.Linear(len(w[0]), len(w), dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(w))
        module.bias.copy_(torch.tensor(b))
    return module


def assert_books_close(relevance, ledger, bound=1e-10):
    size = np.abs(relevance.double().numpy()).reshape(len(relevance), -1).sum(1) + np.abs(ledger.start)
    assert (np.abs(ledger.residual) <= bound * size).all()


class Words(nn.Module):
    """The last state of a recurrent module, classified."""

    def __init__(self, kind="LSTM", **options):
        super().__init__()
        self.cell, self.out = getattr(nn, kind)(4, 6, batch_first=True, **options), nn.Linear(6, 3)

    def forward(self, x, h0=None, c0=None):
        state = h0 if c0 is None else (h0, c0)
        return self.out((self.cell(x) if state is None else self.cell(x, state))[0][:, -1])


# 0/0


def test_an_empty_negative_part_is_no_division_by_epsilon():
    """iNNvestigate 273: relevance -10,000,000 and -20,000,000 where -1 and -2 were right."""
    net = layer([[1.0, -1.0]], [-1.0]).eval()
    x = torch.ones(1, 2, dtype=torch.float64)
    found = rnnxai.explain(net, x, 0, "lrp-zplus", bounds=POSITIVE)
    assert found.tolist() == [[-1, 0]]
    found = rnnxai.explain(net, x, 0, "lrp", rules={"*": "lrp-a2b1"}, bounds=POSITIVE)
    assert found.tolist() == [[-2, 1]]
    for method in ("dtd", "lrp-a2b1"):
        assert not rnnxai.explain(net, x, 0, method, bounds=POSITIVE).any(), "these start from 0"


@pytest.mark.parametrize("method", ANY_SIGN + NOT_NEGATIVE)
def test_inputs_of_zero_are_not_a_number_only_elsewhere(method):
    """lrp_toolbox 11 and 19: NaN, "very frequent if the previous activation is a ReLU"."""
    modules = [layer([[-1.0, -2.0], [-3.0, -1.0]], [0.0, 0.0]), nn.ReLU(), layer([[1.0, -1.0]], [2.0])]
    net = nn.Sequential(*modules).eval()
    for x in (torch.zeros(1, 2, dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64)):
        found, ledger = rnnxai.explain(net, x, 0, method, bounds=POSITIVE, return_ledger=True)
        assert found.isfinite().all()
        assert_books_close(found, ledger)


@pytest.mark.parametrize("method", ANY_SIGN + NOT_NEGATIVE)
@pytest.mark.parametrize("dtype, bound", [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_dead_networks_are_finite(method, dtype, bound):
    """Every hidden unit is off, so all denominators above are empty."""
    modules = [nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 3)]
    net = randomised(nn.Sequential(*modules), dtype=dtype)
    nn.init.constant_(net[0].bias, -100)
    x = inputs(4, dtype=dtype).abs()
    found, ledger = rnnxai.explain(net, x, TARGETS, method, bounds=POSITIVE, return_ledger=True)
    assert found.isfinite().all()
    assert_books_close(found, ledger, bound)


def test_the_stabiliser_has_the_sign_of_what_it_stabilises():
    """lxt adds epsilon without it: where z = -epsilon it divides by zero."""
    net = nn.Sequential(layer([[1.0, -2.0]], [0.0]), nn.Tanh(), layer([[1.0]], [0.0])).eval()
    x = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    found, ledger = rnnxai.explain(net, x, 0, "lrp-eps", epsilon=0.5, return_ledger=True)
    score = float(np.tanh(-0.5))
    held = score * score / (score - 0.5)
    assert found.tolist() == [pytest.approx([held * 0.5 / -1, held * -1 / -1], rel=1e-14)]
    assert_books_close(found, ledger, 1e-14)


@pytest.mark.parametrize("method", ["dtd", "lrp-zplus", "lrp-a2b1", "lrp-a1.5b0.5"])
def test_units_that_are_excited_or_inhibited_only_lose_nothing(method):
    """zennit: z+ hands nothing down from a unit without positive weights, alpha-beta from one-sided units."""
    modules = [nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)]
    net = randomised(nn.Sequential(*modules))
    with torch.no_grad():
        net[0].weight[::2].abs_()
        net[0].weight[1::2].abs_().neg_()
        net[0].bias.fill_(6)
        net[2].weight.abs_()
    x = inputs(4).abs()
    found, ledger = rnnxai.explain(net, x, TARGETS, method, bounds=POSITIVE, return_ledger=True)
    assert not ledger.lost.any()
    np.testing.assert_allclose(found.sum(1).numpy(), ledger.start, rtol=1e-12)
    assert (ledger.start > 0).all()


# Bias


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_what_a_bias_holds_is_not_smeared_over_the_inputs(kind):
    """alewarne and Arras with bias_factor 1: inputs that are 0 receive relevance they had no part in."""
    net, x = randomised(Words(kind)), inputs(5, 4)
    x[:, :, 1] = 0
    x[:, 3] = 0
    for method in ("lrp-0", "lrp-eps", "lrp-gamma"):
        found, ledger = rnnxai.explain(net, x, TARGETS, method, return_ledger=True)
        assert not found[x == 0].any()
        assert found[x != 0].all()
        assert (ledger.table()["bias"] != 0).any(), "it is booked instead"
        assert_books_close(found, ledger)


def test_z_plus_leaves_a_negative_bias_out():
    """captum keeps it in the denominator of its alpha-1-beta-0 rule, and the books are off."""
    net = layer([[1.0, 2.0]], [-2.0]).eval()
    x = torch.ones(1, 2, dtype=torch.float64)
    found = rnnxai.explain(net, x, 0, "dtd", bounds=POSITIVE)
    assert found.tolist() == [pytest.approx([1 / 3, 2 / 3], abs=1e-15)]


# Modules that are used more than once


class Shared(nn.Module):
    """One layer, one ReLU and one pooling, used again and again."""

    def __init__(self, apart=False):
        super().__init__()
        self.enter, self.out = nn.Conv1d(2, 3, 3, padding=1), nn.Linear(6, 3)
        self.again, self.act, self.pool = nn.Conv1d(3, 3, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2)
        self.other = copy.deepcopy(self.again) if apart else self.again
        self.other_act = nn.ReLU() if apart else self.act
        self.other_pool = nn.MaxPool1d(2) if apart else self.pool

    def forward(self, x):
        x = self.pool(self.act(self.enter(x)))
        x = self.other_pool(self.other_act(self.again(x)))
        return self.out(torch.flatten(self.act(self.other(x)), 1))


@pytest.mark.parametrize("method", [*ANY_SIGN, *NOT_NEGATIVE, "sa", "gb", "taylor", "integrated-gradients"])
def test_a_module_used_twice_is_as_two_modules(method):
    """captum 857 (a shape error, then a refusal), tangermeme 54 (silent if shapes match), zennit (silent)."""
    net, x = randomised(Shared()), inputs(2, 8).abs()
    apart = Shared(apart=True).double().eval()
    state = net.state_dict()
    apart.load_state_dict({name: state[name.replace("other.", "again.")] for name in apart.state_dict()})
    torch.testing.assert_close(net(x), apart(x))
    targets = net(x).argmax(1)
    right = rnnxai.explain(apart, x, targets, method, bounds=POSITIVE)
    assert right.any()
    torch.testing.assert_close(
        rnnxai.explain(net, x, targets, method, bounds=POSITIVE), right, rtol=1e-12, atol=0
    )


class Twins(nn.Module):
    """The same trunk reads both halves, and the scores are the difference."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 3))

    def forward(self, x):
        return self.trunk(x[:, :3]) - self.trunk(x[:, 3:])


def test_twins_that_are_subtracted():
    """tangermeme 43: the sums of a trunk that is used twice were off."""
    net, x = randomised(Twins()), inputs(6)
    found, ledger = rnnxai.explain(net, x, TARGETS, "lrp-0", return_ledger=True)
    one, other = (rnnxai.explain(net.trunk, half, TARGETS, "lrp-0") for half in x.split(3, 1))
    torch.testing.assert_close(found, torch.cat([one, -other], 1), rtol=1e-10, atol=1e-12)
    assert_books_close(found, ledger)


# State


@pytest.mark.parametrize("method", [*ANY_SIGN, "sa", "gb"])
def test_a_second_call_gives_what_the_first_gave(method):
    """captum 1059 and 1841: the rules that a user had set were gone after the first call."""
    net, x = randomised(Words()), inputs(5, 4)
    before = {name: list(vars(module)) for name, module in net.named_modules()}
    first = rnnxai.explain(net, x, TARGETS, method)
    assert torch.equal(rnnxai.explain(net, x, TARGETS, method), first)
    assert {name: list(vars(module)) for name, module in net.named_modules()} == before


def test_rules_of_one_call_say_nothing_in_the_next():
    net, x = randomised(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))), inputs(4)
    right = rnnxai.explain(net, x, TARGETS, "lrp-eps")
    rules = {"0": "lrp-flat", "*": "lrp-w2"}
    rnnxai.explain(net, x, TARGETS, "lrp", rules=rules)
    assert rules == {"0": "lrp-flat", "*": "lrp-w2"}
    assert torch.equal(rnnxai.explain(net, x, TARGETS, "lrp-eps"), right)


OPTIONS = {"integrated-gradients": {"points": 4}, "occlusion": {"steps": 5, "axis": 1}}


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("method", [*ANY_SIGN, "sa", "gb", "taylor", "integrated-gradients", "occlusion"])
def test_a_sample_does_not_depend_on_its_batch(method, kind):
    """iNNvestigate 91: it did there. Sizes differ so that nothing can hide in a common scale."""
    net, x = randomised(Words(kind, num_layers=2)), inputs(5, 4) * torch.tensor([1e-3, 1, 1e3])[:, None, None]
    options = OPTIONS.get(method, {})
    together = rnnxai.explain(net, x, TARGETS, method, **options)
    for n in range(3):
        alone = rnnxai.explain(net, x[n : n + 1], TARGETS[n : n + 1], method, **options)[0]
        assert (alone - together[n]).abs().max() <= 1e-9 * alone.abs().max()


# Recurrence


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_all_steps_of_a_recurrent_module_count(kind):
    """ArrasL 1 and captum 594: everything on one step. Here the same inputs in another order tell."""
    net, x = randomised(Words(kind)), inputs(5, 4)
    found = rnnxai.explain(net, x, TARGETS, "lrp-0")
    assert (found.abs().sum(2) > 1e-6 * found.abs().amax()).all()
    flipped = rnnxai.explain(net, x.flip(1), TARGETS, "lrp-0")
    assert not torch.allclose(found, flipped.flip(1), rtol=1e-3)


def test_guided_backprop_guides_inside_a_relu_recurrence():
    """captum sees no ReLU module in nn.RNN(nonlinearity="relu"), and returns the plain gradient."""
    net, x = randomised(Words("RNN", nonlinearity="relu")), inputs(5, 4)
    h, steps, masks = torch.zeros(3, 6, dtype=torch.float64), [], []
    cell = net.cell
    for step in x.unbind(1):
        h = torch.relu(
            step @ cell.weight_ih_l0.T + cell.bias_ih_l0 + h @ cell.weight_hh_l0.T + cell.bias_hh_l0
        )
        masks.append(h > 0)
    gradient = net.out.weight[TARGETS]
    for mask in reversed(masks):
        gradient = gradient.clamp(min=0) * mask
        steps.append(gradient @ cell.weight_ih_l0)
        gradient = gradient @ cell.weight_hh_l0
    right = torch.stack(steps[::-1], 1).detach() ** 2
    found = rnnxai.explain(net, x, TARGETS, "gb")
    torch.testing.assert_close(found, right, rtol=1e-11, atol=1e-15)
    assert not torch.allclose(found, rnnxai.explain(net, x, TARGETS, "sa"))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("method", ["lrp-0", "sa", "taylor", "integrated-gradients"])
def test_dropout_stays_off(kind, method):
    """captum 564 and others: the folk remedy for cuDNN is train(), which turns dropout on."""
    net, x = randomised(Words(kind, num_layers=2, dropout=0.9)), inputs(5, 4)
    right = rnnxai.explain(net, x, TARGETS, method)
    net.train()
    assert torch.equal(rnnxai.explain(net, x, TARGETS, method), right)
    assert net.cell.training


@pytest.mark.skipif(not torch.cuda.is_available(), reason="cuDNN needs a GPU")
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("method", ["lrp-0", "lrp-eps", "sa", "gb", "taylor", "integrated-gradients"])
def test_cudnn_has_no_complaint(kind, method):
    """captum 564, 1159, 328, shap 1057: "cudnn RNN backward can only be called in training mode"."""
    net, x = randomised(Words(kind)), inputs(5, 4)
    right = rnnxai.explain(net, x, TARGETS, method)
    enabled = torch.backends.cudnn.enabled
    found = rnnxai.explain(net.cuda(), x.cuda(), TARGETS.cuda(), method).cpu()
    assert torch.backends.cudnn.enabled == enabled
    assert not net.training
    torch.testing.assert_close(found, right, rtol=1e-7, atol=1e-10 * float(right.abs().max()))
