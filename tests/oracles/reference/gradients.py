"""Gradients, and the methods made of them.

The gradient walks a tape back by the chain rule. `complex_step` finds the same one without it.
"""

import numpy as np


def gradient(net, image, target, guided=False, gates="follow"):
    """The derivative of the target's score by the pixels, of a pair of targets that of the difference.

    Guided backpropagation lets ReLUs pass only what is positive; constant gates pass nothing.
    """
    tape, pixels, scores = net.run(image)
    held = {entry: np.zeros(len(entry.value)) for entry in tape.entries}
    held[scores] = weights(target, len(scores.value))
    for entry in reversed(tape.entries):
        for source, part in zip(entry.sources, back(entry, held[entry], guided, gates), strict=True):
            held[source] = held[source] + part
    return held[pixels].reshape(image.shape)


def weights(target, classes):
    """The explained number as a weighted sum of scores: 1 on the target, and -1 on what it is compared to."""
    row = np.zeros(classes)
    for k, side in zip(target if isinstance(target, tuple) else (target,), (1, -1), strict=False):
        row[k] += side
    return row


def back(entry, held, guided, gates):
    """Hand a derivative down to the sources of an entry."""
    if entry.kind == "affine":
        edges = np.cumsum([len(source.value) for source in entry.sources])[:-1]
        return np.split(entry.about["layer"].w.T @ held, edges)
    if entry.kind == "activation":
        passed = np.maximum(held, 0) if guided and entry.about["guided"] else held
        return [passed * entry.about["slope"]]
    if entry.kind == "product":
        gate, signal = entry.sources
        return held * signal.value * (gates == "follow"), held * gate.value
    if entry.kind == "moved":
        received = np.zeros(len(entry.sources[0].value))
        received[entry.about["indices"]] = held
        return [received]
    return []


def complex_step(net, image, target, size=1e-30):
    """The derivative by Im f(x + ih) / h, for which nothing but the forward pass is needed."""
    found = np.zeros(image.shape)
    for place in np.ndindex(image.shape):
        moved = image.astype(complex)
        moved[place] += 1j * size
        scores = net.scores(moved)
        found[place] = (weights(target, len(scores)) @ scores).imag / size
    return found


# Methods


def sensitivity(net, image, target):
    return gradient(net, image, target) ** 2


def guided(net, image, target, gates="constant"):
    return gradient(net, image, target, guided=True, gates=gates) ** 2


def taylor(net, image, target):
    return image * gradient(net, image, target)


def integrated(net, image, target, points=32, baseline=-1.0):
    """(x - b) times the mean gradient on the straight way from b to x (Gauss-Legendre)."""
    nodes, shares = np.polynomial.legendre.leggauss(points)
    base, total = np.full(image.shape, baseline), np.zeros(image.shape)
    for node, share in zip(nodes, shares, strict=True):
        total += share / 2 * gradient(net, base + (node + 1) / 2 * (image - base), target)
    return (image - base) * total


def smooth(net, image, target, samples=32, noise=0.1, width=2.0, draw=np.zeros_like):
    """The mean gradient at images plus noise; `draw` gives standard normal noise of an image's shape."""
    moved = [image + noise * width * draw(image) for _ in range(samples)]
    return sum(gradient(net, one, target) for one in moved) / samples


def occlusion(net, image, target, steps=None, axis=1, value=-1.0):
    """What the score loses with one slice of the image covered, spread evenly over the slice."""
    found = np.zeros(image.shape)
    row = weights(target, len(net.scores(image)))
    for part in np.split(np.arange(image.shape[axis]), steps or net.steps):
        place = (part, slice(None)) if axis in (0, -2) else (slice(None), part)
        covered = image.copy()
        covered[place] = value
        found[place] = row @ (net.scores(image) - net.scores(covered)) / covered[place].size
    return found
