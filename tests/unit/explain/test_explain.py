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
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.ledger import COLUMNS, Ledger
from rnnxai.explain.recording import Plan, Recording
from rnnxai.explain.rules import AlphaBeta
from rnnxai.explain.strategy import Strategy, make_strategy

ARCHITECTURES = list(rnnxai.MODELS)
METHODS = ["sa", "gb", "dtd", "lrp-a1.5b0.5", "lrp-a2b1"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
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


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_recording_is_freed(make_net, batch, architecture):
    recording = Recording(Plan(make_net(architecture).eval(), (-1, 1)), batch[0], [make_strategy("dtd")])
    recording.walk_back(make_strategy("dtd"), torch.ones_like(recording.scores))
    images = weakref.ref(recording.images)
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


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_rule_may_have_any_number_of_channels(make_net, batch, architecture):
    model = make_net(architecture).eval()
    plan = Plan(model, model.bounds)
    strategies = {f"{n} channels": Strategy(rule=InParts(n), start="positive score") for n in (1, 3)}
    assert [strategy.channels for strategy in strategies.values()] == [1, 3]
    assert [make_strategy(name).channels for name in METHODS] == [1, 1, 1, 2, 2]
    _, found = explain_batch(plan, *batch, strategies, ledgers=True)
    right = rnnxai.explain(model, *batch, "dtd")
    for explanation in found.values():
        torch.testing.assert_close(explanation.relevance, right, rtol=1e-12, atol=1e-15)
    recording = Recording(plan, batch[0], [strategies["1 channels"]])
    with pytest.raises(Error, match="has 3 channels; the recording was made for strategies of at most 1"):
        recording.walk_back(strategies["3 channels"], torch.ones_like(recording.scores))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_recording_serves_methods_in_any_order(make_net, batch, architecture):
    model = make_net(architecture).eval()
    plan = Plan(model, model.bounds)
    alone = {method: rnnxai.explain(model, *batch, method) for method in METHODS}
    for names in (METHODS, METHODS[::-1], ["dtd", "sa", "dtd", "lrp-a2b1", "gb"]):
        strategies = {f"{n} {name}": make_strategy(name) for n, name in enumerate(names)}
        scores, found = explain_batch(plan, *batch, strategies, ledgers=True)
        assert scores.equal(model(batch[0]))
        for label, explanation in found.items():
            name = label.split()[1]
            assert explanation.relevance.equal(alone[name]), label
            assert (explanation.ledger is None) == (name in ("sa", "gb"))


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
    "wrong option": ({"method": "gb", "gates": "folow"}, "gates is 'folow'; it must be 'follow' or"),
    "books of a gradient": ({"method": "sa", "return_ledger": True}, "'sa' does not conserve relevance"),
    "bounds upside down": ({"bounds": (1, -1)}, r"bounds = \(1, -1\) are not a range"),
    "three bounds": ({"bounds": (-1, 0, 1)}, r"bounds = \(-1, 0, 1\) are not a range"),
    "one bound": ({"bounds": 5}, "bounds = 5 are not a range"),
    "bounds of words": ({"bounds": ("low", "high")}, "are not a range"),
    "half a range": ({"bounds": (-1, None)}, "are not a range"),
    "no end": ({"bounds": (-1, float("inf"))}, r"bounds = \(-1, inf\) are not a range"),
    "endless numbers": (
        {"method": f"lrp-a{'9' * 400}b{'9' * 400}"},
        "alpha = inf and beta = inf do not conserve",
    ),
    "narrow bounds": ({"bounds": (-0.5, 1)}, r"images range from -0.\d* to .*outside the bounds \(-0.5, 1\)"),
    "low bounds": ({"bounds": (-1, 0.5)}, r"images range from .*outside the bounds \(-1, 0.5\)"),
    "too dark": ({"images": torch.full((6, 1, 3, 8), -1.1, dtype=torch.float64)}, "from -1.1 to -1.1"),
    "not a number": ({"images": torch.full((6, 1, 3, 8), torch.nan, dtype=torch.float64)}, "from nan"),
    "no images": (
        {"images": torch.empty(0, 1, 3, 8), "targets": torch.empty(0).long()},
        "at least one image",
    ),
    "another dtype": ({"images": torch.zeros(6, 1, 3, 8)}, "float32 on cpu; the model takes torch.float64"),
    "bytes": ({"images": torch.zeros(6, 1, 3, 8, dtype=torch.uint8)}, "images are torch.uint8"),
    "no tensor": ({"images": np.zeros((6, 1, 3, 8))}, "images have type ndarray"),
    "another size": ({"images": torch.zeros(6, 1, 3, 9, dtype=torch.float64)}, r"takes \(N, 1, 3, 8\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_is_named(make_net, batch, name):
    changed, message = WRONG[name]
    arguments = {"images": batch[0], "targets": batch[1]} | changed
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
        ledger.book("layer", 0, column, torch.tensor([10.0**n, 2 * 10.0**n]))
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
