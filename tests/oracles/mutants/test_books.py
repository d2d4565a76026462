"""What the books say of padding, constants, buffers and tokens, sample by sample."""

import pytest
import torch
from small import MIXED, ONES, assert_closed, between, filled
from torch import nn
from torch.nn import functional as F

import rnnxai
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.engine.samples import number, per_sample
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.strategy import make_strategy


def test_sums_that_lose_nothing_have_no_rows():
    net, x = between(lambda e, s, x: s + e.flip(1))
    for method, lost in (("lrp-0", False), ("lrp-eps", True)):
        _, ledger = rnnxai.explain(net, x, 1, method, bounds=(0, 1), return_ledger=True)
        assert ("add" in set(ledger.table().layer)) == lost
        assert_closed(ledger)


def test_the_books_read_as_their_equation():
    """incoming = outgoing + bias + stabiliser + dropped + initial_state, in this order."""
    net, x = between(lambda e, s, x: s)
    _, ledger = rnnxai.explain(net, x, 1, "lrp-0", bounds=(0, 1), return_ledger=True)
    lost = ["bias", "stabiliser", "dropped", "initial_state"]
    assert list(ledger.table().columns) == ["layer", "step", "incoming", "outgoing", *lost]
    assert list(ledger.kept) == lost
    assert "a" in set(ledger.table().layer)
    assert "'a'" not in repr(ledger)  # the rows are for the table


def test_what_stands_on_padding_is_dropped():
    net, x = between(lambda e, s, x: F.pad(s[:, 1:], (1, 0)))
    _, ledger = rnnxai.explain(net, x, 1, "lrp-w2", bounds=(0, 1), return_ledger=True)
    squares = net.out.weight[1].detach() ** 2
    for sample, start in enumerate(ledger.start):
        row = ledger.table(sample).set_index("layer").loc["pad"]
        assert row.dropped == pytest.approx(start * (squares[0] / squares.sum()).item())
        assert (row.incoming, row.step, row.outgoing) == (row.dropped, 0, 0)
    assert_closed(ledger)
    _, ledger = rnnxai.explain(net, x, 1, "lrp-0", bounds=(0, 1), return_ledger=True)
    assert "pad" not in set(ledger.table().layer)  # nothing is there, so it has no row


JOINED = {
    # where the books show it: a constant that is cut off again is read by the layer itself
    "cat": ("out", lambda e, s: torch.cat([ONES[:1].expand(len(e), 1), s[:, 1:]], 1)),
    "stack": ("stack", lambda e, s: torch.stack([ONES[0].expand(len(e)), s[:, 1], s[:, 2], s[:, 3]], 1)),
}


@pytest.mark.parametrize("name", JOINED)
def test_what_a_constant_takes_beside_a_signal(name):
    layer, form = JOINED[name]
    net, x = between(lambda e, s, x: form(e, s))
    _, ledger = rnnxai.explain(net, x, 1, "lrp-w2", bounds=(0, 1), return_ledger=True)
    squares = net.out.weight[1].detach() ** 2
    for sample, start in enumerate(ledger.start):
        row = ledger.table(sample).set_index("layer").loc[layer]
        assert row.initial_state == pytest.approx(start * (squares[0] / squares.sum()).item())
        assert row.incoming == pytest.approx(start if layer == "out" else row.initial_state)
        assert row.step == 0
    assert_closed(ledger)


def test_a_gradient_beside_relevance_with_books_has_none():
    """A constant books what reaches it, but of one that keeps books alone."""
    net, x = between(lambda e, s, x: torch.tanh(JOINED["stack"][1](e, s)))
    strategies = {method: make_strategy(method) for method in ("sa", "lrp-0")}
    classes = torch.ones(len(x), dtype=torch.long)
    _, found = explain_batch(Plan(net, (0, 1)), x, classes, strategies, ledgers=True)
    assert found["sa"].ledger is None
    assert_closed(found["lrp-0"].ledger)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(found["sa"].relevance, gradient.square())


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_books_of_tokens(dtype):
    """They are whole numbers of either size; each sample has books of its own."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(12, 3)).double()
    tokens = torch.tensor([[1, 2, 3], [3, 2, 2]], dtype=dtype)
    found, ledger = rnnxai.explain(net, tokens, 0, "lrp-eps", return_ledger=True)
    embedded = net[0](tokens).detach()
    right = (embedded.flatten(1) * net[2].weight[0].detach()).view(2, 3, 4).sum(2)
    torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(torch.from_numpy(ledger.inputs), found.sum(1))
    assert_closed(ledger)
    torch.testing.assert_close(rnnxai.explain(net, tokens[:1], 0, "lrp-eps"), found[:1])
    with pytest.raises(rnnxai.Error, match=rf"needs inputs between which .* {dtype}$"):
        rnnxai.explain(net, tokens, 0, "smoothgrad")


def test_a_layer_that_is_used_twice_has_two_steps_in_the_books():
    net, x = between(lambda e, s, x: net.again(torch.relu(net.again(e))))
    net.again = nn.Linear(4, 4).double()
    _, ledger = rnnxai.explain(net, x, 1, "lrp-eps", bounds=(0, 1), return_ledger=True)
    table = ledger.table()
    assert sorted(table[table.layer == "again"].step) == [0, 1]
    assert_closed(ledger)


def turn(s):
    """Write a signal into a buffer whose second axis is the batch, beside a constant."""
    buffer = torch.ones(4, len(s), dtype=s.dtype)
    buffer[1] = s[:, 1]
    return buffer.T


def in_reverse(s):
    """Write a column, then the same of the first and of the other samples."""
    buffer, s = torch.ones_like(s), s.flip(0)
    buffer[:, 0] = s[:, 0]
    buffer[:2, 1] = s[:2, 1]
    buffer[2:, 1] = s[2:, 1]
    return buffer.flip(0)


def row_by_row(s):
    """Write the samples in another order than the batch's, one after the other."""
    buffer, s = torch.ones_like(s), s.flip(0)
    for row in range(len(s)):
        buffer[row] = s[row]
    return buffer.flip(0)


BUFFERS = {
    "row by row, in reverse": lambda e, s, x: row_by_row(s),
    "zeros filled with signals": lambda e, s, x: filled(torch.zeros_like(s), s, e),
    "constants": lambda e, s, x: filled(MIXED.expand(len(s), 4).clone(), s, e[:, :0]),
    "zeros filled bit by bit, in reverse": lambda e, s, x: in_reverse(s),
    "turned, in reverse": lambda e, s, x: turn(s.flip(0)).flip(0) + s,
    "turned": lambda e, s, x: filled(MIXED[:, None].repeat(1, len(s)).T, s, e[:, :0]) + turn(s),
}


@pytest.mark.parametrize("name", BUFFERS)
def test_books_of_buffers_are_kept_by_sample(name):
    net, x = between(BUFFERS[name])
    for count in (1, 2, 3):
        _, ledger = rnnxai.explain(net, x[:count], 1, "lrp-w2", bounds=(0, 1), return_ledger=True)
        assert_closed(ledger)
        for sample in range(count):
            alone = x[sample : sample + 1]
            _, own = rnnxai.explain(net, alone, 1, "lrp-w2", bounds=(0, 1), return_ledger=True)
            assert ledger.lost[sample] == pytest.approx(own.lost[0])
            assert ledger.inputs[sample] == pytest.approx(own.inputs[0])
            last = ledger.table(sample).set_index("layer").loc["out"]
            assert last.incoming == pytest.approx(ledger.start[sample])


def all_but_one(s):
    buffer = torch.ones_like(s)
    buffer[:-1] = s[:-1]
    return buffer


def on_a_grid(s, columns):
    """Write some columns of 2 x 2 samples."""
    buffer = torch.ones(2, 2, 4, dtype=s.dtype)
    buffer[..., :columns] = s.view(2, 2, 4)[..., :columns]
    return buffer.view(4, 4)


def test_what_is_left_of_a_buffer_belongs_to_its_own_sample():
    for form in (all_but_one, lambda s: on_a_grid(s, 4)):
        net, x = between(lambda e, s, x, form=form: form(s))
        _, ledger = rnnxai.explain(net, x[:4], 1, "lrp-w2", bounds=(0, 1), return_ledger=True)
        assert_closed(ledger)


def test_books_that_cannot_be_kept_are_refused():
    net, x = between(lambda e, s, x: on_a_grid(s, 3))
    options = {"bounds": (0, 1), "return_ledger": True}
    with pytest.raises(rnnxai.Error, match="several axes of a buffer"):
        rnnxai.explain(net, x[:4], 1, "lrp-w2", **options)
    assert rnnxai.explain(net, x[:4], 1, "lrp-w2", bounds=(0, 1)).any()


MEETING = {
    "in a sum": lambda e, s, x: e + s[:1],
    "in a gate": lambda e, s, x: torch.sigmoid(s[:1]) * e,
    "in a maximum": lambda e, s, x: torch.maximum(e, s.flip(0)),
    "beside each other": lambda e, s, x: torch.cat([e[:, :2], s.flip(0)[:, 2:]], 1),
    "in a sum of copies": lambda e, s, x: e.flip(1) + s.flip(0),
    "in a sum of two views": lambda e, s, x: (s[:, :1] + s[:, 0]).sum(1, keepdim=True) * ONES,
    "in a layer": lambda e, s, x: (s.mT @ torch.ones(len(s), len(s)).double()).mT,
    "in a layer of images": lambda e, s, x: (s.mT[None] @ torch.ones(len(s), len(s)).double())[0].mT,
}


@pytest.mark.parametrize("name", MEETING)
def test_samples_that_meet_have_no_books(name):
    net, x = between(MEETING[name])
    with pytest.raises(rnnxai.Error, match="mixes the samples of a batch"):
        rnnxai.explain(net, x, 1, "lrp-0", bounds=(0, 1), return_ledger=True)
    _, ledger = rnnxai.explain(net, x[:1], 1, "lrp-0", bounds=(0, 1), return_ledger=True)
    assert_closed(ledger)


def test_sums_of_samples_are_exact_to_double_precision():
    values = torch.tensor([[1e8, 1.0, -1e8], [2.0, 3.0, 4.0]])
    numbers = number(values)
    assert numbers.dtype == torch.float64
    assert numbers.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert per_sample(values, numbers, 2).tolist() == [1, 9]
    assert per_sample(values.T, numbers.T, 2).tolist() == [1, 9]
    assert per_sample(values[:, :1], numbers, 3).tolist() == [1e8, 2, 0]
    whole = numbers.contiguous()
    assert per_sample(values[:, :1], whole, 2).tolist() == [1e8, 2]
    assert per_sample(values.T[:1], whole.T.contiguous(), 2).tolist() == [1e8, 2]
    mixed = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]).double()
    assert per_sample(values, mixed, 2).tolist() == [4, 6]


class Tokens(nn.Module):
    """A model that also looks at its tokens in other ways, none of which an embedding reads."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words, self.codes, self.out = nn.Embedding(7, 4), nn.Embedding(2, 3), nn.Linear(12, 3)

    def forward(self, tokens):
        words = self.words(tokens[:, torch.tensor([2, 0, 1])])
        filled = tokens.double().mean(1, keepdim=True)
        codes = self.codes((words.sum((1, 2)) > 0).long())
        return self.out(words.flatten(1)) + filled + codes


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_what_else_a_model_makes_of_its_tokens_is_constant(dtype):
    net, tokens = Tokens().double(), torch.tensor([[1, 2, 3], [3, 2, 2]], dtype=dtype)
    found = rnnxai.explain(net, tokens, 0, "lrp-0")
    words = net.words(tokens[:, [2, 0, 1]]).detach()
    right = (words.flatten(1) * net.out.weight[0].detach()).view(2, 3, 4).sum(2)
    torch.testing.assert_close(found, right[:, [1, 2, 0]])


def test_tokens_that_were_joined_are_refused():
    class Twice(Tokens):
        def forward(self, tokens):
            return self.out(self.words(torch.cat([tokens, tokens], 1)).flatten(1)[:, :12])

    with pytest.raises(rnnxai.Error, match="tokens that were changed before"):
        rnnxai.explain(Twice().double(), torch.tensor([[1, 2, 3]]), 0, "lrp-0")
