"""Cells of our own whose forms none of our architectures has."""

import pytest
import torch
from small import assert_closed

import rnnxai
from rnnxai.explain.engine.inputs import Inputs
from rnnxai.explain.engine.plan import Plan, Target
from rnnxai.explain.explainer import Batch, explain_batch
from rnnxai.explain.rules import Epsilon
from rnnxai.explain.strategy import Strategy, make_strategy
from rnnxai.models.cells.cell import Cell
from rnnxai.models.cells.shallow import Shallow
from rnnxai.models.classifier import Classifier
from rnnxai.models.convolution import Convolution
from rnnxai.models.layers import Affine


class FirstStep(Shallow):
    """Shallow, but only the first of the projected steps is read."""

    def step(self, prepared, state):
        return torch.relu(self.hidden.complete(prepared)) if state is None else state


@pytest.mark.parametrize("method", ["dtd", "lrp-eps", "lrp-w2", "taylor"])
def test_projected_steps_that_nothing_reads_get_nothing(method):
    options = {"patch": (3, 2), "classes": 3, "dropout": 0.0, "bias": "plain", "hidden": 5, "recurrent": 4}
    cell = FirstStep(folds=1, **options)
    long, short = (Classifier(cell, (3, 2 * steps), steps).double().eval() for steps in (4, 1))
    rng = torch.Generator().manual_seed(2)
    for layer in long.affine_layers().values():
        layer.initialise([rng], scale=3)
    images = 2 * torch.rand(3, 1, 3, 8, generator=rng, dtype=torch.float64) - 1
    for targets in range(3):
        found = rnnxai.explain(long, images, targets, method)
        assert not found[..., 2:].any()
        torch.testing.assert_close(found[..., :2], rnnxai.explain(short, images[..., :2], targets, method))


class Gated(Shallow):
    """Shallow, but all steps after the first are nothing but gates."""

    def step(self, prepared, state):
        z = self.hidden.complete(prepared)
        return torch.relu(z) if state is None else torch.sigmoid(z) * state


def test_steps_that_one_method_reaches_do_not_stay_for_the_next():
    options = {"patch": (3, 2), "classes": 3, "dropout": 0.0, "bias": "plain", "hidden": 5, "recurrent": 4}
    net = Classifier(Gated(folds=1, **options), (3, 8), 4).double().eval()
    rng = torch.Generator().manual_seed(2)
    for layer in net.affine_layers().values():
        layer.initialise([rng], scale=3)
    images = 2 * torch.rand(3, 1, 3, 8, generator=rng, dtype=torch.float64) - 1
    both = {gates: make_strategy("lrp-0", {"gates": gates}) for gates in ("half", "all")}
    _, found = explain_batch(Plan(net, (-1.0, 1.0)), images, torch.zeros(3, dtype=torch.long), both)
    for gates in both:
        alone = rnnxai.explain(net, images, 0, "lrp-0", gates=gates)
        torch.testing.assert_close(found[gates].relevance, alone)
        assert found[gates].relevance[..., 2:].any() == (gates == "half")


class GatedAbove(Gated):
    """Gated, with another layer behind the first step."""

    def step(self, prepared, state):
        state = super().step(prepared, state)
        return torch.relu(self.recurrent(state)) if self.first(prepared) else state

    def first(self, prepared):
        self.steps = (getattr(self, "steps", 0) + 1) % 4
        return self.steps == 1


class Refusing:
    """LRP-0, but not for one layer."""

    def channels(self, domains, reader):
        if reader.name == "recurrent":
            raise rnnxai.Error("not here")
        return Epsilon().channels(domains, reader)


def test_steps_that_a_walk_reached_before_it_failed_do_not_stay():
    options = {"patch": (3, 2), "classes": 3, "dropout": 0.0, "bias": "plain", "hidden": 5, "recurrent": 5}
    net = Classifier(GatedAbove(folds=1, **options), (3, 8), 4).double().eval()
    rng = torch.Generator().manual_seed(2)
    for layer in net.affine_layers().values():
        layer.initialise([rng], scale=3)
    images = 2 * torch.rand(3, 1, 3, 8, generator=rng, dtype=torch.float64) - 1
    strategies = [Strategy(rule=Refusing(), gates="half"), make_strategy("lrp-0")]
    batch = Batch(
        Plan(net, (-1.0, 1.0)),
        Inputs(images),
        Target(torch.zeros(3, dtype=torch.long)),
        strategies=strategies,
    )
    with pytest.raises(rnnxai.Error, match="not here"):
        batch.explain(strategies[0])
    found = batch.explain(strategies[1])
    assert found.ledger is None  # nobody asked for it
    assert found.relevance.any()
    torch.testing.assert_close(found.relevance, rnnxai.explain(net, images, 0, "lrp-0"))


class Constant(Shallow):
    """Shallow, but what it projects is a constant."""

    def prepare(self, patches):
        return self.hidden.project(torch.ones_like(patches))


def test_a_projected_constant_is_named():
    options = {"patch": (3, 2), "classes": 3, "dropout": 0.0, "bias": "plain"}
    net = Classifier(Constant(folds=1, **options), (3, 8), 4)
    with pytest.raises(rnnxai.Error, match="'hidden' projects a constant"):
        rnnxai.explain(net, torch.zeros(2, 1, 3, 8), 0, "lrp-eps")


def test_our_own_networks_know_the_range_of_their_pixels():
    net = rnnxai.build_model("shallow", image_size=(3, 8), steps=4, classes=3, hidden=7, recurrent=5, seed=0)
    images = torch.rand(2, 1, 3, 8, generator=torch.Generator().manual_seed(0))
    found = rnnxai.explain(net, images, 1, "dtd")
    assert found.any()
    torch.testing.assert_close(found, rnnxai.explain(net, images, 1, "dtd", bounds=(-1, 1)))
    assert not found.equal(rnnxai.explain(net, images, 1, "dtd", bounds=(0, 1)))


def test_the_steps_of_our_own_networks():
    """The recurrent layer first acts at the second step."""
    net = rnnxai.build_model("shallow", image_size=(3, 8), steps=4, classes=3, hidden=7, recurrent=5, seed=0)
    images = torch.rand(2, 1, 3, 8, generator=torch.Generator().manual_seed(0))
    _, ledger = rnnxai.explain(net, images, 0, "lrp-eps", return_ledger=True)
    table = ledger.table()
    steps = {layer: sorted(rows.step) for layer, rows in table.groupby("layer")}
    assert steps["hidden"] == [0, 1, 2, 3]
    assert steps["recurrent"] == [1, 2, 3]


class Kernels(Cell):
    """Convolutions whose kernels are of even and different sides."""

    def __init__(self, padding):
        super().__init__()
        self.convolution = Convolution(1, (1,), 3, (2, 5), padding, "plain")
        self.out = Affine(1, (3 * 24 if padding == "same" else 3 * 8,), 3, "plain")

    def prepare(self, patches):
        return patches.unbind(1)

    def step(self, prepared, state):
        return torch.relu(self.convolution(prepared.reshape(1, -1, 1, 3, 8)))

    def readout(self, state):
        return self.out(state.flatten(2))


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_kernels_of_any_sides(padding):
    net = Classifier(Kernels(padding), (3, 8), 1).double().eval()
    rng = torch.Generator().manual_seed(2)
    for layer in net.affine_layers().values():
        layer.initialise([rng], scale=3)
        with torch.no_grad():
            layer.bias.copy_(torch.randn(layer.bias.shape, generator=rng, dtype=torch.float64))
    images = 2 * torch.rand(3, 1, 3, 8, generator=rng, dtype=torch.float64) - 1
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    for method in ("taylor", "lrp-0"):
        torch.testing.assert_close(rnnxai.explain(net, images, 1, method), images * gradient)
    _, ledger = rnnxai.explain(net, images, 1, "lrp-0", return_ledger=True)
    assert_closed(ledger)


class Lateral(Cell):
    """A convolution reads an image beside the state, which is left out at the first step."""

    def __init__(self, projects):
        super().__init__()
        self.convolution = Convolution(1, (1, 2), 2, (3, 2), "same", "plain")
        self.out, self.projects = Affine(1, (2 * 12,), 3, "plain"), projects

    def prepare(self, patches):
        images = patches.unflatten(-1, (1, 3, 4))
        return self.convolution.project(images) if self.projects else images.unbind(1)

    def step(self, prepared, state):
        use = self.convolution.complete if self.projects else self.convolution
        return torch.relu(use(prepared, *([] if state is None else [state])))

    def readout(self, state):
        return self.out(state.flatten(2))


@pytest.mark.parametrize("projects", [False, True])
def test_a_state_of_images(projects):
    net = Classifier(Lateral(projects), (3, 8), 2).double().eval()
    rng = torch.Generator().manual_seed(2)
    for layer in net.affine_layers().values():
        layer.initialise([rng], scale=3)
    images = 2 * torch.rand(3, 1, 3, 8, generator=rng, dtype=torch.float64) - 1
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    for method in ("taylor", "lrp-0"):
        torch.testing.assert_close(rnnxai.explain(net, images, 1, method), images * gradient)
    for method in ("lrp-0", "lrp-w2", "lrp-flat"):
        _, ledger = rnnxai.explain(net, images, 1, method, return_ledger=True)
        assert_closed(ledger)
        # A state that is left out is zeros, which take their part by rules that ignore values.
        assert ledger.table().initial_state.any() == (method != "lrp-0")
    with torch.no_grad():
        net.cell.convolution.weight.zero_()  # nobody but the inputs' values says who gets what
        net.cell.out.bias.fill_(1.0)
    rules = {"convolution": "lrp-0", "*": "lrp-flat"}
    short = Classifier(net.cell, (3, 4), 1).double().eval()
    found, ledger = rnnxai.explain(short, images[..., :4], 1, "lrp", rules=rules, return_ledger=True)
    assert found.any()
    assert not ledger.table().initial_state.any()


class Begun(Lateral):
    """The same, but its state begins with something."""

    def step(self, prepared, state):
        return super().step(prepared, torch.full((1, 3, 2, 3, 4), 0.5).double() if state is None else state)


@pytest.mark.parametrize("projects", [False, True])
def test_a_state_that_begins_with_something(projects):
    net = Classifier(Begun(projects), (3, 8), 2).double().eval()
    rng = torch.Generator().manual_seed(2)
    for layer in net.affine_layers().values():
        layer.initialise([rng], scale=3)
    images = 2 * torch.rand(3, 1, 3, 8, generator=rng, dtype=torch.float64) - 1
    _, ledger = rnnxai.explain(net, images, 1, "lrp-0", return_ledger=True)
    assert ledger.table().initial_state.any()
    assert_closed(ledger)


class WithTorchCell(Shallow):
    """Shallow, but what is behind the first step is a cell of torch's."""

    def __init__(self, **options):
        super().__init__(**options)
        torch.manual_seed(0)
        self.inner = torch.nn.RNNCell(5, 5)

    def step(self, prepared, state):
        e = torch.relu(self.hidden.complete(prepared))
        return e if state is None else self.inner(e[0], state[0]).unsqueeze(0)


def test_the_steps_of_a_cell_of_torchs_within_our_own():
    options = {"patch": (3, 2), "classes": 3, "dropout": 0.0, "bias": "plain", "hidden": 5, "recurrent": 5}
    net = Classifier(WithTorchCell(folds=1, **options), (3, 8), 4).double().eval()
    rng = torch.Generator().manual_seed(2)
    for layer in net.affine_layers().values():
        layer.initialise([rng], scale=3)
    images = 2 * torch.rand(3, 1, 3, 8, generator=rng, dtype=torch.float64) - 1
    _, ledger = rnnxai.explain(net, images, 0, "lrp-eps", return_ledger=True)
    assert_closed(ledger)
    steps = {layer: sorted(rows.step) for layer, rows in ledger.table().groupby("layer")}
    assert steps["hidden"] == [0, 1, 2, 3]
    assert steps["inner"] == [1, 2, 3]
