"""The architectures, one forward pass each, written on a tape.

`net` holds the layers by name. A forward pass takes the steps' patches as entries of the tape and
returns the scores. States before the first step are zeros.
"""

from functools import cache

import numpy as np

from reference.layers import Layer, addition, convolution, pooling, windows
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


def forward_deep_v2(tape, net, xs):
    e = []
    for t, x in enumerate(xs):
        first = tape.relu(tape.affine(net["first"], t, x))
        e.append(tape.relu(tape.affine(net["encoder"], t, first)))
    return deep_core(tape, net, e)


def forward_conv_deep(tape, net, xs, lateral=False):
    maps = convolutions(tape, net, xs, lateral)
    return deep_core(tape, net, [tape.relu(tape.affine(net["encoder"], t, p)) for t, p in enumerate(maps)])


def forward_conv_plus_deep(tape, net, xs):
    return forward_conv_deep(tape, net, xs, lateral=True)


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


def forward_conv_r_lstm(tape, net, xs, lateral=False):
    maps = convolutions(tape, net, xs, lateral)
    return r_lstm_core(tape, net, [tape.relu(tape.affine(net["encoder"], t, p)) for t, p in enumerate(maps)])


def forward_conv_plus_r_lstm(tape, net, xs):
    return forward_conv_r_lstm(tape, net, xs, lateral=True)


def convolutions(tape, net, xs, lateral):
    """Two convolutions, each with a pooling; lateral ones read their own activations of the step before."""
    a, b, pooled = [], [], []
    for t, x in enumerate(xs):
        past = slice(t - 1, t) if lateral and t > 0 else slice(0)
        size = net.patch
        values, size = convolve(tape, net, "conv1", t, size, x, *a[past])
        a.append(values)
        values, size = pool(tape, net, t, size, values)
        values, size = convolve(tape, net, "conv2", t, size, values, *b[past])
        b.append(values)
        values, size = pool(tape, net, t, size, values)
        pooled.append(values)
    return pooled


def forward_lenet(tape, net, xs):
    (values,), size = xs, net.patch
    for name in ("conv1", "conv2", "conv3"):
        values, size = convolve(tape, net, name, 0, size, values)
        values, size = pool(tape, net, 0, size, values)
    return tape.affine(net["output"], 0, values)


def forward_mnist_cnn(tape, net, xs):
    (values,), size = xs, net.patch
    for name in ("conv1", "conv2"):
        values, size = convolve(tape, net, name, 0, size, values, activation=tape.leaky_relu)
        values, size = pool(tape, net, 0, size, values)
    for name in ("hidden1", "hidden2"):
        values = tape.leaky_relu(tape.affine(net[name], 0, values))
    return tape.affine(net["output"], 0, values)


def convolve(tape, net, name, t, size, *maps, activation=None):
    layer, size = net.convolution(name, size)
    return (activation or tape.relu)(tape.affine(layer, t, *maps)), size


def pool(tape, net, t, size, maps):
    if net.pooling == "max":
        channels = len(maps.value) // (size[0] * size[1])
        winners = [place[np.argmax(maps.value[place].real)] for place in windows(channels, size)]
        return tape.take(maps, np.array(winners)), (-(-size[0] // 2), -(-size[1] // 2))
    layer, size = net.pool(len(maps.value) // (size[0] * size[1]), size)
    pooled = tape.affine(layer, t, maps)
    return (tape.scaled(pooled, 2) if net.pooling == "thesis" else pooled), size


FORWARD = {
    "shallow": forward_shallow,
    "deep": forward_deep,
    "deep-v2": forward_deep_v2,
    "conv-deep": forward_conv_deep,
    "conv-plus-deep": forward_conv_plus_deep,
    "deep-sd": forward_deep,
    "r-lstm": forward_r_lstm,
    "r-lstm-sd": forward_r_lstm,
    "conv-r-lstm-sd": forward_conv_r_lstm,
    "conv-plus-r-lstm-sd": forward_conv_plus_r_lstm,
    "lenet": forward_lenet,
    "mnist-cnn": forward_mnist_cnn,
}


def layers_of(model):
    """Return the layers of a single network as float64 arrays, by name; of convolutions the kernels."""
    layers = {}
    for name, layer in model.affine_layers().items():
        w = layer.weight[0].detach().double().numpy()
        b = np.zeros(len(w))
        if layer.bias is not None:
            raw = layer.bias[0].detach().double().numpy()
            b = -np.log1p(np.exp(raw)) if layer.bias_form == "negative" else raw
        layers[name] = Layer(w, b, name=name)
    return layers


class Net:
    """A network of the zoo: its forward pass, its layers, and how it cuts images."""

    def __init__(self, architecture, model, pooling=None):
        self.forward, self.steps, self.size = FORWARD[architecture], model.steps, model.image_size
        self.layers = layers_of(model)
        self.pooling = pooling or {"mnist-cnn": "average"}.get(architecture, "thesis")
        self.padded = {
            name for name, layer in model.affine_layers().items() if getattr(layer, "padding", "") == "same"
        }
        self.patch = self.size[0], self.size[1] // self.steps
        self.pieces = np.split(np.arange(np.prod(self.size)).reshape(self.size), self.steps, axis=1)
        self.convolution, self.pool = cache(self._convolution), cache(self._pool)

    def __getitem__(self, name):
        """Return a layer by its own name, without those of the modules it stands in."""
        return next(layer for key, layer in self.layers.items() if key.split(".")[-1] == name)

    def _convolution(self, name, size):
        kernel = self[name]
        rows, columns = kernel.w.shape[2:]
        padding = ((rows - 1) // 2, (columns - 1) // 2) if kernel.name in self.padded else (0, 0)
        return convolution(kernel.name, kernel.w, kernel.b, size, padding)

    def _pool(self, channels, size):
        return pooling("pooling", channels, size, lambda n: 1 if self.pooling == "sum" else 1 / n)

    def run(self, image, domain=BOUNDED):
        """Classify an image (H, W); return the tape and the entries of the image and the scores."""
        tape = Tape()
        pixels = tape.input(image.reshape(-1), domain)
        patches = [tape.take(pixels, piece.reshape(-1)) for piece in self.pieces]
        return tape, pixels, self.forward(tape, self, patches)

    def scores(self, image):
        return self.run(image)[-1].value
