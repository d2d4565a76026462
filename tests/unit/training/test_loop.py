"""One step, one epoch, and what is measured after it."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from rnnxai.data.dataset import Dataset
from rnnxai.errors import Error
from rnnxai.training import loop
from rnnxai.training import step as one_step
from rnnxai.training.adam import Adam
from rnnxai.training.batches import Pixels, shuffled
from rnnxai.training.streams import PURPOSES, generators


def test_the_loss_has_a_logit_that_is_always_zero(case):
    one = case(dropout=0.0)
    run = one.run()
    patches, labels = one.pixels.take(torch.stack([rows[:8] for rows in one.train_rows]))
    logits = run.model.classify(patches).detach().double().numpy()
    found = one_step.compute(run, patches, labels)
    for k in (0, 1):
        right = [
            math.log(1 + sum(math.exp(z) for z in scores)) - scores[label]
            for scores, label in zip(logits[k], labels[k].tolist(), strict=True)
        ]
        assert found[k].item() == pytest.approx(np.mean(right), rel=1e-6)


def test_a_step_moves_each_weight_by_the_learning_rate(case):
    """Adam's first step has that length, whatever the gradient."""
    one = case()
    run = one.run()
    before = {name: value.clone() for name, value in run.model.named_parameters()}
    one_step.compute(run, *one.pixels.take(torch.stack([rows[:8] for rows in one.train_rows])))
    for name, value in run.model.named_parameters():
        moved = (value - before[name]).abs()
        clear = value.grad.abs() > 1e-5
        assert clear.any(), name
        torch.testing.assert_close(moved[clear], torch.full_like(moved[clear], 0.01), rtol=2e-3, atol=0)


def test_folds_share_no_gradient(case):
    """A fold's gradient is that of its own mean loss, whatever the number of folds."""
    together, alone = case((0, 1, 2)), case((1,))
    stack, one = together.run(), alone.run()
    for run, rows in ((stack, together.train_rows), (one, alone.train_rows)):
        one_step.compute(run, *together.pixels.take(torch.stack([fold[:8] for fold in rows])))
    for name, value in one.model.named_parameters():
        found = stack.model.get_parameter(name).grad[1]
        torch.testing.assert_close(found, value.grad[0], rtol=1e-4, atol=1e-6)


def test_rehearsing_leaves_no_trace(case):
    """A GPU's graph is recorded after some steps that must not count."""
    one = case()
    fresh, rehearsed = one.run(), one.run()
    one_step.Step(rehearsed, one.pixels).rehearse()
    for name, value in fresh.state().items():
        assert rehearsed.state()[name].equal(value), name
    runs = [one.train(run, one.checkpoint(name=str(k))) for k, run in enumerate((fresh, rehearsed))]
    for name, value in runs[0].state().items():
        assert runs[1].state()[name].equal(value), name


def test_a_step_works_at_fixed_places(case):
    """What a graph would replay: the rows are read from one tensor, the losses left in another."""
    one = case(dropout=0.0)
    run = one.run()
    step = one_step.Step(run, one.pixels)
    places = step.rows.data_ptr(), step.losses.data_ptr()
    parameters = [parameter.data_ptr() for parameter in run.model.parameters()]
    moments = [moment.data_ptr() for moment in run.optimiser.state.values()]
    losses = [step(torch.stack([rows[start : start + 8] for rows in one.train_rows])) for start in (0, 8)]
    assert not losses[0].equal(losses[1])
    assert (step.rows.data_ptr(), step.losses.data_ptr()) == places
    assert [parameter.data_ptr() for parameter in run.model.parameters()] == parameters
    run.restore({name: value.clone() for name, value in run.state().items()})
    assert [moment.data_ptr() for moment in run.optimiser.state.values()] == moments


def test_adam_is_torchs_own(case):
    """A weight without a gradient stays where it is."""
    one = case()
    model, other = one.run().model, one.run().model
    own = Adam(dict(model.named_parameters()), 0.01)
    right = torch.optim.Adam(other.parameters(), lr=0.01, fused=True)
    for step in range(3):
        for n, (weight, same) in enumerate(zip(model.parameters(), other.parameters(), strict=True)):
            weight.grad = None if n == 2 else torch.full_like(weight, 0.5 - step)
            same.grad = None if n == 2 else weight.grad.clone()
        own.step()
        right.step()
    for weight, same in zip(model.parameters(), other.parameters(), strict=True):
        assert weight.equal(same)
    assert not model.cell.encoder.weight.equal(one.run().model.cell.encoder.weight)


def test_a_job_does_not_load_torchs_compiler():
    """Which takes longer than everything else that is imported, torch itself aside."""
    code = (
        "import torch; from rnnxai.training.adam import Adam; w = torch.nn.Parameter(torch.ones(2)); "
        "w.sum().backward(); Adam({'w': w}, 0.1).step(); import sys; sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_folds_can_share_masks(case):
    """Which then depend on the seed alone, and on no fold."""
    shared, other = case((0, 1), shared_masks=True), case((2, 3), shared_masks=True)
    dropout = [one.run().model.cell.dropout for one in (shared, other)]
    masks = [each.mask(torch.ones(2, 6, 50)) for each in dropout]
    assert masks[0].shape == (1, 6, 50)
    assert masks[0].equal(masks[1])
    run = shared.train(shared.run(), shared.checkpoint())
    assert "dropout.0" in run.state()
    assert "dropout.1" not in run.state()


def test_bfloat16_rounds_a_step_and_keeps_its_weights(case):
    """The weights, their moments and the loss stay in float32; gradients are right to bfloat16's digits."""
    runs = {}
    for precision in ("float32", "bfloat16"):
        one = case(dropout=0.0, precision=precision)
        runs[precision] = one.run()
        rows = torch.stack([fold[:8] for fold in one.train_rows])
        runs[precision].losses = [one_step.compute(runs[precision], *one.pixels.take(rows))]
    exact, rounded = runs.values()
    torch.testing.assert_close(rounded.losses[0], exact.losses[0], rtol=0.02, atol=0)
    assert not rounded.losses[0].equal(exact.losses[0])
    for name, value in exact.model.named_parameters():
        found = rounded.model.get_parameter(name)
        assert found.dtype == found.grad.dtype == torch.float32
        assert (found.grad - value.grad).norm() < 0.05 * value.grad.norm(), name
    assert {value.dtype for key, value in rounded.state().items() if "dropout" not in key} == {torch.float32}


def test_training_learns(case):
    one = case(epochs=40, dropout=0.0)
    history = one.train(one.run(), one.checkpoint()).history
    for k in (0, 1):
        assert history[-1][k]["loss"] < 0.6 * history[0][k]["loss"]
    assert [entry[0]["epoch"] for entry in history] == list(range(1, 41))


def test_a_fold_is_the_same_whichever_folds_it_is_trained_beside(case):
    """To rounding: initial weights, order and masks are the very same."""
    together, alone = case((0, 1, 2), epochs=2), case((1,), epochs=2)
    stack, one = together.run(), alone.run()
    for name, value in one.model.state_dict().items():
        assert stack.model.state_dict()[name][1].equal(value[0])
    together.train(stack, together.checkpoint(name="stack"))
    alone.train(one, alone.checkpoint(name="alone"))
    for name, value in one.model.state_dict().items():
        torch.testing.assert_close(stack.model.state_dict()[name][1], value[0], rtol=1e-3, atol=1e-4)
    assert stack.state()["dropout.1"].equal(one.state()["dropout.0"])
    entries = zip(stack.history, one.history, strict=True)
    assert all(a[1]["loss"] == pytest.approx(b[0]["loss"], rel=1e-4) for a, b in entries)


@pytest.mark.parametrize("seconds", [0, 1e9])
@pytest.mark.parametrize("value, word", [(math.nan, "nan"), (math.inf, "inf")])
def test_a_loss_that_is_not_finite_is_named(case, monkeypatch, value, word, seconds):
    one = case((4, 2))
    step, steps = one_step.compute, []

    def failing(*args):
        steps.append(1)
        losses = step(*args)
        if len(steps) >= 5 + 3:  # 5 steps an epoch
            losses[1] = value
        return losses

    monkeypatch.setattr(one_step, "compute", failing)
    message = rf"loss of fold 2 became {word} in epoch 2, batch 3\. No network is written"
    with pytest.raises(Error, match=message):
        one.train(one.run(), one.checkpoint(seconds=seconds))
    kept = one.checkpoint().load()
    assert kept is None if seconds else (len(kept[1]), len(kept[0]["losses"])) == (1, 2)


def test_weights_that_are_not_numbers_are_noticed_at_the_next_step(case):
    one = case()
    run = one.run()
    with torch.no_grad():
        run.model.cell.output.weight[0] = math.nan
    with pytest.raises(Error, match=r"loss of fold 0 became nan in epoch 1, batch 1\."):
        one.train(run, one.checkpoint())
    assert not one.checkpoint().path.exists()


def test_a_bad_loss_costs_no_more_than_fifty_steps(case, monkeypatch):
    """Though nothing is saved meanwhile, and a look at every loss would make a GPU wait."""
    one, steps = case(batch_size=1, epochs=3), []

    def bad(*args):
        steps.append(1)
        return torch.full((2,), math.nan if len(steps) >= 60 else 1.0)

    monkeypatch.setattr(one_step, "compute", bad)
    with pytest.raises(Error, match=r"fold 0 became nan in epoch 2, batch 20\."):
        one.train(one.run(), one.checkpoint(seconds=1e9))
    assert len(steps) == 80  # the end of epoch 2


def test_the_step_that_spoils_the_weights_is_noticed_if_it_is_the_last(case, monkeypatch):
    one, step, steps = case((4, 2), epochs=2), one_step.compute, []

    def spoiling(run, *args):
        losses = step(run, *args)
        steps.append(1)
        if len(steps) == 2 * 5:
            with torch.no_grad():
                run.model.cell.hidden.weight[1, 3, 2] = math.nan
        return losses

    monkeypatch.setattr(one_step, "compute", spoiling)
    with pytest.raises(Error, match=r"cell\.hidden\.weight of fold 2 is not finite at the end of epoch 2"):
        one.train(one.run(), one.checkpoint())


@pytest.mark.parametrize("at_once", [1000, 7, 1])
def test_accuracy_counts_each_sample_once(case, monkeypatch, at_once):
    """Test sets differ in size, and padding must not count."""
    one = case((0, 1, 2))
    run = one.run()
    rows = [rows[:size] for rows, size in zip(one.test_rows, (20, 13, 1), strict=True)]
    monkeypatch.setattr(loop, "EVALUATED_AT_ONCE", at_once)
    found = loop._accuracy(run.model, one.pixels, rows, loop.never)
    assert not run.model.training
    for k, fold_rows in enumerate(rows):
        right = 0
        for row in fold_rows:
            patches, labels = one.pixels.take(row.repeat(3, 1))
            right += int(run.model.classify(patches)[k].argmax(-1).item() == labels[k].item())
        assert found[k] == right / len(fold_rows)


def test_an_epoch_visits_each_row_at_most_once_in_a_new_order(case):
    one = case()
    run = one.run()
    first = shuffled(one.train_rows, 8, run.orders())
    assert first.shape == (5, 2, 8)  # 40 rows
    assert first.equal(shuffled(one.train_rows, 8, run.orders()))
    run.losses = [torch.zeros(2)]
    run.close_epoch([0.5, 0.5])
    second = shuffled(one.train_rows, 8, run.orders())
    for k, rows in enumerate(one.train_rows):
        for order in (first, second):
            assert order[:, k].flatten().unique().tolist() == sorted(rows.tolist())
    assert not first.equal(second)
    assert not first[:, 0].equal(first[:, 1])


def test_rows_beyond_the_last_full_batch_sit_out(case):
    rows = [torch.arange(41), torch.arange(100, 142)]
    batches = shuffled(rows, 8, generators(0, (0, 1), "order", epoch=1))
    assert batches.shape == (5, 2, 8)
    assert len(batches[:, 1].unique()) == 40
    assert batches[:, 1].min() >= 100


def test_the_order_of_a_fold_does_not_depend_on_its_neighbours(case):
    together, alone = case((0, 1, 2)), case((1,))
    orders = [shuffled(one.train_rows, 8, one.run().orders()) for one in (together, alone)]
    assert orders[0][:, 1].equal(orders[1][:, 0])


def test_a_batch_larger_than_the_training_set_is_refused(case):
    one = case()
    with pytest.raises(Error, match="batch_size = 41 is larger than the training set of 40 sequences"):
        shuffled(one.train_rows, 41, one.run().orders())


def test_streams_depend_on_seed_fold_purpose_and_epoch_alone():
    seeds = {
        (seed, fold, purpose, epoch): generators(seed, ["quality", fold], purpose, epoch=epoch)[
            1
        ].initial_seed()
        for seed in (0, 1)
        for fold in (0, 1, 6, "quality")
        for purpose in PURPOSES
        for epoch in (None, 1, 2)
    }
    assert len(set(seeds.values())) == len(seeds)
    for (seed, fold, purpose, epoch), right in seeds.items():
        assert generators(seed, [fold], purpose, epoch=epoch)[0].initial_seed() == right


def test_streams_are_pinned():
    """A change here changes every result."""
    found = [generators(0, [0, 6, "quality"], purpose) for purpose in PURPOSES]
    assert [[stream.initial_seed() for stream in streams] for streams in found] == [
        [6375474603054492659, 5621513524413900949, 2630182675100097583],
        [8227443068371210697, 3757627440730675263, 286050713565983519],
        [6285238370336474930, 7882695778569400814, 1281006092459025281],
    ]
    second = generators(0, [0, 6, "quality"], "order", epoch=2)
    assert [stream.initial_seed() for stream in second] == [
        7743469134935368571,
        6312568790216565349,
        5403605906151851801,
    ]


@pytest.mark.parametrize("steps", [1, 4, 28])
def test_pixels_are_the_data_sets_pictures_cut_into_steps(digits_file, steps, monkeypatch):
    monkeypatch.setattr("rnnxai.training.batches.ROWS_AT_ONCE", 700)
    dataset = Dataset.open(digits_file)
    pixels = Pixels.of(dataset, steps, "cpu")
    rows = torch.tensor([[0, 5, 1796], [3, 699, 700]])
    patches, labels = pixels.take(rows)
    assert patches.shape == (2, steps, 3, 28 * 28 // steps)
    assert patches.dtype == torch.float32
    for k in (0, 1):
        pictures = dataset.sequences(rows[k].numpy())[:, 0] * (2 / 255) - 1
        for t, columns in enumerate(np.split(pictures, steps, axis=2)):
            np.testing.assert_allclose(patches[k, t].numpy(), columns.reshape(3, -1), atol=1e-6)
        assert labels[k].tolist() == dataset.labels[rows[k].numpy()].tolist()


def test_pixels_stay_within_the_bounds_of_z_b():
    pixels = Pixels(torch.arange(256, dtype=torch.uint8).view(1, 1, 256), torch.zeros(1).long())
    values = pixels.take(torch.zeros(1, 1).long())[0].flatten()
    assert (values[0], values[-1]) == (-1, 1)
    assert (values.diff() > 0).all()
