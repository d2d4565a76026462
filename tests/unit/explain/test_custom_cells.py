"""Cells of one's own: what relevance can follow, and what it refuses rather than get wrong."""

import operator

import numpy as np
import pytest
import torch
from torch import nn

import rnnxai
from rnnxai.errors import Error
from rnnxai.models.cells.cell import Cell
from rnnxai.models.cells.shallow import Shallow
from rnnxai.models.classifier import Classifier
from rnnxai.models.layers import Affine, gate


def residual(model, batch, method="dtd"):
    """Return the largest gap in the books, after a look whether there is anything in them."""
    relevance, ledger = rnnxai.explain(model, *batch, method, return_ledger=True)
    assert relevance.any()
    gap = ledger.start - relevance.sum((1, 2, 3)).numpy() - ledger.lost
    assert np.abs(ledger.residual - gap).max() < 1e-12
    return np.abs(gap).max()


def write(x, value):
    x[..., 0] = value
    return x


FOLLOWED = {
    "a plain sum": {},
    "torch.add": {"join": lambda cell, e, h: torch.add(e, h)},
    "zeros added": {"join": lambda cell, e, h: e + h + torch.zeros(5, dtype=e.dtype) + 0},
    "an initial state of zeros": {"begin": torch.zeros_like},
    "a half": {"join": lambda cell, e, h: e * 0.5 + h},
    "a mask": {"join": lambda cell, e, h: e * torch.tensor([0.0, 1, 2, 0, 1], dtype=e.dtype) + h},
    "a gate": {"join": lambda cell, e, h: gate(e) * h + e},
    "a gate of the past": {"join": lambda cell, e, h: gate(h) * e + h},
    "two gates": {"join": lambda cell, e, h: gate(h) * gate(e) * e + h},
    "a gate on the last state": {"join": lambda cell, e, h: gate(e) * gate(h) * 2.0 * e + h},
    "cut and joined": {"join": lambda cell, e, h: torch.cat((e + h).chunk(2, dim=-1), dim=-1)},
    "stacked": {"join": lambda cell, e, h: torch.stack([e, h]).unbind(0)[0] + h},
    "a slice": {"join": lambda cell, e, h: torch.cat([e[..., :2], h[..., 2:]], -1)},
    "cut in time": {"enter": lambda p: torch.cat([p[:, :2], p[:, 2:]], dim=1)},
    "joined by keywords": {"join": lambda cell, e, h: torch.cat(dim=-1, tensors=(e + h).chunk(2, dim=-1))},
    "stacked by keywords": {"join": lambda cell, e, h: torch.stack(dim=0, tensors=[e, h]).unbind(0)[0] + h},
    "concat": {"join": lambda cell, e, h: torch.concat((e + h).chunk(2, dim=-1), -1)},
    "concatenate": {"join": lambda cell, e, h: torch.concatenate((e + h).chunk(2, dim=-1), -1)},
    "sum()": {"join": lambda cell, e, h: sum([e, h])},
    "a number first": {"join": lambda cell, e, h: 0.5 * e + h},
    "torch.chunk": {"join": lambda cell, e, h: torch.cat(torch.chunk(e + h, 2, dim=-1), dim=-1)},
    "torch.split": {"join": lambda cell, e, h: torch.cat(torch.split(e + h, [2, 3], dim=-1), dim=-1)},
    "torch.unbind": {"join": lambda cell, e, h: torch.stack(torch.unbind(e + h, -1), -1)},
    "torch.reshape": {"join": lambda cell, e, h: torch.reshape(torch.reshape(e, (-1,)), h.shape) + h},
    "torch.flatten": {"join": lambda cell, e, h: torch.flatten(e).view(h.shape) + h},
    "torch.unflatten": {"join": lambda cell, e, h: torch.unflatten(torch.flatten(e), 0, h.shape) + h},
    "torch.permute": {"join": lambda cell, e, h: torch.permute(torch.permute(e, (2, 0, 1)), (1, 2, 0)) + h},
    "torch.transpose": {"join": lambda cell, e, h: torch.transpose(torch.transpose(e, 1, 2), 1, 2) + h},
    "torch.swapaxes": {"join": lambda cell, e, h: torch.swapaxes(e, 1, 2).swapaxes(1, 2) + h},
    "torch.movedim": {"join": lambda cell, e, h: torch.movedim(e, 2, 0).movedim(0, 2) + h},
    "torch.squeeze": {"join": lambda cell, e, h: torch.unsqueeze(torch.squeeze(e, 0), 0) + h},
    "torch.select": {"join": lambda cell, e, h: torch.select(e, 0, 0).unsqueeze(0) + h},
    "torch.narrow": {"join": lambda cell, e, h: torch.cat([torch.narrow(e, 2, 0, 2), h[..., 2:]], -1)},
    "clones": {"join": lambda cell, e, h: torch.clone(e) + h.clone()},
    "mT": {"join": lambda cell, e, h: e.mT.mT + h},
    "T": {"join": lambda cell, e, h: e[0].T.T.unsqueeze(0) + h},
    "torch.t": {"join": lambda cell, e, h: torch.t(e[0]).t().unsqueeze(0) + h},
    "dropout in evaluation": {"join": lambda cell, e, h: nn.functional.dropout(e, 0.5, cell.training) + h},
    "a dropout module": {"join": lambda cell, e, h: nn.Dropout(0.5).train(cell.training)(e) + h},
    "functional ReLU": {"join": lambda cell, e, h: nn.functional.relu(e + h)},
    "ReLU in place": {"join": lambda cell, e, h: nn.functional.relu(e + h, inplace=True)},
    "a ReLU module": {"join": lambda cell, e, h: nn.ReLU()(e + h)},
    "a layer of hidden activations twice": {"join": lambda cell, e, h: torch.relu(cell.b(e)) + h},
    "a constant": {"join": lambda cell, e, h: e + h + 0.5},
    "a vector": {"join": lambda cell, e, h: torch.relu(e + h + cell.extra)},
    "a gate as a signal": {"join": lambda cell, e, h: e + gate(h)},
    "a signal cut off": {"join": lambda cell, e, h: e + h.detach()},
    "an initial state of ones": {"begin": torch.ones_like},
    "a constant joined": {
        "join": lambda cell, e, h: torch.cat([e[..., :4], torch.ones_like(e[..., :1])], -1)
    },
    "a gate stacked": {"join": lambda cell, e, h: torch.stack([gate(e), h]).unbind(0)[1]},
    "a layer that reads a gate": {"join": lambda cell, e, h: torch.relu(cell.b(gate(e))) + h},
    "ReLU of pixels": {"enter": torch.relu},
    "pixels scaled": {"enter": lambda patches: patches * 0.5},
    "pixels shifted": {"enter": lambda patches: patches + 1},
    "a bare sigmoid": {"join": lambda cell, e, h: torch.sigmoid(e) * h + e},
    "a sigmoid module": {"join": lambda cell, e, h: nn.Sigmoid()(e) * h + e},
    "one minus a gate": {"join": lambda cell, e, h: (1 - gate(e)) * h + gate(e) * e},
    "tanh of what is positive": {"join": lambda cell, e, h: torch.tanh(e) + h},
    "a maximum": {"join": lambda cell, e, h: torch.maximum(e, h) + e},
    "a mean": {"join": lambda cell, e, h: e.mean(-1, keepdim=True) + h},
    "a sum over an axis": {"join": lambda cell, e, h: e.sum(-1, keepdim=True) + h},
    "a quotient by a constant": {"join": lambda cell, e, h: e / 2 + h},
    "a sum in place": {"join": lambda cell, e, h: (e + h).add_(h)},
    "a product in place": {"join": lambda cell, e, h: (e + h).mul_(2)},
    "an operator in place": {"join": lambda cell, e, h: operator.iadd(e * 1, h)},
    "a signal put into a buffer": {
        "join": lambda cell, e, h: write(torch.zeros_like(e).detach(), e[..., 0]) + h
    },
}


@pytest.mark.parametrize("method", ["dtd", "lrp-a2b1"])
@pytest.mark.parametrize("name", FOLLOWED)
def test_books_of_what_is_followed_close(one_cell, batch, name, method):
    assert residual(one_cell(**FOLLOWED[name]), batch, method) < 1e-12


# What rules that ask for non-negative inputs refuse by name, and other rules follow.
OF_EITHER_SIGN = {
    "a negative constant": {"join": lambda cell, e, h: e + (h + -0.5)},
    "a difference": {"join": lambda cell, e, h: e - h},
    "a difference in disguise": {"join": lambda cell, e, h: torch.add(e, h, alpha=-1)},
    "a negative factor": {"join": lambda cell, e, h: e + h * -1.0},
    "a negation": {"join": lambda cell, e, h: e + -h},
    "a negative mask": {"join": lambda cell, e, h: e + h * torch.tensor([1.0, 1, 1, 1, -1], dtype=e.dtype)},
    "a layer that reads both signs once": {"join": lambda cell, e, h: torch.relu(cell.b(cell.b(e))) + h},
    "no ReLU": {"join": lambda cell, e, h: cell.b(e) + h},
    "tanh of both signs": {"join": lambda cell, e, h: torch.tanh(cell.b(e)) + h},
    "a matrix product": {"join": lambda cell, e, h: e @ torch.eye(5, dtype=e.dtype) + h},
}


@pytest.mark.parametrize("name", OF_EITHER_SIGN)
def test_inputs_of_either_sign_are_refused_where_a_rule_minds(one_cell, batch, name):
    model = one_cell(**OF_EITHER_SIGN[name])
    for method in ("dtd", "lrp-a1.5b0.5", "lrp-zplus"):
        with pytest.raises(Error, match="'b' reads inputs of either sign"):
            rnnxai.explain(model, *batch, method)
    for method in ("lrp-eps", "lrp-gamma", "lrp-w2", "lrp-flat"):
        assert residual(model, batch, method) < 1e-10
    assert_is_gradient(model, batch)


def assert_is_gradient(model, batch):
    images, targets = batch[0].clone().requires_grad_(), batch[1]
    (gradient,) = torch.autograd.grad(model(images)[range(6), targets].sum(), images)
    assert gradient.any()
    torch.testing.assert_close(rnnxai.explain(model, *batch, "sa"), gradient**2, rtol=1e-12, atol=1e-14)


class Unseen(torch.autograd.Function):
    """The identity, of which torch tells a recording nothing."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent


HINDERED = {
    "a way unseen into a layer": (
        lambda cell, e, h: torch.relu(cell.b(Unseen.apply(e))) + h,
        r"layer 'b' reads a tensor of shape \(1, 6, 5\) .*lost track of a signal",
    ),
    "a way unseen into a ReLU": (
        lambda cell, e, h: torch.relu(Unseen.apply(e)) + h,
        "torch.relu reads a tensor .*lost track of a signal",
    ),
    "a way unseen into a gate": (
        lambda cell, e, h: gate(Unseen.apply(e)) * h,
        "a gate reads a tensor .*lost track of a signal",
    ),
    "a product of signals": (lambda cell, e, h: e * h, "product of two signals"),
    "a square": (lambda cell, e, h: e * e + h, "product of two signals"),
    "a quotient": (lambda cell, e, h: e / (h + 1), "divides by a signal"),
    "a power": (lambda cell, e, h: e**2 + h, "pow"),
    "an item": (lambda cell, e, h: write(e * 1, 0.5), r"torch.Tensor.__setitem__ writes in place"),
    "softmax": (lambda cell, e, h: torch.softmax(e, -1) + h, "softmax .*attention has no unique explanation"),
    "layer norm": (lambda cell, e, h: nn.functional.layer_norm(e, (5,)) + h, "layer_norm .*batch norm"),
    "a matrix product of signals": (lambda cell, e, h: e @ (e.mT @ h), "multiplies two signals"),
    "a mean over everything": (lambda cell, e, h: e.mean() + h, "mixes the samples"),
}


@pytest.mark.parametrize("name", HINDERED)
def test_what_hinders_relevance_is_named_and_the_gradient_passes(one_cell, batch, name):
    join, word = HINDERED[name]
    model = one_cell(join=join)
    for method in ("dtd", "lrp-eps"):
        with pytest.raises(Error, match=f"relevance cannot be propagated: .*{word}"):
            rnnxai.explain(model, *batch, method)
    assert_is_gradient(model, batch)


RANDOM = {
    "dropout that acts": (
        lambda cell, e, h: nn.functional.dropout(e, 0.25) + h,
        "dropout with p = 0.25 drew",
    ),
    "a random layer": (
        lambda cell, e, h: torch.relu(nn.Linear(5, 5).double()(e)) + h,
        "another function; does the model draw random numbers",
    ),
    "a random mask": (
        lambda cell, e, h: nn.functional.dropout(torch.ones(5)).double() * e + h,
        "another function; does the model draw random numbers",
    ),
}


@pytest.mark.parametrize("method", ["dtd", "sa"])
@pytest.mark.parametrize("name", RANDOM)
def test_a_model_that_is_not_a_function_is_refused(one_cell, batch, name, method):
    join, word = RANDOM[name]
    with pytest.raises(Error, match=word):
        rnnxai.explain(one_cell(join=join), *batch, method)


@pytest.mark.parametrize(
    "begin",
    [
        lambda cell, x: x.new_ones(*x.shape[:-1], 5),
        lambda cell, x: torch.relu(x.new_ones(*x.shape[:-1], 5)),
        lambda cell, x: cell.first.expand(*x.shape[:-1], 5),
    ],
    ids=["ones", "a ReLU of ones", "learned"],
)
def test_relevance_of_an_initial_state_is_booked(one_cell, batch, begin):
    class Primed(Cell):
        """h_t = relu(a [x_t ; h_{t-1}]) with h_0 = 1."""

        def __init__(self):
            super().__init__()
            self.a = Affine(1, (6, 5), 5, "none")
            self.o = Affine(1, (5,), 3, "none")
            self.first = nn.Parameter(torch.ones(5))

        def prepare(self, patches):
            return patches.unbind(1)

        def step(self, prepared, state):
            if state is None:
                state = begin(self, prepared)
            return torch.relu(self.a(prepared, state))

        def readout(self, state):
            return self.o(state)

    model = one_cell(Primed)
    for method in ("dtd", "lrp-a2b1"):
        assert residual(model, batch, method) < 1e-12
        _, ledger = rnnxai.explain(model, *batch, method, return_ledger=True)
        kept = ledger.table().set_index(["layer", "step"])["initial_state"]
        assert kept["a", 0] > 0
        assert not kept.drop(("a", 0)).any()


def test_what_no_input_can_take_is_booked_as_dropped(batch):
    """A positive bias makes a unit active though all its inputs are zero."""

    class Biased(Cell):
        def __init__(self):
            super().__init__()
            self.a = Affine(1, (6,), 2, "none")
            self.b = Affine(1, (2,), 2, "plain")
            self.o = Affine(1, (2,), 3, "none")

        def prepare(self, patches):
            return patches.unbind(1)

        def step(self, prepared, state):
            return torch.relu(self.b(torch.relu(self.a(prepared))))

        def readout(self, state):
            return self.o(state)

    model = Classifier(Biased(), (3, 8), 4).double()
    with torch.no_grad():
        model.cell.a.weight.zero_()
        for values in (model.cell.b.weight, model.cell.b.bias, model.cell.o.weight):
            values.fill_(1)
    for method in ("dtd", "lrp-a2b1"):
        relevance, ledger = rnnxai.explain(model, *batch, method, return_ledger=True)
        assert not relevance.any()
        assert ledger.dropped.tolist() == ledger.lost.tolist() == ledger.start.tolist() == [2.0] * 6
        assert not ledger.residual.any()
        dropped = ledger.table(0).set_index(["layer", "step"])["dropped"]
        assert dropped["b", 3] == 2
        assert dropped.sum() == 2


def test_a_layer_used_at_all_steps_is_as_good_as_copies_of_it(make_net, batch):
    """Libraries that hook modules keep the last step's input and go silently wrong here."""

    class Copies(Shallow):
        """The same network with a layer object of its own at each step."""

        def __init__(self, original, steps):
            nn.Module.__init__(self)
            self.hidden = nn.ModuleList(copy_of(original.hidden) for _ in range(steps))
            self.recurrent = nn.ModuleList(copy_of(original.recurrent) for _ in range(steps))
            self.output = copy_of(original.output)

        def prepare(self, patches):
            return list(enumerate(patches.unbind(1)))

        def step(self, prepared, state):
            t, x = prepared
            r = x.new_zeros(*x.shape[:-1], 5) if state is None else torch.relu(self.recurrent[t](state))
            return torch.relu(self.hidden[t](x, r))

    def copy_of(layer):
        widths = [part.stop - part.start for part in layer.columns]
        copy = Affine(1, widths, layer.weight.shape[1], layer.bias_form).double()
        copy.load_state_dict(layer.state_dict())
        return copy

    model = make_net("shallow")
    unrolled = Classifier(Copies(model.cell, 4), (3, 8), 4)
    for method in ("dtd", "lrp-a1.5b0.5", "lrp-a2b1", "sa", "gb"):
        found = rnnxai.explain(model, *batch, method)
        assert found[..., :6].any(), "earlier steps must count in this comparison"
        torch.testing.assert_close(found, rnnxai.explain(unrolled, *batch, method), rtol=1e-10, atol=1e-15)


def test_a_layer_outside_the_model_is_refused(one_cell, batch):
    stranger = Affine(1, (5,), 5).double()
    stranger.initialise([torch.Generator().manual_seed(0)])
    with pytest.raises(Error, match="no submodule of the model"):
        rnnxai.explain(one_cell(join=lambda cell, e, h: torch.relu(stranger(e)) + h), *batch)


def test_a_model_that_ignores_its_images_is_refused(one_cell, batch):
    with pytest.raises(Error, match="do not depend on the inputs"):
        rnnxai.explain(one_cell(enter=torch.zeros_like), *batch)


def test_pixels_of_unknown_range_are_refused_by_rules(one_cell, batch):
    model = one_cell()
    model.bounds = None
    with pytest.raises(Error, match=r"layer 'a' reads the model's input, .* bounds=\(low, high\)"):
        rnnxai.explain(model, *batch, "dtd")
    assert rnnxai.explain(model, *batch, "dtd", bounds=(-2, 2)).any()
    assert_is_gradient(model, batch)
