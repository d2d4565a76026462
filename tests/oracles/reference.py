"""A slow reference for explanations: plain loops in float64, one short function per equation.

It shares nothing with the package. Weights are arrays ``w`` (units, inputs), one sample is explained at
a time, and every message from unit k to input j stands in a matrix ``z`` (units, inputs) before it is
used. Relevance methods return the map and the books, gradient methods the map.
"""

from typing import NamedTuple

import numpy as np

LOW, HIGH = -1.0, 1.0


class Layer(NamedTuple):
    """Weights (units, inputs) and what is added to the weighted sums (units,)."""

    w: np.ndarray
    b: np.ndarray


class Rule(NamedTuple):
    """Alpha and beta of the alpha-beta rule; (1, 0) is deep Taylor decomposition."""

    alpha: float
    beta: float


def layers_of(model):
    """Return the layers of a single network as float64 arrays, by name."""
    layers = {}
    for name, affine in model.affine_layers().items():
        w = affine.weight[0].detach().double().numpy()
        b = np.zeros(len(w))
        if affine.bias is not None:
            raw = affine.bias[0].detach().double().numpy()
            b = raw if name == "gates" else -np.log1p(np.exp(raw))
        layers[name] = Layer(w, b)
    return layers


# Equations


def relu(z):
    return np.maximum(z, 0)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def distribute(z, usable, relevance):
    """R_j = sum_k z_jk / (sum_i z_ik) R_k; where that sum is 0, in proportion to the usable input."""
    received, dropped = np.zeros(z.shape[1]), 0.0
    for k, held in enumerate(relevance):
        if z[k].sum() != 0:
            received += z[k] / z[k].sum() * held
        elif usable.sum() != 0:
            received += usable / usable.sum() * held
        else:
            dropped += held
    return received, dropped


def z_plus(x, w, relevance):
    """Non-negative inputs, alpha = 1 (thesis eq. 2.72)."""
    return distribute(x * np.maximum(w, 0), x, relevance)


def alpha_beta(x, w, relevance, rule):
    """Non-negative inputs: alpha times the exciting part, minus beta times the inhibiting part."""
    excite, dropped = distribute(x * np.maximum(w, 0), x, rule.alpha * relevance)
    if rule.beta == 0:
        return excite, dropped
    inhibit, also_dropped = distribute(x * np.minimum(w, 0), x, -rule.beta * relevance)
    return excite + inhibit, dropped + also_dropped


def bounded_messages(x, w):
    """z_ik = x_i w_ik - l w+_ik - h w-_ik of pixels in [l, h]."""
    return x * w - LOW * np.maximum(w, 0) - HIGH * np.minimum(w, 0)


def z_bounded(x, w, relevance):
    """Bounded inputs: the z^B rule."""
    return distribute(bounded_messages(x, w), np.full(len(x), HIGH - LOW), relevance)


def mixed(x, r, w, relevance, rule):
    """Pixels x beside hidden activations r share one denominator (thesis eq. 3.5 and 3.6)."""
    of_pixels, of_hidden = np.split(w, [len(x)], axis=1)
    hidden = r * (rule.alpha * np.maximum(of_hidden, 0) - rule.beta * np.minimum(of_hidden, 0))
    z = np.concatenate([bounded_messages(x, of_pixels), hidden], axis=1)
    received, dropped = distribute(z, np.concatenate([np.full(len(x), HIGH - LOW), r]), relevance)
    return *np.split(received, [len(x)]), dropped


def past_share(f, past, content):
    """What the past contributed to c_t = f_t c_{t-1} + i_t g_t; nothing where the cell is empty."""
    return np.divide(f * past, content, out=np.zeros_like(content), where=content != 0)


# Forward passes


def patches(image, steps):
    """Cut (H, W) into T flat column patches, row by row."""
    return [patch.reshape(-1) for patch in np.split(image, steps, axis=1)]


def image_of(flat_patches, height):
    """Put patches back together."""
    return np.concatenate([patch.reshape(height, -1) for patch in flat_patches], axis=1)


def apply(layer, *parts):
    return layer.w @ np.concatenate(parts) + layer.b


def forward_shallow(net, xs):
    r = [np.zeros(len(net["recurrent"].w))]
    h = []
    for t, x in enumerate(xs):
        if t > 0:
            r.append(relu(apply(net["recurrent"], h[t - 1])))
        h.append(relu(apply(net["hidden"], x, r[t])))
    return r, h, apply(net["output"], h[-1])


def forward_deep(net, xs):
    e = [relu(apply(net["encoder"], x)) for x in xs]
    r = [np.zeros(len(net["recurrent"].w))]
    h = []
    for t in range(len(xs)):
        if t > 0:
            r.append(relu(apply(net["recurrent"], h[t - 1])))
        h.append(relu(apply(net["hidden"], e[t], r[t])))
    decoded = relu(apply(net["decoder"], h[-1]))
    return e, r, h, decoded, apply(net["output"], decoded)


def forward_r_lstm(net, xs):
    cells = len(net["candidate"].w)
    c, h = [np.zeros(cells)], [np.zeros(cells)]  # c[t] and h[t] stand before step t
    e, i, f, o, g = [], [], [], [], []
    for t, x in enumerate(xs):
        e.append(relu(apply(net["encoder"], x)))
        gates = np.split(sigmoid(apply(net["gates"], e[t], h[t])), 3)
        for values, one in zip((i, f, o), gates, strict=True):
            values.append(one)
        g.append(relu(apply(net["candidate"], e[t], h[t])))
        c.append(f[t] * c[t] + i[t] * g[t])
        h.append(o[t] * c[t + 1])
    return e, i, f, o, g, c, h, apply(net["output"], h[-1])


def logits(architecture, net, image, steps):
    return FORWARD[architecture](net, patches(image, steps))[-1]


# Relevance


class Books(dict):
    """(layer, step) to relevance in, out and dropped."""

    def enter(self, layer, step, incoming, outgoing, dropped):
        self[layer, step] = {
            "incoming": incoming.sum(),
            "outgoing": sum(part.sum() for part in outgoing),
            "dropped": dropped,
        }


def start_relevance(z, target):
    """The positive part of the target's score on the target, nothing elsewhere."""
    relevance = np.zeros_like(z)
    relevance[target] = relu(z[target])
    return relevance


def relevance_shallow(net, xs, target, rule):
    r, h, z = forward_shallow(net, xs)
    books, last = Books(), len(xs) - 1
    of_pixels = [None] * len(xs)
    of_z = start_relevance(z, target)
    of_h, dropped = alpha_beta(h[last], net["output"].w, of_z, rule)
    books.enter("output", last, of_z, [of_h], dropped)
    for t in reversed(range(len(xs))):
        of_pixels[t], of_r, dropped = mixed(xs[t], r[t], net["hidden"].w, of_h, rule)
        books.enter("hidden", t, of_h, [of_pixels[t], of_r], dropped)
        if t > 0:
            of_h, dropped = alpha_beta(h[t - 1], net["recurrent"].w, of_r, rule)
            books.enter("recurrent", t, of_r, [of_h], dropped)
    return of_pixels, books


def relevance_deep(net, xs, target, rule):
    e, r, h, decoded, z = forward_deep(net, xs)
    books, last = Books(), len(xs) - 1
    of_pixels = [None] * len(xs)
    of_z = start_relevance(z, target)
    of_decoded, dropped = alpha_beta(decoded, net["output"].w, of_z, rule)
    books.enter("output", last, of_z, [of_decoded], dropped)
    of_h, dropped = alpha_beta(h[last], net["decoder"].w, of_decoded, rule)
    books.enter("decoder", last, of_decoded, [of_h], dropped)
    for t in reversed(range(len(xs))):
        both, dropped = alpha_beta(np.concatenate([e[t], r[t]]), net["hidden"].w, of_h, rule)
        books.enter("hidden", t, of_h, [both], dropped)
        of_e, of_r = np.split(both, [len(e[t])])
        of_pixels[t], dropped = z_bounded(xs[t], net["encoder"].w, of_e)
        books.enter("encoder", t, of_e, [of_pixels[t]], dropped)
        if t > 0:
            of_h, dropped = alpha_beta(h[t - 1], net["recurrent"].w, of_r, rule)
            books.enter("recurrent", t, of_r, [of_h], dropped)
    return of_pixels, books


def relevance_r_lstm(net, xs, target, rule):
    e, _, f, _, _, c, h, z = forward_r_lstm(net, xs)
    books, last = Books(), len(xs) - 1
    of_pixels = [None] * len(xs)
    of_z = start_relevance(z, target)
    of_c, dropped = alpha_beta(h[-1], net["output"].w, of_z, rule)  # h = o c, and o is a constant
    books.enter("output", last, of_z, [of_c], dropped)
    for t in reversed(range(len(xs))):
        share = past_share(f[t], c[t], c[t + 1])
        of_g = (1 - share) * of_c
        both, dropped = alpha_beta(np.concatenate([e[t], h[t]]), net["candidate"].w, of_g, rule)
        books.enter("candidate", t, of_g, [both], dropped)
        of_e, of_h = np.split(both, [len(e[t])])
        of_pixels[t], dropped = z_bounded(xs[t], net["encoder"].w, of_e)
        books.enter("encoder", t, of_e, [of_pixels[t]], dropped)
        of_c = share * of_c + of_h
    return of_pixels, books


# Gradients


def through_relu(gradient, a, guided):
    """The derivative of a ReLU; guided backpropagation also stops what is negative."""
    return np.where(a > 0, relu(gradient) if guided else gradient, 0)


def back(layer, gradient, *widths):
    """Send a gradient to the parts of a layer's input."""
    return np.split(layer.w.T @ gradient, np.cumsum(widths)[:-1])


def gradient_shallow(net, xs, target, guided, follow):
    r, h, _ = forward_shallow(net, xs)
    of_pixels = [None] * len(xs)
    of_h = net["output"].w[target]
    for t in reversed(range(len(xs))):
        of_z = through_relu(of_h, h[t], guided)
        of_pixels[t], of_r = back(net["hidden"], of_z, len(xs[t]), len(r[t]))
        if t > 0:
            of_h = net["recurrent"].w.T @ through_relu(of_r, r[t], guided)
    return of_pixels


def gradient_deep(net, xs, target, guided, follow):
    e, r, h, decoded, _ = forward_deep(net, xs)
    of_pixels = [None] * len(xs)
    of_h = net["decoder"].w.T @ through_relu(net["output"].w[target], decoded, guided)
    for t in reversed(range(len(xs))):
        of_z = through_relu(of_h, h[t], guided)
        of_e, of_r = back(net["hidden"], of_z, len(e[t]), len(r[t]))
        of_pixels[t] = net["encoder"].w.T @ through_relu(of_e, e[t], guided)
        if t > 0:
            of_h = net["recurrent"].w.T @ through_relu(of_r, r[t], guided)
    return of_pixels


def gradient_r_lstm(net, xs, target, guided, follow):
    e, i, f, o, g, c, h, _ = forward_r_lstm(net, xs)
    of_pixels = [None] * len(xs)
    of_h, of_c = net["output"].w[target], 0.0
    for t in reversed(range(len(xs))):
        of_c = of_c + of_h * o[t]
        gates = (of_c * g[t], of_c * c[t], of_h * c[t + 1])
        of_gates = np.concatenate([v * s * (1 - s) for v, s in zip(gates, (i[t], f[t], o[t]), strict=True)])
        of_g = through_relu(of_c * i[t], g[t], guided)
        widths = len(e[t]), len(h[t])
        of_e, of_h = back(net["candidate"], of_g, *widths)
        if follow:
            also_e, also_h = back(net["gates"], of_gates, *widths)
            of_e, of_h = of_e + also_e, of_h + also_h
        of_pixels[t] = net["encoder"].w.T @ through_relu(of_e, e[t], guided)
        of_c = of_c * f[t]
    return of_pixels


# By name

FORWARD = {"shallow": forward_shallow, "deep": forward_deep, "r-lstm": forward_r_lstm}
RELEVANCE = {"shallow": relevance_shallow, "deep": relevance_deep, "r-lstm": relevance_r_lstm}
GRADIENT = {"shallow": gradient_shallow, "deep": gradient_deep, "r-lstm": gradient_r_lstm}
RULES = {"dtd": Rule(1, 0), "lrp-a1.5b0.5": Rule(1.5, 0.5), "lrp-a2b1": Rule(2, 1)}


def explain(architecture, net, image, steps, target, method):
    """Explain one image (H, W); return the map (H, W), and books or None."""
    xs = patches(image, steps)
    if method in RULES:
        of_pixels, books = RELEVANCE[architecture](net, xs, target, RULES[method])
        return image_of(of_pixels, len(image)), books
    guided, follow = {"sa": (False, True), "gb": (True, False), "gb-follow": (True, True)}[method]
    of_pixels = GRADIENT[architecture](net, xs, target, guided, follow)
    return image_of(of_pixels, len(image)) ** 2, None
