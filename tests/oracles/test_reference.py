"""The engine against the slow reference: every method, every architecture, map and books."""

from functools import partial
from itertools import combinations
from math import inf

import numpy as np
import pytest
import reference
import torch
from comparison import (
    ARCHITECTURES,
    GATED,
    GATES,
    GRADIENTS,
    RELEVANCE,
    STEPS_OF,
    case,
    error,
    networks_compared,
    reference_gradient,
    reference_relevance,
)

import rnnxai

TOLERANCE = 1e-9
SAMPLES = 300
MORE_WEIGHTS = [("fresh", "none"), ("trained", "plain"), ("positive", "thesis")]
# Between them they hold every kind of layer, sum and product, beside each other and apart.
DIVERSE = ["shallow", "deep", "r-lstm", "conv-plus-r-lstm-sd", "mnist-cnn"]
NETWORKS = [
    *((architecture, steps, "trained", "thesis") for architecture, steps in networks_compared()),
    *((architecture, STEPS_OF[architecture], "one-sided", "none") for architecture in ARCHITECTURES),
    *(
        (architecture, STEPS_OF[architecture], *weights)
        for architecture in DIVERSE
        for weights in MORE_WEIGHTS
    ),
]
NAMES = ["-".join(map(str, network)) for network in NETWORKS]
every_network = pytest.mark.parametrize("network", NETWORKS, ids=NAMES)


def assert_close(found, right):
    """Compare maps (N, H, W), each to its own largest value; one of them may be empty, but not all."""
    assert right.any(), "there is nothing to compare"
    for n in range(len(right)):
        assert np.abs(found[n] - right[n]).max() <= TOLERANCE * np.abs(right[n]).max(), n


def compare(network, targets, method, images=None, **options):
    """Assert that the engine has the reference's maps and books; return the engine's of the batch."""
    model, net, own_images, _ = case(*network)
    images = own_images if images is None else images
    try:
        right, books = reference_relevance(net, images, numbers_of(targets), method, **options)
    except reference.RefusedError:
        with pytest.raises(rnnxai.Error):
            rnnxai.explain(model, images, targets, method, **options)
        return None
    relevance, ledger = rnnxai.explain(model, images, targets, method, return_ledger=True, **options)
    assert_close(relevance[:, 0].numpy(), right)
    for n, own_books in enumerate(books):
        assert_same_books(ledger.table(n), own_books)
        assert ledger.start[n] == pytest.approx(own_books.start, rel=TOLERANCE)
    return relevance, ledger


def assert_same_books(table, books):
    """Compare the rows of layers with weights, and what is lost in others, which need not have rows."""
    rows = table.set_index(["layer", "step"]).T.to_dict()
    assert len(rows) == len(table)
    largest = max(abs(value) for row in books.values() for value in row.values())
    weighted = books.of_kind("dense", "convolution")
    for place, right in weighted.items():
        found = rows.pop(place, dict.fromkeys(reference.COLUMNS, 0.0))
        for column in reference.COLUMNS:
            assert abs(found[column] - right[column]) <= TOLERANCE * largest, (place, column)
    assert {layer for layer, _ in rows} <= {"add", "avg_pool2d"}, "what else can lose anything?"
    for column in reference.LOST:
        found = sum(row[column] for row in rows.values())
        right = sum(row[column] for row in books.of_kind("sum", "pooling").values())
        assert abs(found - right) <= TOLERANCE * largest, column


@every_network
def test_forward_pass(network):
    model, net, images, _ = case(*network)
    scores = model(images).detach().numpy()
    assert_close(scores, np.stack([net.scores(image[0].numpy()) for image in images]))


@pytest.mark.parametrize("name", RELEVANCE)
@every_network
def test_relevance_and_books(network, name):
    method, options = RELEVANCE[name]
    compare(network, case(*network)[-1], method, **options)


@pytest.mark.parametrize("gates", GATES[1:])
@pytest.mark.parametrize("name", RELEVANCE)
@pytest.mark.parametrize("architecture, steps", GATED)
def test_gate_rules(architecture, steps, name, gates):
    network = architecture, steps, "trained", "thesis"
    method, options = RELEVANCE[name]
    compared = compare(network, case(*network)[-1], method, gates=gates, **options)
    if compared is not None:
        table = compared[1].table()
        assert table[table.layer.str.endswith("gates")].incoming.abs().sum() > 0


@pytest.mark.parametrize("name", GRADIENTS)
@every_network
def test_gradients(network, name):
    method, options, compute = GRADIENTS[name]
    compare_gradients(network, torch.tensor([0, 1, 3]), method, compute, **options)


def compare_gradients(network, targets, method, compute, found_with=None, **options):
    """Assert that the engine has the reference's maps; `found_with` holds what only the engine is told."""
    model, net, images, _ = case(*network)
    found = rnnxai.explain(model, images, targets, method, **options, **(found_with or {}))[:, 0].numpy()
    right = reference_gradient(net, images, numbers_of(targets), compute, **options)
    assert_close(found, right)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_gradients_of_the_reference_by_a_complex_step(architecture):
    _, net, images, targets = case(architecture, STEPS_OF[architecture], "trained", "thesis")
    for image, target in zip(images, targets.tolist(), strict=True):
        for targets in (target, (target, (target + 1) % 4)):
            found = reference.gradient(net, image[0].numpy(), targets)
            assert_close([found], reference.complex_step(net, image[0].numpy(), targets)[None])


# What is explained


@pytest.mark.parametrize("name", RELEVANCE)
@pytest.mark.parametrize("architecture", DIVERSE)
def test_a_contrast_of_two_classes(architecture, name):
    network = architecture, STEPS_OF[architecture], "trained", "plain"
    model, _, images, best = case(*network)
    method, options = RELEVANCE[name]
    compare(network, (best, model(images).argmin(1)), method, **options)
    compare(network, (best, (best + 1) % 4), method, **options)


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("architecture", DIVERSE)
def test_gradients_of_a_contrast(architecture, name):
    network = architecture, STEPS_OF[architecture], "trained", "thesis"
    best = case(*network)[-1]
    method, options, compute = GRADIENTS[name]
    compare_gradients(network, (best, (best + 1) % 4), method, compute, **options)


@pytest.mark.parametrize("name", RELEVANCE)
@pytest.mark.parametrize("architecture", DIVERSE)
def test_a_negative_score(architecture, name):
    """Deep Taylor decomposition and the alpha-beta rule have nothing to explain then; others do."""
    network = architecture, STEPS_OF[architecture], "wide", "thesis"
    model, _, images, _ = case(*network)
    scores = model(images)
    assert (scores.amin(1) < 0).all()
    method, options = RELEVANCE[name]
    if method == "dtd" or method.startswith("lrp-a"):
        if architecture != "mnist-cnn":  # they refuse what leaky ReLUs give
            assert not rnnxai.explain(model, images, scores.argmin(1), method, **options).any()
    else:
        compare(network, scores.argmin(1), method, **options)


@pytest.mark.parametrize("method", ["lrp-eps", "lrp-zplus", "gb", "integrated-gradients"])
def test_ways_to_name_a_target(method):
    model, _, images, best = case("deep", 4, "trained", "thesis")

    def found(targets):
        return rnnxai.explain(model, images, targets, method)

    assert torch.equal(found(1), found(torch.ones(3, dtype=torch.long)))
    assert torch.equal(found("predicted"), found(best))
    assert torch.equal(found(None), found(best))
    assert torch.equal(rnnxai.explain(model, images, method=method), found(best))
    assert torch.equal(found((1, 2)), found((torch.ones(3, dtype=torch.long), torch.full((3,), 2))))
    assert torch.equal(found(("predicted", 1)), found((best, 1)))
    assert not torch.allclose(found(int(model(images)[0].argmin())), found(best))


BOUNDS = {"wider": (-1.5, 2.0), "any": (-inf, inf), "non-negative": (0.0, inf)}


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("name", RELEVANCE)
@pytest.mark.parametrize("architecture", DIVERSE)
def test_ranges_of_the_input(architecture, name, bounds):
    kind = "positive" if bounds == "non-negative" else "trained"  # or no score of theirs is positive
    network = architecture, STEPS_OF[architecture], kind, "thesis"
    model, _, images, _ = case(*network)
    images = images.abs() if bounds == "non-negative" else images
    method, options = RELEVANCE[name]
    compare(network, model(images).argmax(1), method, images=images, bounds=BOUNDS[bounds], **options)


@pytest.mark.parametrize("variant", ["sum", "average", "max"])
@pytest.mark.parametrize("name", RELEVANCE)
@pytest.mark.parametrize("architecture", ["conv-plus-deep", "mnist-cnn"])
def test_ways_to_pool(architecture, name, variant):
    network = architecture, STEPS_OF[architecture], "trained", "thesis", variant
    method, options = RELEVANCE[name]
    compare(network, case(*network)[-1], method, **options)


# Methods made of gradients


@pytest.mark.parametrize("architecture", DIVERSE)
def test_a_baseline_and_points(architecture):
    network = architecture, STEPS_OF[architecture], "trained", "thesis"
    targets = torch.tensor([0, 1, 3])
    for options in ({"points": 1}, {"points": 8, "baseline": 0.25}):
        compare_gradients(network, targets, "integrated-gradients", reference.integrated, **options)


def test_integrated_gradients_are_complete():
    """The maps sum to the difference of the scores, as far as the quadrature goes."""
    model, _, images, targets = case("r-lstm", 4, "fresh", "thesis")
    found = rnnxai.explain(model, images, targets, "integrated-gradients", points=200)
    scores = model(torch.cat([images, torch.full_like(images, -1)])).detach()
    fall = (scores[:3] - scores[3:]).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(found.sum((1, 2, 3)), fall, rtol=1e-2, atol=0)


OCCLUSIONS = [{"steps": 3}, {"steps": 12, "value": 0.5}, {"steps": 3, "axis": -2}, {"steps": 1}]


@pytest.mark.parametrize("options", OCCLUSIONS, ids=str)
@pytest.mark.parametrize("architecture", ["shallow", "conv-plus-r-lstm-sd", "mnist-cnn"])
def test_occlusion_of_other_slices(architecture, options):
    network = architecture, STEPS_OF[architecture], "trained", "thesis"
    compare_gradients(network, torch.tensor([0, 1, 3]), "occlusion", reference.occlusion, **options)


def test_ranges_of_gradient_methods():
    """Without a finite low end, 0 stands in a covered slice and at the start of a path."""
    network = "r-lstm", 4, "trained", "thesis"
    targets = torch.tensor([0, 1, 3])
    for bounds, low in (((-inf, inf), 0.0), ((-2.0, 5.0), -2.0)):
        told = {"bounds": bounds}
        for method, compute, options in (
            ("occlusion", partial(reference.occlusion, value=low), {}),
            ("integrated-gradients", partial(reference.integrated, baseline=low), {"points": 3}),
        ):
            compare_gradients(network, targets, method, compute, found_with=told, **options)


@pytest.mark.parametrize(
    "bounds, widths", [((-1.0, 1.0), [2, 2, 2]), ((-2.0, 3.0), [5, 5, 5]), ((-inf, inf), None)]
)
def test_smoothgrad_is_a_mean_over_noise_of_the_right_width(rng, bounds, widths):
    """Both means come from draws of their own, so they agree within a few standard errors."""
    model, net, images, targets = case("deep", 2, "trained", "thesis")
    images = images * torch.tensor([1.0, 0.5, 0.25])[:, None, None, None]
    widths = widths or [float(image.max() - image.min()) for image in images]
    options = {"noise": 0.3, "samples": SAMPLES}
    found = rnnxai.explain(model, images, targets, "smoothgrad", bounds=bounds, seed=3, **options)
    samples = zip(images[:, 0].numpy(), targets.tolist(), widths, found[:, 0].numpy(), strict=True)
    for image, target, width, one in samples:

        def draw(image):
            return rng.standard_normal(image.shape)

        once = partial(reference.smooth, net, image, target, samples=1, noise=0.3, width=width, draw=draw)
        each = np.array([once() for _ in range(SAMPLES)])
        error = each.std(0) * np.sqrt(2 / SAMPLES)
        assert (np.abs(one - each.mean(0)) <= 5 * error).all()
        plain = reference.gradient(net, image, target)
        assert (np.abs(one - plain) > 10 * error).any(), "noise makes no difference here"


def test_smoothgrad_follows_its_seed():
    model, _, images, targets = case("deep", 2, "trained", "thesis")
    first, same, other = (
        rnnxai.explain(model, images, targets, "smoothgrad", samples=2, noise=0.3, seed=seed)
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, same)
    assert not torch.allclose(first, other)


# The comparison itself


def test_nothing_is_left_out():
    """Every architecture and every method by its name, but for what is another name of a method."""
    assert set(ARCHITECTURES) == set(rnnxai.MODELS)
    compared = {method for method, *_ in [*RELEVANCE.values(), *GRADIENTS.values()]}
    assert set(rnnxai.METHODS) - compared == {"lrp-a{alpha}b{beta}", "gradient-x-input"}


def test_all_rules_differ():
    """On the same network, so that none can stand in for another unseen."""
    network = "conv-r-lstm-sd", 4, "trained", "plain"
    _, net, images, targets = case(*network)
    maps = {
        (name, gates): reference_relevance(net, images, targets.tolist(), method, gates=gates, **options)[0]
        for name, (method, options) in RELEVANCE.items()
        for gates in ("all", "half", "prop")  # on signals that are not negative, abs is prop
    }
    for one, other in combinations(maps, 2):
        alike = {one[0], other[0]} in ({"dtd", "lrp-zplus"}, {"lrp-0", "lrp-eps"}) and one[1] == other[1]
        assert (error(maps[one], maps[other]) < 1e-4) == alike, (one, other)


def test_guided_backprop_differs_with_gates_and_from_the_gradient():
    _, net, images, targets = case("r-lstm", 4, "wide", "thesis")
    maps = [
        reference_gradient(net, images, targets.tolist(), compute, **options)
        for compute, options in (
            (reference.sensitivity, {}),
            (reference.guided, {}),
            (reference.guided, {"gates": "follow"}),
        )
    ]
    for one, other in combinations(maps, 2):
        assert error(one, other) > 1e-4


def numbers_of(targets):
    """Turn targets of the engine into one number, or one pair, per sample."""
    if isinstance(targets, tuple):
        return list(zip(*(side.tolist() for side in targets), strict=True))
    return targets.tolist()
