"""A run that was interrupted ends exactly where it would have ended."""

import pytest
import torch

from rnnxai.training import loop
from rnnxai.training.checkpoint import Checkpoint


def assert_same(run, right):
    found, expected = run.state(), right.state()
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].equal(value), name
    assert run.history == right.history


class Stop(Exception):  # noqa: N818 (nothing went wrong)
    pass


@pytest.fixture
def stop_after_epoch(monkeypatch):
    """Return a function that makes the next run stop when the checkpoint of an epoch is written."""

    def arrange(epoch):
        save = Checkpoint.save

        def stopping(self, state, history):
            save(self, state, history)
            if len(history) == epoch:
                monkeypatch.undo()
                raise Stop

        monkeypatch.setattr(Checkpoint, "save", stopping)

    return arrange


@pytest.fixture
def straight(case):
    """Return a case, and its run without interruption."""
    one = case()
    return one, one.train(one.run(), one.checkpoint(name="straight"))


def test_the_run_does_something(case, straight):
    one, right = straight
    fresh = one.run()
    for name, value in fresh.state().items():
        assert not value.equal(right.state()[name]), name
    assert [len(epoch) for epoch in right.history] == [2] * 4


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_stopped_between_epochs(straight, stop_after_epoch, epoch):
    one, right = straight
    stop_after_epoch(epoch)
    with pytest.raises(Stop):
        one.train(one.run(), one.checkpoint())
    assert_same(one.train(one.run(), one.checkpoint()), right)


def test_stopped_after_every_epoch(straight, stop_after_epoch):
    one, right = straight
    for epoch in (1, 2, 3):
        stop_after_epoch(epoch)
        with pytest.raises(Stop):
            one.train(one.run(), one.checkpoint())
    assert_same(one.train(one.run(), one.checkpoint()), right)


def test_stopped_within_an_epoch(straight, monkeypatch):
    one, right = straight
    step, steps = loop._step, []

    def stopping(*args):
        steps.append(1)
        if len(steps) == 13:  # 5 steps an epoch
            raise Stop
        return step(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_step", stopping)
        with pytest.raises(Stop):
            one.train(one.run(), one.checkpoint())
    assert len(one.checkpoint().load()[1]) == 2
    assert_same(one.train(one.run(), one.checkpoint()), right)


def test_a_finished_run_is_not_trained_again(straight, monkeypatch):
    one, right = straight
    monkeypatch.delattr(loop, "_step")
    assert_same(one.train(one.run(), one.checkpoint(name="straight")), right)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.999])
def test_a_cut_checkpoint_starts_anew(straight, stop_after_epoch, part, caplog):
    one, right = straight
    stop_after_epoch(3)
    with pytest.raises(Stop):
        one.train(one.run(), one.checkpoint())
    path = one.checkpoint().path
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    assert_same(one.train(one.run(), one.checkpoint()), right)
    assert f"starting anew: checkpoint {path} is damaged" in caplog.text


def test_a_checkpoint_of_another_run_is_not_used(straight, case):
    one, right = straight
    other = case(seed=6)
    other.train(other.run(), other.checkpoint(identity="another case"))
    assert one.checkpoint().load() is None
    assert_same(one.train(one.run(), one.checkpoint()), right)


def test_more_epochs_go_on(case, straight, monkeypatch):
    one, right = straight
    short = case(epochs=2)
    short.train(short.run(), short.checkpoint())
    step, steps = loop._step, []

    def counting(*args):
        steps.append(1)
        return step(*args)

    monkeypatch.setattr(loop, "_step", counting)
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
