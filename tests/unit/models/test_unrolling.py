"""What the steps of a forward pass share."""

import pytest
import torch

from rnnxai.models.layers import PartedLinear
from rnnxai.models.unrolling import once, one_per_step, unrolling


def test_a_thing_is_made_once_in_a_pass_and_anew_in_the_next():
    made = []
    for _ in range(2):
        with unrolling():
            found = [once("a", lambda: made.append(1) or len(made)) for _ in range(3)]
        assert found == [len(made)] * 3
    assert len(made) == 2


def test_without_a_pass_nothing_is_kept():
    wanted = []
    assert [once("a", lambda: wanted.append(1)) for _ in range(2)] == [None, None]
    assert len(wanted) == 2
    assert [one_per_step("a", lambda n: [n, 0]) for _ in range(2)] == [1, 1]


def test_one_is_made_for_each_step_that_is_left():
    wanted = []

    def make(count):
        wanted.append(count)
        return [f"{len(wanted)}.{k}" for k in range(count)]

    with unrolling() as present:
        assert one_per_step("before", make) == "1.0"
        found = []
        for left in (3, 2, 1):
            present.steps_left = left
            found.append(one_per_step("a", make))
        assert found == ["2.0", "2.1", "2.2"]
        assert one_per_step("a", make) == "3.0"  # more than one a step
    assert wanted == [1, 3, 1]


def test_a_pass_that_fails_leaves_nothing():
    with pytest.raises(ZeroDivisionError), unrolling():
        once("a", lambda: 1)
        raise ZeroDivisionError
    assert once("a", lambda: 2) == 2


def test_a_pass_within_a_pass_shares_nothing_with_it():
    with unrolling():
        assert once("a", lambda: 1) == 1
        with unrolling():
            assert once("a", lambda: 2) == 2
        assert once("a", lambda: 3) == 1


@pytest.mark.parametrize("architecture", ["shallow", "deep", "r-lstm", "conv-plus-deep"])
def test_an_offset_is_computed_once_and_has_the_gradient_of_all_steps(
    build, stack_images, architecture, monkeypatch
):
    """Without a pass each step computes its own."""
    model = build(architecture, dropout=0.0).train()
    model(stack_images).square().sum().backward()
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    offset, asked = PartedLinear.offset, []
    monkeypatch.setattr(PartedLinear, "offset", lambda layer: asked.append(layer) or offset(layer))
    model(stack_images)
    assert len(asked) == len(set(asked)) == len(model.affine_layers())
    model.zero_grad()
    asked.clear()
    state = None
    for item in model.cell.prepare(model.patches(stack_images)):
        state = model.cell.step(item, state)
    model.cell.readout(state).square().sum().backward()
    assert len(asked) > len(set(asked)) or architecture == "r-lstm"
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, found[name], rtol=1e-10, atol=1e-12)
