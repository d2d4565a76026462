"""The engine beside the reference: which methods, which networks, and how far they are apart."""

from functools import cache

import networks
import numpy as np
import reference

import rnnxai

ARCHITECTURES = list(reference.FORWARD)
STEPS = [1, 2, 4, 12]
ALIKE = ["deep-sd", "r-lstm-sd"]  # but for their dropout, which explanations do not see, deep and r-lstm
STEPS_OF = {name: 1 if name in ("lenet", "mnist-cnn") else 4 for name in ARCHITECTURES}  # where one will do

# Name of a case: method, options.
RELEVANCE = {
    "lrp-0": ("lrp-0", {}),
    "lrp-eps": ("lrp-eps", {}),
    "lrp-eps, 0.3": ("lrp-eps", {"epsilon": 0.3}),
    "lrp-gamma": ("lrp-gamma", {}),
    "lrp-gamma, 2": ("lrp-gamma", {"gamma": 2.0}),
    "dtd": ("dtd", {}),
    "lrp-zplus": ("lrp-zplus", {}),
    "lrp-a1.2b0.2": ("lrp-a1.2b0.2", {}),
    "lrp-a1.5b0.5": ("lrp-a1.5b0.5", {}),
    "lrp-a2b1": ("lrp-a2b1", {}),
    "lrp-w2": ("lrp-w2", {}),
    "lrp-flat": ("lrp-flat", {}),
    "lrp-eps-plus": ("lrp-eps-plus", {}),
    "lrp-eps-plus-flat": ("lrp-eps-plus-flat", {}),
    "lrp-eps-gamma-box": ("lrp-eps-gamma-box", {}),
    "lrp-eps-a2b1": ("lrp-eps-a2b1", {}),
    "lrp": (
        "lrp",
        {
            "rules": {
                "input": "lrp-w2",
                "pooling": "lrp-flat",
                "convolution": {"rule": "lrp-gamma", "gamma": 1.0},
                "sum": {"rule": "lrp-eps", "epsilon": 0.05},
                "out*": "lrp-0",
                "dense": "lrp-a1.5b0.5",
                "*": "lrp-zplus",
            }
        },
    ),
}
GATES = ["all", "half", "prop", "abs"]
GATED = [*(("r-lstm", steps) for steps in STEPS), ("conv-r-lstm-sd", 2), ("conv-plus-r-lstm-sd", 4)]
GRADIENTS = {
    "sa": ("sa", {}, reference.sensitivity),
    "gb": ("gb", {}, reference.guided),
    "gb, gates followed": ("gb", {"gates": "follow"}, reference.guided),
    "taylor": ("taylor", {}, reference.taylor),
    "integrated-gradients": ("integrated-gradients", {"points": 5}, reference.integrated),
    "smoothgrad, no noise": ("smoothgrad", {"noise": 0.0, "samples": 2}, reference.smooth),
    "occlusion": ("occlusion", {}, reference.occlusion),
}


def networks_compared():
    """Return the architectures with each number of steps that they are compared with."""
    several = [name for name, steps in STEPS_OF.items() if steps > 1 and name not in ALIKE]
    once = [name for name in ARCHITECTURES if name not in several]
    return [(name, steps) for name in several for steps in STEPS] + [(name, STEPS_OF[name]) for name in once]


@cache
def case(architecture, steps, kind, bias, pooling=None):
    """Return a network for the engine, the same for the reference, three images and their best classes."""
    more = {} if pooling is None else {"pooling": pooling}
    model = networks.make_net(architecture, steps, kind, bias, **more)
    images = networks.some_images(*model.image_size)
    return model, reference.Net(architecture, model, pooling), images, model(images).argmax(1)


def reference_relevance(net, images, targets, method, **options):
    """Explain a batch, one sample at a time; return maps (N, H, W) and the books of each."""
    each = [
        reference.relevance(net, image[0].numpy(), target, method, **options)
        for image, target in zip(images, targets, strict=True)
    ]
    return np.stack([found for found, _ in each]), [books for _, books in each]


def reference_gradient(net, images, targets, compute, **options):
    """The same of a method made of gradients."""
    return np.stack(
        [
            compute(net, image[0].numpy(), target, **options)
            for image, target in zip(images, targets, strict=True)
        ]
    )


def error(found, right):
    """Largest difference of maps (N, H, W), relative to the largest value of each."""
    errors = [
        np.abs(one - other).max()
        / (np.abs(other).max() or np.finfo(float).tiny)  # an empty map is met exactly
        for one, other in zip(found, right, strict=True)
    ]
    return float(max(errors))


def errors_of(architecture, steps, kind="trained", bias="thesis"):
    """Return the largest relative error of each case on one network, by method.

    A method that is not defined for what the network computes is left out.
    """
    model, net, images, targets = case(architecture, steps, kind, bias)
    errors = {}
    for method, options in RELEVANCE.values():
        try:
            right, _ = reference_relevance(net, images, targets.tolist(), method, **options)
        except reference.RefusedError:
            continue
        found = rnnxai.explain(model, images, targets, method, **options)
        errors.setdefault(method, []).append(error(found[:, 0].numpy(), right))
    for method, options, compute in GRADIENTS.values():
        right = reference_gradient(net, images, targets.tolist(), compute, **options)
        found = rnnxai.explain(model, images, targets, method, **options)
        errors.setdefault(method, []).append(error(found[:, 0].numpy(), right))
    return {method: max(cases) for method, cases in errors.items()}
