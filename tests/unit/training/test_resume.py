"""A run that was interrupted ends exactly where it would have ended."""

from contextlib import suppress

import pytest
import torch
from safetensors.torch import save_file

from rnnxai.errors import Stopped
from rnnxai.training import step as one_step


def assert_same(run, right):
    found, expected = run.state(), right.state()
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].equal(value), name
    assert run.history == right.history


class Killed(BaseException):
    pass


def stop_at(*steps):
    """Return what tells a run to stop after some of its steps, the test set's one step included."""
    made = []

    def stop():
        made.append(1)
        return "it is late" if len(made) in steps else None

    return stop


@pytest.fixture
def straight(case):
    """Return a case, and its run without interruption."""
    one = case()
    return one, one.train(one.run(), one.checkpoint(name="straight"))


def test_the_run_does_something(case, straight):
    one, right = straight
    fresh = one.run()
    for name, value in fresh.state().items():
        assert name == "losses" or not value.equal(right.state()[name]), name
    assert [len(epoch) for epoch in right.history] == [2] * 4


# 5 steps an epoch, and one look at the test set.
@pytest.mark.parametrize(
    "step, where",
    [
        (1, "epoch 0 of 4 and batch 1"),
        (4, "epoch 0 of 4 and batch 4"),
        (5, "epoch 0 of 4 and batch 5"),
        (6, "epoch 0 of 4 and batch 5"),
        (7, "epoch 1 of 4 and batch 1"),
        (23, "epoch 3 of 4 and batch 5"),
    ],
)
def test_stopped_anywhere(straight, step, where, caplog):
    one, right = straight
    with pytest.raises(Stopped, match=f"it is late: stopped after {where}\\. .*checkpoint holds it"):
        one.train(one.run(), one.checkpoint(seconds=1e9), stop_at(step))
    caplog.set_level("INFO")
    assert_same(one.train(one.run(), one.checkpoint()), right)
    assert f"going on after {where}" in caplog.text


def test_stopped_after_every_step(straight):
    """It gets on by one step each time."""
    one, right = straight
    attempts = 0
    while attempts <= 4 * 5:
        attempts += 1
        with suppress(Stopped):
            assert_same(one.train(one.run(), one.checkpoint(), stop_at(1)), right)
            break
    assert attempts == 4 * 5 + 1


@pytest.mark.parametrize("seconds, kept", [(0, (2, 2)), (1e9, None)])
def test_killed_within_an_epoch(straight, monkeypatch, seconds, kept):
    one, right = straight
    step, steps = one_step.compute, []

    def dying(*args):
        steps.append(1)
        if len(steps) == 13:  # 5 steps an epoch
            raise Killed
        return step(*args)

    with monkeypatch.context() as patch:
        patch.setattr(one_step, "compute", dying)
        with pytest.raises(Killed):
            one.train(one.run(), one.checkpoint(seconds=seconds))
    found = one.checkpoint().load()
    assert (found and (len(found[1]), len(found[0]["losses"]))) == kept
    assert_same(one.train(one.run(), one.checkpoint()), right)


def test_a_checkpoint_is_due_after_its_seconds(case, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("rnnxai.training.checkpoint.time.monotonic", lambda: now[0])
    checkpoint = case().checkpoint(seconds=60)
    assert not checkpoint.due
    now[0] += 60
    assert checkpoint.due
    checkpoint.save({"losses": torch.zeros(0, 2)}, [])
    assert not checkpoint.due


def test_a_finished_run_is_not_trained_again(straight, monkeypatch):
    one, right = straight
    monkeypatch.delattr(one_step, "compute")
    assert_same(one.train(one.run(), one.checkpoint(name="straight")), right)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.999])
def test_a_cut_checkpoint_starts_anew(straight, part, caplog):
    one, right = straight
    with pytest.raises(Stopped):
        one.train(one.run(), one.checkpoint(), stop_at(16))
    path = one.checkpoint().path
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    assert_same(one.train(one.run(), one.checkpoint()), right)
    assert f"starting anew: checkpoint {path} is damaged" in caplog.text


def test_a_checkpoint_of_another_run_is_not_used(straight, case, caplog):
    one, right = straight
    other = case(seed=6)
    other.train(other.run(), other.checkpoint(identity="another case"))
    assert one.checkpoint().load() is None
    assert f"starting anew: checkpoint {one.checkpoint().path} belongs to another run" in caplog.text
    assert_same(one.train(one.run(), one.checkpoint()), right)


@pytest.mark.parametrize("about", [None, {"rnnxai": "[]"}, {"rnnxai": "{}"}, {"other": "{}"}])
def test_a_file_of_somebody_else_is_not_used(straight, about, caplog):
    one, right = straight
    save_file({"losses": torch.zeros(1, 2)}, one.checkpoint().path, about)
    assert_same(one.train(one.run(), one.checkpoint()), right)
    assert "belongs to another run" in caplog.text


def test_more_epochs_go_on(case, straight, monkeypatch):
    one, right = straight
    short = case(epochs=2)
    short.train(short.run(), short.checkpoint())
    step, steps = one_step.compute, []

    def counting(*args):
        steps.append(1)
        return step(*args)

    monkeypatch.setattr(one_step, "compute", counting)
    assert_same(one.train(one.run(), one.checkpoint()), right)
    assert len(steps) == 2 * 5


def test_fewer_epochs_train_anew(case, straight, caplog):
    _, right = straight
    caplog.set_level("INFO")
    short = case(epochs=2)
    found = short.train(short.run(), short.checkpoint(name="straight"))
    assert "is past epoch 2" in caplog.text
    assert_same(found, short.train(short.run(), short.checkpoint(name="fresh")))
    assert found.history == right.history[:2]


def test_fewer_epochs_than_a_stopped_run_has_begun_train_anew(case, straight, caplog):
    one, right = straight
    with pytest.raises(Stopped):
        one.train(one.run(), one.checkpoint(), stop_at(2 * 6 + 1))
    short = case(epochs=2)
    found = short.train(short.run(), short.checkpoint())
    assert "is past epoch 2" in caplog.text
    assert_same(found, short.train(short.run(), short.checkpoint(name="fresh")))
    assert found.history == right.history[:2]


def test_equal_runs_write_equal_checkpoints(case, straight):
    one, _ = straight
    one.train(one.run(), one.checkpoint())
    assert one.checkpoint().path.read_bytes() == one.checkpoint(name="straight").path.read_bytes()


def test_torchs_own_generator_plays_no_part(straight):
    one, right = straight
    torch.manual_seed(123)
    state = torch.get_rng_state()
    assert_same(one.train(one.run(), one.checkpoint()), right)
    assert torch.get_rng_state().equal(state)
