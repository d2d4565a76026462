"""Methods that put several passes together, and what is handed back of a batch."""

import pytest
import torch
from small import INF, between
from torch import nn

import rnnxai
from rnnxai.explain.engine.inputs import Inputs
from rnnxai.explain.engine.plan import Plan, Target
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.strategy import make_strategy

SHAPE = (3, 4, 6)  # samples, and two axes that can be cut


class Images(nn.Module):
    """A layer over all of an image, and its tanh or itself."""

    def __init__(self, *, bent=True, steps=None):
        super().__init__()
        torch.manual_seed(0)
        self.out, self.bent = nn.Linear(24, 3).double(), bent
        if steps is not None:
            self.steps = steps

    def forward(self, x):
        z = self.out(x.flatten(1))
        return torch.tanh(z) if self.bent else z


def images():
    """Of three samples, each with a range of its own."""
    x = torch.rand(SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return 0.25 + x * torch.tensor([1.0, 0.5, 0.75]).view(3, 1, 1).double()


CUTS = {
    # name: options, axis, steps, value, the model's own steps
    "the last axis": ({"steps": 3}, 2, 3, 0.25, None),
    "the model's steps": ({}, 2, 2, 0.25, 2),
    "other than the model's steps": ({"steps": 6}, 2, 6, 0.25, 2),
    "the second axis": ({"steps": 4, "axis": 1}, 1, 4, 0.25, None),
    "the second axis from behind": ({"steps": 2, "axis": -2}, 1, 2, 0.25, 3),
    "all at once": ({"steps": 1, "axis": 2}, 2, 1, 0.25, None),
    "a value": ({"steps": 3, "value": 0.75}, 2, 3, 0.75, None),
    "the value 0": ({"steps": 3, "value": 0.0}, 2, 3, 0.0, None),
}


@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("less", [None, 2])
def test_what_a_step_of_a_linear_model_is_worth(name, less):
    """Without a step, w . x falls by the sum of w (x - value) over it, shared by all its pixels."""
    options, axis, steps, value, own = CUTS[name]
    net, x = Images(bent=False, steps=own), images()
    w = net.out.weight[1] - (0 if less is None else net.out.weight[less])
    worth = w.view(SHAPE[1:]) * (x - value)
    parts = [part.mean((1, 2), keepdim=True).expand_as(part) for part in worth.chunk(steps, axis)]
    found = rnnxai.explain(
        net, x, 1 if less is None else (1, less), "occlusion", bounds=(0.25, 1.25), **options
    )
    torch.testing.assert_close(found, torch.cat(parts, axis))


REFUSED = {
    "no steps": {},
    "steps that do not divide the axis": {"steps": 4},
    "steps that divide only the axis before": {"steps": 3, "axis": 1},
    "the batch": {"steps": 3, "axis": 0},
    "the batch from behind": {"steps": 3, "axis": -3},
    "an axis beyond": {"steps": 3, "axis": 5},
    "an axis beyond, from behind": {"steps": 3, "axis": -5},
}


@pytest.mark.parametrize("name", REFUSED)
def test_cuts_that_cannot_be_made(name):
    with pytest.raises(rnnxai.Error, match="occlusion cannot cut"):
        rnnxai.explain(Images(), images(), 1, "occlusion", **REFUSED[name])


@pytest.mark.parametrize("axis", [1.0, True, None, "1"])
def test_what_is_no_axis(axis):
    with pytest.raises(rnnxai.Error, match=f"axis = {axis!r} is no axis"):
        rnnxai.explain(Images(), images(), 1, "occlusion", steps=2, axis=axis)


@pytest.mark.parametrize("bounds", [None, (0, INF), (-INF, INF), (0, 2), (-1, 1.5)], ids=str)
def test_noise_is_as_wide_as_the_range_or_the_sample(bounds):
    net, x = Images(), images()
    if bounds is None or INF in bounds:
        wide = torch.tensor([float(sample.max() - sample.min()) for sample in x]).double().view(3, 1, 1)
    else:
        wide = bounds[1] - bounds[0]
    rng = torch.Generator().manual_seed(0)
    right = torch.zeros_like(x)
    for _ in range(3):
        drawn = torch.randn(SHAPE, generator=rng, dtype=torch.float64)
        right += gradient(net, x + 0.2 * wide * drawn, 1) / 3
    found = rnnxai.explain(net, x, 1, "smoothgrad", bounds=bounds, samples=3, noise=0.2, seed=0)
    torch.testing.assert_close(found, right)


def gradient(net, x, target):
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(net(leaf)[:, target].sum(), leaf)[0]


# Gauss and Legendre's places on the way from 0 to 1, and their weights.
WAYS = {
    1: [(0.5, 1.0)],
    2: [(0.5 - 0.75**0.5 / 3, 0.5), (0.5 + 0.75**0.5 / 3, 0.5)],
    3: [(0.5 - 0.15**0.5, 5 / 18), (0.5, 8 / 18), (0.5 + 0.15**0.5, 5 / 18)],
}


@pytest.mark.parametrize(
    "baseline, bounds, begins",
    [
        (None, None, 0.0),
        (None, (0.25, 1.25), 0.25),
        (None, (-INF, INF), 0.0),
        (0.5, (0.25, 1.25), 0.5),
        (0.0, (0.25, 1.25), 0.0),
    ],
    ids=str,
)
@pytest.mark.parametrize("points", WAYS)
def test_places_on_the_way(points, baseline, bounds, begins):
    net, x = Images(), images()
    right = sum(
        weight * gradient(net, begins + place * (x - begins), 1) for place, weight in WAYS[points]
    ) * (x - begins)
    options = {"points": points, "bounds": bounds, "baseline": baseline}
    torch.testing.assert_close(rnnxai.explain(net, x, 1, "integrated-gradients", **options), right)


def test_books_are_kept_where_asked_for_and_of_what_conserves():
    net, x = between(lambda e, s, x: e)
    plan, targets = Plan(net.float(), (0, 1)), torch.zeros(5, dtype=torch.long)
    strategies = {name: make_strategy(name) for name in ("sa", "lrp-eps")}
    _, found = explain_batch(plan, x.float(), targets, strategies)
    assert [found[name].ledger for name in strategies] == [None, None]
    _, found = explain_batch(plan, x.float(), targets, strategies, ledgers=True)
    assert found["sa"].ledger is None
    assert found["lrp-eps"].ledger.start.dtype == found["lrp-eps"].ledger.inputs.dtype == "float64"


def test_a_batch_may_come_with_a_contrast():
    net, x = between(lambda e, s, x: e)
    of, less = torch.tensor([0, 1, 2, 0, 1]), torch.tensor([1, 2, 0, 2, 0])
    scores, found = explain_batch(
        Plan(net, (0, 1)),
        Inputs(x),
        Target(of, less),
        {"": make_strategy("lrp-0"), "dtd": make_strategy("dtd")},
    )
    torch.testing.assert_close(scores, net(x).detach())
    rows = torch.arange(5)
    torch.testing.assert_close(found[""].start, scores[rows, of] - scores[rows, less])
    held = scores.clamp(min=0)
    torch.testing.assert_close(found["dtd"].start, held[rows, of] - held[rows, less])


@pytest.mark.parametrize(
    "targets, message",
    [
        ([0, 3, 0, 7, 0], "target 3 of sample 1 .* has 3, from 0"),
        ([0, 0, -1, 0, 3], "target -1 of sample 2"),
        ([0, 0, 0], "for 3 targets"),
    ],
)
def test_the_first_target_that_is_no_class_is_named(targets, message):
    net, x = between(lambda e, s, x: e)
    with pytest.raises(rnnxai.Error, match=message):
        explain_batch(Plan(net, (0, 1)), x, torch.tensor(targets), {"": make_strategy("sa")})


def test_a_batch_may_come_with_further_arguments():
    net, x = between(lambda e, s, x: e)
    shifted = Shifted(net)
    scores, _ = explain_batch(
        Plan(shifted, (0, 1)),
        Inputs(x, [2.0]),
        torch.zeros(5, dtype=torch.long),
        {"": make_strategy("lrp-0")},
    )
    torch.testing.assert_close(scores, net(x).detach() + 2)


class Shifted(nn.Module):
    """A network, and more."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, more):
        return self.net(x) + more


class Clearing(Images):
    """Whatever it is given is zeros afterwards."""

    def forward(self, x):
        scores = super().forward(x)
        x.detach().zero_()
        return scores


def test_a_model_that_clears_its_inputs_is_asked_about_copies():
    x = images()
    right = rnnxai.explain(Images(), x, 1, "occlusion", steps=3)
    found = rnnxai.explain(Clearing(), x, 1, "occlusion", steps=3)
    torch.testing.assert_close(found, right)
    assert x.equal(images())


class OneScore(Images):
    """One score of each sample, without an axis for classes."""

    def forward(self, x):
        return super().forward(x)[:, 1]


@pytest.mark.parametrize("method, options", [("occlusion", {"steps": 3}), ("smoothgrad", {"samples": 2})])
def test_a_model_with_one_score_may_leave_the_classes_out(method, options):
    found = rnnxai.explain(OneScore(), images(), 0, method, **options)
    torch.testing.assert_close(found, rnnxai.explain(Images(), images(), 1, method, **options))


class Thrice(Images):
    """Several scores of each class."""

    def forward(self, x):
        return super().forward(x).unsqueeze(2).expand(-1, -1, 3)


def test_scores_with_another_axis_are_refused():
    plan, targets = Plan(Thrice(), None), torch.zeros(3, dtype=torch.long)
    with pytest.raises(rnnxai.Error, match=r"scores of shape \(3, 3, 3\) for 3 targets"):
        explain_batch(plan, images(), targets, {"": make_strategy("sa")})
