"""Products with gates."""

import pytest
import torch
from small import MIXED, ONES, SQUARE, assert_closed, between
from torch import nn

import rnnxai
from rnnxai.explain import at_layers

CONSTANT_GATE = torch.sigmoid(MIXED)

GATED = {
    # the same with gates, whose gradient is followed
    "a gate first": lambda e, s, x: torch.sigmoid(s) * e,
    "a gate last": lambda e, s, x: e * torch.sigmoid(s),
    "a gate of a gate": lambda e, s, x: torch.sigmoid(s) * torch.sigmoid(-e) * e,
    "a gate of a constant": lambda e, s, x: torch.sigmoid(s) * MIXED,
    "a gate of a tensor of one number": lambda e, s, x: torch.sigmoid(s) * torch.tensor(2.0).double() * e,
    "a gate of a number": lambda e, s, x: 2 * torch.sigmoid(s) * e,
    "one minus a gate": lambda e, s, x: (1 - torch.sigmoid(s)) * e,
    "a gate that is constant": lambda e, s, x: CONSTANT_GATE * e,
    "a gate for all units": lambda e, s, x: torch.sigmoid(s[:, :1]) * e,
    "an outer product": lambda e, s, x: (torch.sigmoid(s)[:, :, None] * e[:, None]).sum(1),
    "an outer product, in a row": lambda e, s, x: (torch.sigmoid(s)[:, :, None] * e[:, None]).flatten(1)[
        :, 3:7
    ],
    "no gate at all": lambda e, s, x: s * e,
}


@pytest.mark.parametrize("name", GATED)
def test_gradients_of_gated_forms(name):
    net, x = between(GATED[name])
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    assert gradient.any()
    found = rnnxai.explain(net, x, 1, "taylor", bounds=(0, 1))
    torch.testing.assert_close(found, x * gradient, rtol=1e-9, atol=1e-10)


def test_gates_that_are_taken_for_constants():
    net, x = between(lambda e, s, x: torch.sigmoid(s) * s)
    plain, _ = between(lambda e, s, x: torch.sigmoid(s).detach() * s)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(plain(leaf)[:, 1].sum(), leaf)
    found = rnnxai.explain(net, x, 1, "gb", bounds=(0, 1), gates="constant")  # nothing stops it: no ReLU
    torch.testing.assert_close(found, gradient.square(), rtol=1e-9, atol=1e-10)


TWO_GATES = {
    "a product of gates": lambda e, s, x: torch.sigmoid(s) * torch.sigmoid(-s),
    "in place of a state": lambda e, s, x: torch.sigmoid(s) * (1 - torch.sigmoid(s)) + e,
}


@pytest.mark.parametrize("name", TWO_GATES)
def test_a_product_of_gates_needs_a_gate_rule(name):
    net, x = between(TWO_GATES[name])
    with torch.no_grad():
        net.out.weight[1, 0] = 0  # so nothing arrives at one of the products
    options = {"bounds": (0, 1), "return_ledger": True}
    with pytest.raises(rnnxai.Error, match="multiplies two gates"):
        rnnxai.explain(net, x, 1, "lrp-0", **options)
    for gates in ("half", "prop", "abs"):
        _, ledger = rnnxai.explain(net, x, 1, "lrp-0", gates=gates, **options)
        assert_closed(ledger)
    with torch.no_grad():
        net.out.weight[1] = 0
    relevance, ledger = rnnxai.explain(net, x, 1, "lrp-0", **options)
    assert not relevance.any()


@pytest.mark.parametrize("gates", ["all", "half", "abs"])
@pytest.mark.parametrize("method", ["lrp-eps", "lrp-w2"])
@pytest.mark.parametrize("name", [name for name in GATED if name not in ("no gate at all",)])
def test_books_of_gated_forms_close(name, method, gates):
    net, x = between(GATED[name])
    try:
        _, ledger = rnnxai.explain(net, x, 1, method, bounds=(0, 1), gates=gates, return_ledger=True)
    except rnnxai.Error as error:
        assert "two gates" in str(error)
        assert (name, gates) == ("a gate of a gate", "all")
    else:
        assert_closed(ledger)


@pytest.mark.parametrize("gates", ["all", "half", "abs"])
def test_a_constant_takes_nothing_from_its_gate(gates):
    """What a gate of a constant holds passes through its sigmoid into the layer that computed it."""
    net, x = between(lambda e, s, x: torch.sigmoid(s) * MIXED)
    found = at_layers(net, x, 1, "lrp-0", layers=["a"], bounds=(0, 1), gates=gates)["a"]
    gate = torch.sigmoid(net.a(x)).detach()
    torch.testing.assert_close(found, gate * MIXED * net.out.weight[1].detach())  # LRP-0: x w z / z


@pytest.mark.parametrize("gates, share", [("all", 1.0), ("half", 0.5), ("abs", None)])
def test_what_a_learned_state_takes_beside_its_gate(gates, share):
    net, x = between(lambda e, s, x: torch.sigmoid(s) * net.state)
    net.state = nn.Parameter(MIXED.clone())
    options = {"bounds": (0, 1), "gates": gates, "return_ledger": True}
    _, ledger = rnnxai.explain(net, x, 1, "lrp-0", **options)
    gate = torch.sigmoid(net.a(x)).detach()
    arrived = gate * MIXED * net.out.weight[1].detach()  # LRP-0: x w z / z
    right = arrived * (MIXED.abs() / (MIXED.abs() + gate) if share is None else share)
    for sample in range(len(x)):
        rows = ledger.table(sample).set_index("layer")
        assert rows.loc["mul"].initial_state == pytest.approx(right[sample].sum().item())
        assert rows.loc["mul"].incoming == rows.loc["mul"].initial_state
        assert rows.loc["mul"].step == 0
    assert_closed(ledger)


def test_a_tensor_of_one_number_is_a_number():
    """A gate is scaled by it; it is no signal, which would take relevance."""
    (number, x), (tensor, _) = (
        between(lambda e, s, x, factor=factor: torch.sigmoid(s) * factor)
        for factor in (2.0, torch.tensor(2.0).double())
    )
    options = {"bounds": (0, 1), "gates": "half", "return_ledger": True}
    one, one_ledger = rnnxai.explain(number, x, 1, "lrp-eps", **options)
    other, other_ledger = rnnxai.explain(tensor, x, 1, "lrp-eps", **options)
    torch.testing.assert_close(one, other)
    assert not other_ledger.table().initial_state.any()
    assert one_ledger.table().equals(other_ledger.table())


UNASKED = {
    "a gate": lambda gate, e: gate * e,
    "a product of gates": lambda gate, e: gate * gate * e,
}


@pytest.mark.parametrize("name", UNASKED)
def test_nothing_is_asked_of_what_computes_a_gate_that_takes_nothing(name):
    """It reads values of either sign, and z+ would refuse them."""
    form = UNASKED[name]
    net, x = between(lambda e, s, x: form(torch.sigmoid(s @ SQUARE), e))
    found, ledger = rnnxai.explain(net, x, 1, "lrp-zplus", bounds=(0, 1), return_ledger=True)
    assert set(ledger.table().layer) == {"out", "a"}
    gate = torch.sigmoid(net.a(x).detach() @ SQUARE)
    plain, _ = between(lambda e, s, x: form(gate, e))  # a mask
    assert found.any()
    torch.testing.assert_close(found, rnnxai.explain(plain, x, 1, "lrp-zplus", bounds=(0, 1)))


def test_a_gate_of_a_learned_state_may_be_negative():
    """It weighs what it is in size: y = p g e, of which e takes |e| / (|p g| + |e|), and of the rest p."""
    state = -MIXED
    net, x = between(lambda e, s, x: torch.sigmoid(s) * nn.Parameter(state) * e)
    found = rnnxai.explain(net, x, 1, "lrp-0", gates="abs", bounds=(0, 1))
    s = net.a(x).detach()
    gate, e = torch.sigmoid(s), torch.relu(s)
    assert ((state < 0) & (e > 0)).any()
    held = gate * state * e * net.out.weight[1].detach()
    of_signal = held * (e / ((gate * state).abs() + e)).nan_to_num(0.5)
    of_gate = (held - of_signal) * gate / (gate + state.abs())
    right = x * ((of_signal + of_gate) / s @ net.a.weight.detach())
    torch.testing.assert_close(found, right)
    with pytest.raises(rnnxai.Error, match="layer 'out' reads inputs of either sign"):
        rnnxai.explain(net, x, 1, "lrp-zplus", bounds=(0, 1))


@pytest.mark.parametrize("factor", [4, 4 * ONES], ids=["a number", "one for each unit"])
def test_one_less_a_large_gate_is_of_either_sign(factor):
    net, x = between(lambda e, s, x: 1 - factor * torch.sigmoid(s))
    with pytest.raises(rnnxai.Error, match="of either sign"):
        rnnxai.explain(net, x, 1, "lrp-zplus", bounds=(0, 1))
