"""The architectures, one forward pass each, written on a tape.

`net` holds the layers by name. A forward pass takes the steps' patches as entries of the tape and
returns the scores. States before the first step are not read at all.
"""

import numpy as np

from reference.layers import Layer, addition
from reference.rules import BOUNDED
from reference.tape import Tape


def forward_shallow(tape, net, xs):
    h = []
    for t, x in enumerate(xs):
        r = [tape.relu(tape.affine(net["recurrent"], t, h[t - 1]))] if t > 0 else []
        h.append(tape.relu(tape.affine(net["hidden"], t, x, *r)))
    return tape.affine(net["output"], t, h[t])


def forward_deep(tape, net, xs):
    return deep_core(tape, net, [tape.relu(tape.affine(net["encoder"], t, x)) for t, x in enumerate(xs)])


def deep_core(tape, net, e):
    """From the encoded steps to the scores."""
    h = []
    for t in range(len(e)):
        r = [tape.relu(tape.affine(net["recurrent"], t, h[t - 1]))] if t > 0 else []
        h.append(tape.relu(tape.affine(net["hidden"], t, e[t], *r)))
    decoded = tape.relu(tape.affine(net["decoder"], t, h[t]))
    return tape.affine(net["output"], t, decoded)


def forward_r_lstm(tape, net, xs):
    return r_lstm_core(tape, net, [tape.relu(tape.affine(net["encoder"], t, x)) for t, x in enumerate(xs)])


def r_lstm_core(tape, net, e):
    """From the encoded steps to the scores; c[t] and h[t] stand after step t."""
    c, h = [], []
    for t in range(len(e)):
        past = h[t - 1 : t]
        i, f, o = tape.split(tape.sigmoid(tape.affine(net["gates"], t, e[t], *past)), 3)
        g = tape.relu(tape.affine(net["candidate"], t, e[t], *past))
        now = tape.product(i, g)
        if t > 0:
            kept = tape.product(f, c[t - 1])
            now = tape.affine(addition("content", len(now.value)), t, kept, now)
        c.append(now)
        h.append(tape.product(o, c[t]))
    return tape.affine(net["output"], t, h[t])


FORWARD = {"shallow": forward_shallow, "deep": forward_deep, "r-lstm": forward_r_lstm}


def layers_of(model):
    """Return the layers of a single network as float64 arrays, by name."""
    layers = {}
    for name, affine in model.affine_layers().items():
        w = affine.weight[0].detach().double().numpy()
        b = np.zeros(len(w))
        if affine.bias is not None:
            raw = affine.bias[0].detach().double().numpy()
            b = raw if name == "gates" else -np.log1p(np.exp(raw))
        layers[name] = Layer(w, b, name=name)
    return layers


class Net:
    """A network of the zoo: its forward pass, its layers, and how it cuts images."""

    def __init__(self, architecture, model):
        self.forward, self.steps, self.size = FORWARD[architecture], model.steps, model.image_size
        self.layers = layers_of(model)
        self.pieces = np.split(np.arange(np.prod(self.size)).reshape(self.size), self.steps, axis=1)

    def run(self, image, domain=BOUNDED):
        """Classify an image (H, W); return the tape and the entries of the image and the scores."""
        tape = Tape()
        pixels = tape.input(image.reshape(-1), domain)
        patches = [tape.take(pixels, piece.reshape(-1)) for piece in self.pieces]
        return tape, pixels, self.forward(tape, self.layers, patches)

    def scores(self, image):
        return self.run(image)[-1].value
