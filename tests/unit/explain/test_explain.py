"""The public function: what it refuses, and what it leaves as it found it."""

import copy
import gc
import weakref
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import rnnxai
from rnnxai.errors import Error
from rnnxai.explain.channels import Channel
from rnnxai.explain.engine.inputs import Inputs
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.engine.recording import Recording
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.ledger import COLUMNS, Ledger
from rnnxai.explain.rules import AlphaBeta
from rnnxai.explain.strategy import Strategy, make_strategy

METHODS = ["sa", "gb", "taylor", "dtd", "lrp-a1.5b0.5", "lrp-a2b1", "lrp-eps", "lrp-gamma", "lrp-flat"]


@pytest.mark.parametrize("method", METHODS)
def test_the_map_has_the_form_of_the_images(make_net, batch, architecture, method):
    images, targets = batch
    for dtype in (torch.float32, torch.float64):
        found = rnnxai.explain(make_net(architecture).to(dtype), images.to(dtype), targets, method)
        assert (found.shape, found.dtype, found.requires_grad) == (images.shape, dtype, False)
        assert found.isfinite().all()


def snapshot(model):
    """Return all that an explanation could leave behind in a model, in comparable form."""
    return {
        "training": {name: module.training for name, module in model.named_modules()},
        "hooks": {
            name: [len(module._forward_hooks), len(module._forward_pre_hooks), len(module._backward_hooks)]
            for name, module in model.named_modules()
        },
        "attributes": {name: sorted(vars(module)) for name, module in model.named_modules()},
        "requires_grad": {name: p.requires_grad for name, p in model.named_parameters()},
        "grad": {name: None if p.grad is None else p.grad.tolist() for name, p in model.named_parameters()},
        "values": {name: p.tolist() for name, p in model.state_dict().items()},
        "random": torch.get_rng_state().tolist(),
        "modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "stack": torch.overrides._len_torch_function_stack(),
    }


@pytest.mark.parametrize("outcome", ["success", "wrong target", "crash in the forward pass"])
@pytest.mark.parametrize("method", METHODS)
def test_everything_is_left_as_found(make_net, batch, method, outcome, monkeypatch):
    images, targets = batch
    model = make_net("r-lstm")
    model.train()
    model.cell.dropout.eval()
    model.cell.output.weight.requires_grad_(False)
    model.cell.encoder.weight.grad = torch.ones_like(model.cell.encoder.weight)
    images.requires_grad_()
    before, pixels = snapshot(model), images.tolist()
    if outcome == "success":
        rnnxai.explain(model, images, targets, method)
    elif outcome == "wrong target":
        with pytest.raises(Error):
            rnnxai.explain(model, images, targets + 7, method)
    else:
        with monkeypatch.context() as patch:
            patch.setattr(type(model.cell), "readout", lambda cell, state: state.nothing)
            with pytest.raises(AttributeError):
                rnnxai.explain(model, images, targets, method)
    assert snapshot(model) == before
    assert (images.tolist(), images.grad, images.requires_grad) == (pixels, None, True)


def test_dropout_does_not_act(make_net, batch):
    model = make_net("deep", dropout=0.5)
    in_training = rnnxai.explain(model.train(), *batch)
    assert in_training.equal(rnnxai.explain(model.eval(), *batch))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_caller_may_have_switched_gradients_off(make_net, batch, mode):
    model = make_net("shallow")
    right = rnnxai.explain(model, *batch)
    with mode():
        assert rnnxai.explain(model, batch[0] * 1, batch[1]).equal(right)


def test_a_recording_is_freed(make_net, batch, architecture):
    plan = Plan(make_net(architecture).eval(), (-1, 1))
    recording = Recording(plan, Inputs(batch[0]), keeps_books=True)
    recording.walk_back(make_strategy("dtd"), torch.ones_like(recording.scores))
    images = weakref.ref(recording.leaf)
    del recording
    gc.collect()
    assert images() is None


@dataclass(frozen=True)
class InParts:
    """Deep Taylor decomposition, in so many channels that share the relevance."""

    count: int

    def channels(self, domains, layer):
        (whole,) = AlphaBeta(1, 0).channels(domains, layer)
        return (Channel(whole.share / self.count, whole.terms),) * self.count


def test_a_rule_may_have_any_number_of_channels(make_net, batch, architecture):
    model = make_net(architecture).eval()
    plan = Plan(model, model.bounds)
    strategies = {f"{n} channels": Strategy(InParts(n), "all", start="positive score") for n in (1, 3)}
    _, found = explain_batch(plan, *batch, strategies, ledgers=True)
    right = rnnxai.explain(model, *batch, "dtd")
    for explanation in found.values():
        torch.testing.assert_close(explanation.relevance, right, rtol=1e-12, atol=1e-15)


def test_one_recording_serves_methods_in_any_order(make_net, batch, architecture):
    model = make_net(architecture).eval()
    plan = Plan(model, model.bounds)
    alone = {method: rnnxai.explain(model, *batch, method) for method in METHODS}
    for names in (METHODS, METHODS[::-1], ["dtd", "sa", "dtd", "lrp-flat", "lrp-a2b1", "gb"]):
        strategies = {f"{n} {name}": make_strategy(name) for n, name in enumerate(names)}
        scores, found = explain_batch(plan, *batch, strategies, ledgers=True)
        torch.testing.assert_close(scores, model(batch[0]), rtol=1e-13, atol=1e-15)  # it pools its own way
        for label, explanation in found.items():
            name = label.split()[1]
            assert explanation.relevance.equal(alone[name]), label
            assert (explanation.ledger is None) == (name in ("sa", "gb", "taylor"))


def test_a_plan_does_not_remember_the_batch_before(make_net, batch):
    model = make_net("shallow").eval()
    plan = Plan(model, model.bounds)
    strategies = {"dtd": make_strategy("dtd")}
    other = -batch[0]
    for images in (batch[0], other, batch[0]):
        _, found = explain_batch(plan, images, batch[1], strategies)
        assert found["dtd"].relevance.equal(rnnxai.explain(model, images, batch[1]))


WRONG = {
    "class too high": (
        {"targets": torch.tensor([0, 1, 2, 3, 0, 0])},
        "target 3 of sample 3 .* has 3, from 0",
    ),
    "class below 0": ({"targets": torch.tensor([0, 0, 0, 0, 0, -1])}, "target -1 of sample 5"),
    "too few targets": ({"targets": torch.tensor([0])}, r"targets have shape \(1,\)"),
    "one-hot targets": ({"targets": torch.zeros(6, 3)}, r"targets have shape \(6, 3\)"),
    "fractional targets": ({"targets": torch.zeros(6)}, "type torch.float32"),
    "a mask": ({"targets": torch.zeros(6, dtype=torch.bool)}, "type torch.bool"),
    "unknown method": ({"method": "dtf"}, "unknown explanation method 'dtf'.*Did you mean 'dtd'"),
    "not conserving": ({"method": "lrp-a2b0.5"}, "alpha = 2.0 and beta = 0.5 do not conserve relevance"),
    "unknown option": ({"method": "dtd", "epsilon": 1}, "'dtd' does not take the options {'epsilon': 1}"),
    "option in the name": ({"method": "lrp-a2b1", "alpha": 3}, "does not take the options {'alpha': 3}"),
    "wrong option": (
        {"method": "gb", "gates": "folow"},
        "gates is 'folow'; it must be one of follow, constant",
    ),
    "books of a gradient": ({"method": "sa", "return_ledger": True}, "'sa' does not conserve relevance"),
    "bounds upside down": ({"bounds": (1, -1)}, r"bounds = \(1, -1\) are not a range"),
    "three bounds": ({"bounds": (-1, 0, 1)}, r"bounds = \(-1, 0, 1\) are not a range"),
    "one bound": ({"bounds": 5}, "bounds = 5 are not a range"),
    "bounds of words": ({"bounds": ("low", "high")}, "are not a range"),
    "half a range": ({"bounds": (-1, None)}, "are not a range"),
    "no end": ({"bounds": (-1, float("inf"))}, r"bounds = \(-1, inf\): .* only \(0, inf\) and \(-inf, inf\)"),
    "no beginning": ({"bounds": (float("-inf"), float("-inf"))}, "are not a range"),
    "unknown word": ({"targets": "true"}, "targets = 'true' is unknown; 'predicted' or"),
    "a contrast that is none": ({"targets": (0, 3)}, "target 3 of sample 0 is no class"),
    "gradient's gates for a rule": (
        {"method": "dtd", "gates": "follow"},
        "gates is 'follow'; it must be one of all, half, prop, abs",
    ),
    "a rule's gates for the gradient": ({"method": "gb", "gates": "half"}, "one of follow, constant"),
    "negative epsilon": ({"method": "lrp-eps", "epsilon": -1}, "epsilon = -1 is no stabiliser"),
    "negative gamma": ({"method": "lrp-gamma", "gamma": -1}, "gamma = -1 is no weight"),
    "endless epsilon": ({"method": "lrp-eps", "epsilon": float("inf")}, "epsilon = inf is no stabiliser"),
    "no points": ({"method": "integrated-gradients", "points": 0}, "points = 0 is no number of passes"),
    "baseline": ({"method": "integrated-gradients", "baseline": float("nan")}, "baseline = nan is no value"),
    "half a sample": ({"method": "smoothgrad", "samples": 1.5}, "samples = 1.5 is no number of passes"),
    "negative noise": ({"method": "smoothgrad", "noise": -0.1}, "noise = -0.1 is no amount of noise"),
    "no seed": ({"method": "smoothgrad", "seed": -1}, "seed = -1 is no seed"),
    "steps": ({"method": "occlusion", "steps": 3}, "cannot cut inputs .* into steps = 3 along axis = -1"),
    "axis": ({"method": "occlusion", "axis": 0}, "cannot cut inputs .* along axis = 0"),
    "no rules": ({"method": "lrp", "rules": {}}, "a composite without rules explains nothing"),
    "rules in a list": ({"method": "lrp", "rules": ["lrp-eps"]}, r"rules = \['lrp-eps'\]; a mapping"),
    "no rule that fits": (
        {"method": "lrp", "rules": {"convolution": "lrp-eps"}},
        "no rule of the composite fits layer 'output' .dense.; it has rules for convolution",
    ),
    "a gradient as a rule": (
        {"method": "lrp", "rules": {"*": "sa"}},
        "'sa' walks back with the gradient and has no rule",
    ),
    "a number as a rule": ({"method": "lrp", "rules": {"*": 3}}, "3 is no rule"),
    "options of z-b": ({"method": "lrp", "rules": {"*": {"rule": "z-b", "low": 0}}}, "takes no options"),
    "z-b everywhere": ({"method": "lrp", "rules": {"*": "z-b"}}, "reads .*non-negative.* z.B rule is for"),
    "endless numbers": (
        {"method": f"lrp-a{'9' * 400}b{'9' * 400}"},
        "alpha = inf and beta = inf do not conserve",
    ),
    "narrow bounds": ({"bounds": (-0.5, 1)}, r"inputs range from -0.\d* to .*outside the bounds \(-0.5, 1\)"),
    "low bounds": ({"bounds": (-1, 0.5)}, r"inputs range from .*outside the bounds \(-1, 0.5\)"),
    "too dark": ({"inputs": torch.full((6, 1, 3, 8), -1.1, dtype=torch.float64)}, "from -1.1 to -1.1"),
    "not a number": (
        {"inputs": torch.full((6, 1, 3, 8), torch.nan, dtype=torch.float64)},
        "values that are not finite",
    ),
    "no images": (
        {"inputs": torch.empty(0, 1, 3, 8), "targets": torch.empty(0).long()},
        "at least one sample",
    ),
    "another dtype": ({"inputs": torch.zeros(6, 1, 3, 8)}, "float32 on cpu; the model takes torch.float64"),
    "bytes": ({"inputs": torch.zeros(6, 1, 3, 8, dtype=torch.uint8)}, "inputs are torch.uint8"),
    "no tensor": ({"inputs": np.zeros((6, 1, 3, 8))}, "inputs have type ndarray"),
    "another size": ({"inputs": torch.zeros(6, 1, 3, 9, dtype=torch.float64)}, r"takes \(N, 1, 3, 8\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_is_named(make_net, batch, name):
    changed, message = WRONG[name]
    arguments = {"inputs": batch[0], "targets": batch[1]} | changed
    with pytest.raises(Error, match=message):
        rnnxai.explain(make_net("shallow"), **arguments)


def test_a_stack_of_networks_is_refused(batch):
    rngs = [torch.Generator().manual_seed(seed) for seed in range(6)]
    stack = rnnxai.build_model("shallow", image_size=(3, 8), steps=4, classes=3, generators=rngs).double()
    images = batch[0].expand(6, 6, 1, 3, 8)
    with pytest.raises(Error, match=r"scores of shape \(6, 6, 3\).*one network"):
        rnnxai.explain(stack, images, batch[1])


def test_targets_may_be_a_list(make_net, batch):
    model = make_net("shallow")
    assert rnnxai.explain(model, batch[0], [0, 1, 2, 0, 1, 2]).equal(rnnxai.explain(model, *batch))


def test_the_table_of_the_books(make_net, batch):
    model = make_net("shallow")
    _, ledger = rnnxai.explain(model, *batch, "lrp-a2b1", return_ledger=True)
    table = ledger.table()
    assert list(table) == ["layer", "step", *COLUMNS]
    places = [
        ("output", 3),
        *((name, t) for t in (3, 2, 1) for name in ("hidden", "recurrent")),
        ("hidden", 0),
    ]
    assert list(zip(table["layer"], table["step"], strict=True)) == places
    samples = sum(ledger.table(n)[list(COLUMNS)].to_numpy() for n in range(6))
    np.testing.assert_allclose(table[list(COLUMNS)].to_numpy(), samples, rtol=1e-12, atol=1e-15)


def test_every_column_but_two_is_a_loss():
    ledger = Ledger(np.array([21.0, 42.0]))
    ledger.inputs = np.array([1.0, 2.0])
    for n, column in enumerate(COLUMNS):
        ledger.book("layer", 0, column, np.array([10.0**n, 2 * 10.0**n]))
    assert COLUMNS[:2] == ("incoming", "outgoing")
    assert ledger.lost.tolist() == [111100, 222200]
    assert ledger.dropped.tolist() == [10000, 20000]
    assert ledger.residual.tolist() == [21 - 1 - 111100, 42 - 2 - 222200]
    assert ledger.table(1).iloc[0].tolist() == ["layer", 0, *(2 * 10.0**n for n in range(6))]


def test_explaining_does_not_change_the_model_in_training(make_net, batch):
    """A step of training after an explanation is the step that would have been made without it."""
    torch.manual_seed(0)
    model = make_net("deep", dropout=0.5)
    twin = copy.deepcopy(model)
    gradients = []
    for network, explained in ((model, True), (twin, False)):
        torch.manual_seed(1)
        if explained:
            rnnxai.explain(network, *batch, "lrp-a2b1")
        network(batch[0]).square().sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    assert all(a.equal(b) for a, b in zip(*gradients, strict=True))


def test_targets_may_be_said_in_words_and_numbers(make_net, batch):
    model = make_net("shallow").eval()
    predicted = model(batch[0]).argmax(1)
    for method in ("lrp-eps", "sa", "dtd", "occlusion"):
        right = rnnxai.explain(model, batch[0], predicted, method)
        assert rnnxai.explain(model, batch[0], "predicted", method).equal(right)
        assert rnnxai.explain(model, batch[0], method=method).equal(right)
        right = rnnxai.explain(model, batch[0], torch.ones(6, dtype=torch.int64), method)
        assert rnnxai.explain(model, batch[0], 1, method).equal(right)


@pytest.mark.parametrize("method", ["lrp-eps", "lrp-flat", "taylor", "smoothgrad", "occlusion", "lrp-a2b1"])
def test_a_contrast_is_a_difference(make_net, batch, method):
    """All but the squares are linear in the score that they explain."""
    model = make_net("r-lstm")
    first, second = (rnnxai.explain(model, batch[0], which, method) for which in (0, 2))
    contrast = rnnxai.explain(model, batch[0], (0, 2), method)
    assert (first - second).any()
    torch.testing.assert_close(contrast, first - second, rtol=1e-10, atol=1e-14)


def test_the_square_of_a_contrast_is_that_of_a_difference(make_net, batch):
    model = make_net("shallow")
    images = batch[0].clone().requires_grad_()
    scores = model.eval()(images)
    (gradient,) = torch.autograd.grad((scores[:, 0] - scores[:, 2]).sum(), images)
    found = rnnxai.explain(model, batch[0], (0, 2), "sa")
    torch.testing.assert_close(found, gradient**2, rtol=1e-12, atol=1e-16)


def test_infinite_bounds_choose_the_rule(make_net, batch):
    """An input that is never negative takes z+, one that may be anything w^2, whatever else is beside it."""
    model, inf = make_net("shallow"), float("inf")
    images = batch[0].abs()
    maps = [rnnxai.explain(model, images, 0, "lrp-zplus", bounds=b) for b in ((-1, 1), (0, inf), (-inf, inf))]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert not torch.allclose(maps[first], maps[second])
    images[..., -1] = 0
    assert not rnnxai.explain(model, images, 0, "lrp-zplus", bounds=(0, inf))[..., -1].any()
    assert rnnxai.explain(model, images, 0, "lrp-zplus", bounds=(-inf, inf))[..., -1].any()


def test_at_layers_is_the_relevance_that_the_books_show(make_net, batch):
    model = make_net("deep")
    for method in ("lrp-eps", "dtd", "lrp-flat"):
        _, ledger = rnnxai.explain(model, *batch, method, return_ledger=True)
        found = rnnxai.explain.at_layers(
            model, *batch, method, layers=["cell.hidden", "cell.encoder", "cell.output"]
        )
        rows = ledger.table(2).set_index(["layer", "step"])["incoming"]
        assert found["cell.hidden"].shape == (6, 4, 7)
        for t in range(4):
            assert found["cell.hidden"][2, t].sum() == pytest.approx(rows["hidden", t], rel=1e-12)
            assert found["cell.encoder"][2, t].sum() == pytest.approx(rows["encoder", t], rel=1e-12)
        assert found["cell.output"][2].sum() == pytest.approx(ledger.start[2], rel=1e-12)


@pytest.mark.parametrize(
    "name, message",
    [
        ("cell.hiden", "no layer 'cell.hiden'; the model has"),
        ("cell", "not used"),
        ("cell.dropout", "outputs of shapes"),
    ],
)
def test_layers_that_cannot_be_looked_at_are_named(make_net, batch, name, message):
    with pytest.raises(Error, match=message):
        rnnxai.explain.at_layers(make_net("deep").eval(), *batch, layers=[name])


def test_check_says_what_each_layer_gets(make_net, batch):
    table = rnnxai.explain.check(make_net("deep"), batch[0], "lrp-a1.5b0.5").set_index("layer")
    assert table.loc["encoder", "rule"] == "z^B"
    assert table.loc["hidden", ["kind", "reads", "bias", "uses"]].tolist() == [
        "dense", "non-negative", "non-positive", 4,
    ]  # fmt: skip
    assert table.loc["hidden", "rule"] == "alpha 1.5 beta 0.5"
    assert not table["refusal"].any()
    shallow = rnnxai.explain.check(make_net("shallow"), batch[0], "dtd").set_index("layer")
    assert shallow.loc["hidden", ["reads", "rule"]].tolist() == ["bounded and non-negative", "z^B beside z+"]
    composite = rnnxai.explain.check(
        make_net("deep"),
        batch[0],
        "lrp",
        rules={"input": "z-b", "out*": "lrp-0", "*": {"rule": "lrp-eps", "epsilon": 0.1}},
    ).set_index("layer")["rule"]
    assert composite.to_dict() == {
        "encoder": "z^B", "hidden": "epsilon 0.1", "recurrent": "epsilon 0.1", "decoder": "epsilon 0.1",
        "output": "LRP-0",
    }  # fmt: skip


def test_check_names_what_refuses(one_cell, batch):
    table = rnnxai.explain.check(one_cell(join=lambda cell, e, h: cell.b(e) + h), batch[0], "dtd")
    refusals = table.set_index("layer")["refusal"]
    assert not refusals["a"]
    assert "either sign" in refusals["b"]  # which it reads at one of two places
    table = rnnxai.explain.check(one_cell(join=lambda cell, e, h: e * h), batch[0], "dtd")
    assert "product of two signals" in table.iloc[-1]["refusal"]
    assert not rnnxai.explain.check(one_cell(join=lambda cell, e, h: e * h), batch[0], "sa")["refusal"].any()


def test_relevance_of_steps_and_blocks():
    relevance = torch.arange(24.0).view(1, 1, 2, 12)
    assert rnnxai.explain.per_step(relevance, 3).tolist() == [[60.0, 92.0, 124.0]]
    assert rnnxai.explain.per_step(relevance, 12).tolist() == [[12.0 + 2 * t for t in range(12)]]
    sequences = torch.ones(2, 6, 5)
    assert rnnxai.explain.per_step(sequences, 6, axis=1).tolist() == [[5.0] * 6] * 2
    for steps, axis in ((5, -1), (0, -1), (1, 0), (2, 7)):
        with pytest.raises(Error, match=f"into {steps} steps along axis {axis}"):
            rnnxai.explain.per_step(relevance, steps, axis)
