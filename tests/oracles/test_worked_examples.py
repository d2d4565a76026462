"""Examples small enough to work by hand, in exact fractions: for the engine and for the reference alike.

Each layer has two units, which hold relevance 1 and 2, and two inputs. Unit k's row of `w` is written
out beside what the unit hands down.
"""

from fractions import Fraction as Q

import numpy as np
import pytest
import reference
import torch

import rnnxai
from rnnxai.explain.channels import Domain
from rnnxai.explain.parts import Layer, Part, divide
from rnnxai.explain.rules import AlphaBeta

HIDDEN, PIXELS = Domain.NON_NEGATIVE, Domain.BOUNDED
RELEVANCE = [1, 2]

EXAMPLES = {
    # R_1 = 1: (3, 0) / 3.  R_2 = 2: (1, 4) / 5.
    "z+": ((1, 0), HIDDEN, HIDDEN, [1, 2], [[3, -1], [1, 2]], [Q(1) + Q(2, 5), Q(8, 5)], 0),
    # R_1: 3/2 (1, 0) - 1/2 (0, 1).  R_2: 3/2 (1, 4) / 5, and nothing inhibits it: 1/2 by x, (1, 2) / 3.
    "alpha-beta": (
        (1.5, 0.5),
        HIDDEN,
        HIDDEN,
        [1, 2],
        [[3, -1], [1, 2]],
        [Q(3, 2) + Q(3, 5) - Q(1, 3), -Q(1, 2) + Q(12, 5) - Q(2, 3)],
        0,
    ),
    # Nothing excites unit 1: all that it holds goes by x, (1, 2) / 3.  R_2: (0, 4) / 4.
    "z+, empty": ((1, 0), HIDDEN, HIDDEN, [1, 2], [[-3, -1], [-1, 2]], [Q(1, 3), Q(2, 3) + 2], 0),
    # However small the inputs are: there is no epsilon.
    "z+, tiny": (
        (1, 0),
        HIDDEN,
        HIDDEN,
        [Q(1, 10**30), Q(2, 10**30)],
        [[-3, -1], [-1, 2]],
        [Q(1, 3), Q(2, 3) + 2],
        0,
    ),
    # All inputs are 0: nobody can be paid.
    "z+, unusable": ((1, 0), HIDDEN, HIDDEN, [0, 0], [[3, -1], [1, 2]], [Q(0), Q(0)], 3),
    "alpha-beta, unusable": ((2, 1), HIDDEN, HIDDEN, [0, 0], [[3, -1], [1, 2]], [Q(0), Q(0)], 3),
    # x w + w+ - w-.  R_1: (3/2 2, 1/2 1) = (3, 1/2).  R_2: (3/2, 1/2).
    "z^B": (
        (1, 0),
        PIXELS,
        PIXELS,
        [Q(1, 2), Q(1, 2)],
        [[2, -1], [1, -1]],
        [Q(6, 7) + Q(3, 2), Q(1, 7) + Q(1, 2)],
        0,
    ),
    # Alpha and beta do not matter to pixels.
    "z^B, beta": (
        (2, 1),
        PIXELS,
        PIXELS,
        [Q(1, 2), Q(1, 2)],
        [[2, -1], [1, -1]],
        [Q(6, 7) + Q(3, 2), Q(1, 7) + Q(1, 2)],
        0,
    ),
    # Pixels at the bounds that the weights point away from: by width of the range, half and half.
    "z^B, empty": ((1, 0), PIXELS, PIXELS, [-1, 1], [[2, -1], [1, -1]], [Q(3, 2), Q(3, 2)], 0),
    # Pixel 1/2, hidden 2.  R_1: (3, 2) / 5.  R_2: (3/2, 0).
    "mixed": (
        (1, 0),
        PIXELS,
        HIDDEN,
        [Q(1, 2), 2],
        [[2, 1], [1, -1]],
        [Q(3, 5) + 2, Q(2, 5)],
        0,
    ),
    # R_1: (3, 3/2 2) / 6.  R_2: (3/2, 1/2 2) / (5/2): what inhibits counts in favour.
    "mixed, beta": (
        (1.5, 0.5),
        PIXELS,
        HIDDEN,
        [Q(1, 2), 2],
        [[2, 1], [1, -1]],
        [Q(1, 2) + Q(6, 5), Q(1, 2) + Q(4, 5)],
        0,
    ),
}


def by_engine(rule, domains, x, w):
    weight = torch.tensor(w, dtype=torch.float64)[None]
    layer = Layer("layer", weight, [slice(0, 1), slice(1, 2)])
    values = torch.tensor([[[float(value)]] for value in x], dtype=torch.float64)
    parts = [Part(layer, j, values[j][None], domain, (-1.0, 1.0)) for j, domain in enumerate(domains)]
    channels = AlphaBeta(*rule).channels(frozenset(domains), "layer")
    held = torch.tensor([[RELEVANCE]], dtype=torch.float64)
    quotients, spread, dropped = divide(channels, parts, held)
    received = [part.relevance(part.pull(channels, quotients, spread)).item() for part in parts]
    return received, dropped.item()


def by_reference(rule, domains, x, w):
    x, w = np.array([float(value) for value in x]), np.array(w, dtype=float)
    held, rule = np.array(RELEVANCE, dtype=float), reference.Rule(*rule)
    if domains == (PIXELS, HIDDEN):
        pixels, hidden, dropped = reference.mixed(x[:1], x[1:], w, held, rule)
        return [*pixels, *hidden], dropped
    if domains == (PIXELS, PIXELS):
        return reference.z_bounded(x, w, held)
    if rule.beta == 0:
        return reference.z_plus(x, w, held)
    return reference.alpha_beta(x, w, held, rule)


@pytest.mark.parametrize("compute", [by_engine, by_reference])
@pytest.mark.parametrize("name", EXAMPLES)
def test_layer(name, compute):
    rule, *domains, x, w, right, right_dropped = EXAMPLES[name]
    assert sum(right) + right_dropped == sum(RELEVANCE)
    received, dropped = compute(rule, tuple(domains), x, w)
    assert received == pytest.approx([float(value) for value in right], abs=1e-15)
    assert dropped == pytest.approx(right_dropped, abs=1e-15)


def test_r_lstm():
    """Gates of weight 0 are 1/2 exactly, so two steps of one cell are fractions.

    Encoder weight 2, all other weights 1. Pixels 1/2 and 1 give e = 1, 2. Step 1: g = 1, c = 1/2,
    h = 1/4. Step 2: g = 9/4, c = 1/4 + 9/8 = 11/8, h = 11/16, and the score is that.
    """
    model = tiny("r-lstm", encoder=1, cells=1, steps=2)
    set_weights(model, encoder=[[2]], gates=[[0, 0]] * 3, candidate=[[1, 1]], output=[[1]])
    score = Q(11, 16)
    past = Q(1, 4) / Q(11, 8) * score
    now = score - past
    to_pixel, to_hidden = Q(8, 9) * now, Q(1, 9) * now
    expected = [past + to_hidden, to_pixel]
    assert expected == [Q(3, 16), Q(1, 2)]
    images = torch.tensor([[[[0.5, 1.0]]]], dtype=torch.float64)
    assert model(images).item() == float(score)
    found = rnnxai.explain(model, images, torch.tensor([0]), "dtd")
    assert found.flatten().tolist() == pytest.approx([float(value) for value in expected], abs=1e-15)


def test_gradients():
    """Both hidden units are active; the gradient at them is (1, -2), of which GB keeps (1, 0)."""
    model = tiny("shallow", hidden=2, recurrent=1, steps=1)
    set_weights(model, hidden=[[1, 0, 0], [0, -1, 0]], recurrent=[[0, 0]], output=[[1, -2]])
    images = torch.tensor([[[[0.5, -0.5]]]], dtype=torch.float64)
    targets = torch.tensor([0])
    assert rnnxai.explain(model, images, targets, "sa").flatten().tolist() == [1, 4]
    assert rnnxai.explain(model, images, targets, "gb").flatten().tolist() == [1, 0]


def tiny(architecture, steps, **sizes):
    model = rnnxai.build_model(
        architecture, image_size=(1, 2), steps=steps, classes=1, bias_init="none", **sizes
    )
    return model.double().eval()


@torch.no_grad()
def set_weights(model, **weights):
    for name, layer in model.affine_layers().items():
        layer.weight[0] = torch.tensor(weights[name], dtype=torch.float64)
        if layer.bias is not None:
            layer.bias.zero_()
