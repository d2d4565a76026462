"""One mask for all steps."""

import pytest
import torch

from rnnxai.models.dropout import Dropout
from rnnxai.models.stationary import draw_mask, drop


def test_a_mask_has_a_draw_for_each_fold_sample_and_unit():
    dropout, patches = Dropout(0.5), torch.zeros(2, 4, 300, 3, dtype=torch.float64)
    mask = draw_mask(dropout, patches, 11)
    assert mask.shape == (2, 300, 11)
    assert mask.dtype == torch.float64
    assert mask.unique().tolist() == [0, 2]
    assert abs(mask.mean() - 1) < 0.1
    assert not mask.equal(draw_mask(dropout, patches, 11))


def test_folds_draw_from_their_own_generators():
    together, alone = Dropout(0.5), Dropout(0.5)
    together.generators = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
    alone.generators = [torch.Generator().manual_seed(4)]
    patches = torch.zeros(2, 4, 6, 3)
    assert draw_mask(together, patches, 11)[1].equal(draw_mask(alone, patches[1:], 11)[0])


@pytest.mark.parametrize("p, training", [(0.5, False), (0.0, True)])
def test_no_mask_where_dropout_does_not_act(p, training):
    state = torch.get_rng_state()
    assert draw_mask(Dropout(p).train(training), torch.zeros(2, 4, 6, 3), 11) is None
    assert torch.get_rng_state().equal(state)
    x = torch.ones(2, 6, 11)
    assert drop(x, None) is x


def test_all_steps_have_the_same_mask(torch_rng):
    mask = draw_mask(Dropout(0.5), torch.zeros(2, 4, 6, 3), 11)
    x = torch.rand(2, 4, 6, 11, generator=torch_rng)
    found = drop(x, mask)
    for t in range(4):
        assert found[:, t].equal(x[:, t] * mask)
        assert drop(x[:, t], mask).equal(found[:, t])
