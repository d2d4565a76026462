"""The slow reference for recurrent modules: loops over layers, directions and steps.

Weights are those of a ``torch.nn`` module, by name; the equations are those of its documentation. One
sequence (T, inputs) is explained at a time, so a packed sequence is just a shorter one.
"""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import plain_reference as plain
from plain_reference import Part


class Weights(NamedTuple):
    """Of one direction of one layer; biases are 0 and `projection` is None where there are none."""

    of_x: np.ndarray
    of_h: np.ndarray
    bias_x: np.ndarray
    bias_h: np.ndarray
    projection: np.ndarray | None


class Rule(NamedTuple):
    """A propagation rule with its options, and how products with gates are divided.

    `others` has the rules, (method, options) each, of kinds of layers that do not follow it: "recurrent",
    "sum" and "dense".
    """

    method: str
    options: dict
    gates: str = "all"
    others: MappingProxyType = MappingProxyType({})

    def divide(self, kind, parts, b, held, books):
        method, options = self.others.get(kind, (self.method, self.options))
        return plain.divide(method, parts, b, held, books, **options)

    def add(self, terms, held, books):
        method, options = self.others.get("sum", (self.method, self.options))
        return plain.add(method, terms, held, books, **options)


def weights_of(module, layer, suffix):
    def array(name):
        return getattr(module, f"{name}_l{layer}{suffix}").detach().double().numpy()

    of_x, of_h = array("weight_ih"), array("weight_hh")
    none = np.zeros(len(of_x))
    biases = (array("bias_ih"), array("bias_hh")) if module.bias else (none, none)
    return Weights(of_x, of_h, *biases, array("weight_hr") if getattr(module, "proj_size", 0) else None)


# Forward: one step of a cell returns its state (h, c) and what the way back must know


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def rnn_step(w, x, h, c, activation):
    z = w.of_x @ x + w.bias_x + w.of_h @ h + w.bias_h
    return activation(z), c, {"x": x, "h": h}


def lstm_step(w, x, h, c, activation):
    i, f, g, o = np.split(w.of_x @ x + w.bias_x + w.of_h @ h + w.bias_h, 4)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    content = f * c + i * g
    out = o * np.tanh(content)
    seen = {"x": x, "h": h, "c": c, "i": i, "f": f, "g": g, "o": o, "content": content, "out": out}
    return (out if w.projection is None else w.projection @ out), content, seen


def gru_step(w, x, h, c, activation):
    rx, zx, nx = np.split(w.of_x @ x + w.bias_x, 3)
    rh, zh, nh = np.split(w.of_h @ h + w.bias_h, 3)
    r, z = sigmoid(rx + rh), sigmoid(zx + zh)
    n = np.tanh(nx + r * nh)
    return (1 - z) * n + z * h, c, {"x": x, "h": h, "r": r, "z": z, "n": n, "nx": nx, "nh": nh}


# Backward: relevance of a step's state (h, c) to its input and to the state before


def gate_share(g, s, rule):
    """What the gate receives of the relevance of g s; the signal receives the rest."""
    if rule.gates == "all":
        return np.zeros_like(g)
    if rule.gates == "half":
        return np.full_like(g, 0.5)
    if rule.gates == "abs":
        g, s = np.abs(g), np.abs(s)
    return np.array([one / (one + two) if one + two != 0 else 0.5 for one, two in zip(g, s, strict=True)])


def product(g, s, held, rule):
    """Divide the relevance of g s: (gate's, signal's)."""
    share = gate_share(g, s, rule)
    return share * held, (1 - share) * held


def rnn_back(w, seen, of_h, of_c, rule, domains, books):
    parts = [Part(seen["x"], w.of_x, *domains[0]), Part(seen["h"], w.of_h, *domains[1])]
    return *rule.divide("recurrent", parts, w.bias_x + w.bias_h, of_h, books), of_c


def lstm_back(w, seen, of_h, of_c, rule, domains, books):
    if w.projection is not None:
        part = Part(seen["out"], w.projection)
        (of_h,) = rule.divide("recurrent", [part], np.zeros(len(of_h)), of_h, books)
    of_o, through = product(seen["o"], np.tanh(seen["content"]), of_h, rule)
    terms = [seen["f"] * seen["c"], seen["i"] * seen["g"]]
    of_past, of_new = rule.add(terms, of_c + through, books)
    of_f, of_c = product(seen["f"], seen["c"], of_past, rule)
    of_i, of_g = product(seen["i"], seen["g"], of_new, rule)
    held = np.concatenate([of_i, of_f, of_g, of_o])
    return *rnn_back(w, seen, held, None, rule, domains, books)[:2], of_c


def gru_back(w, seen, of_h, of_c, rule, domains, books):
    of_new, of_past = rule.add([(1 - seen["z"]) * seen["n"], seen["z"] * seen["h"]], of_h, books)
    of_not_z, of_n = product(1 - seen["z"], seen["n"], of_new, rule)
    of_z, of_h = product(seen["z"], seen["h"], of_past, rule)
    of_nx, of_rnh = rule.add([seen["nx"], seen["r"] * seen["nh"]], of_n, books)
    of_r, of_nh = product(seen["r"], seen["nh"], of_rnh, rule)
    x, h, units = seen["x"], seen["h"], len(of_n)
    gates, new = slice(2 * units), slice(2 * units, None)
    both = [Part(x, w.of_x[gates], *domains[0]), Part(h, w.of_h[gates], *domains[1])]
    bias, held = (w.bias_x + w.bias_h)[gates], np.concatenate([of_r, of_z + of_not_z])
    x_gates, h_gates = rule.divide("recurrent", both, bias, held, books)
    (x_new,) = rule.divide("recurrent", [Part(x, w.of_x[new], *domains[0])], w.bias_x[new], of_nx, books)
    (h_new,) = rule.divide("recurrent", [Part(h, w.of_h[new], *domains[1])], w.bias_h[new], of_nh, books)
    return x_gates + x_new, of_h + h_gates + h_new, of_c


STEPS = {"RNN": rnn_step, "LSTM": lstm_step, "GRU": gru_step}
BACK = {"RNN": rnn_back, "LSTM": lstm_back, "GRU": gru_back}


# Whole modules


def runs_of(module):
    """Return (layer, direction) of each run through the sequence, in the order torch counts states."""
    return [(layer, way) for layer in range(module.num_layers) for way in range(1 + module.bidirectional)]


def forward(module, xs, h0=None, c0=None):
    """Return outputs (T, directions * H), last states h and c (runs, .), and what each run saw."""
    kind, runs = type(module).__name__, runs_of(module)
    activation = np.tanh if getattr(module, "nonlinearity", "tanh") == "tanh" else plain.positive
    wide = module.hidden_size
    narrow = getattr(module, "proj_size", 0) or wide
    h0 = np.zeros((len(runs), narrow)) if h0 is None else h0
    c0 = np.zeros((len(runs), wide)) if c0 is None else c0
    last_h, last_c, seen = [], [], {}
    for layer in range(module.num_layers):
        outputs = []
        for way in range(1 + module.bidirectional):
            w = weights_of(module, layer, "_reverse" if way else "")
            run = layer * (1 + module.bidirectional) + way
            h, c, states, steps = h0[run], c0[run], [None] * len(xs), [None] * len(xs)
            for t in reversed(range(len(xs))) if way else range(len(xs)):
                h, c, steps[t] = STEPS[kind](w, xs[t], h, c, activation)
                states[t] = h
            outputs.append(states)
            last_h.append(h)
            last_c.append(c)
            seen[layer, way] = w, steps
        xs = [np.concatenate(states) for states in zip(*outputs, strict=True)]
    return np.array(xs), np.array(last_h), np.array(last_c), seen


def backward(module, seen, of_outputs, of_last_h, of_last_c, rule, input_domain, books):
    """Send relevance of outputs and last states to the input (T, inputs) and to h0 and c0 (runs, .)."""
    kind, directions = type(module).__name__, 1 + module.bidirectional
    state = "N" if getattr(module, "nonlinearity", "tanh") == "relu" else "S"
    of_h0, of_c0 = np.zeros_like(of_last_h), np.zeros_like(of_last_c)
    for layer in reversed(range(module.num_layers)):
        of_inputs = 0
        domains = (input_domain if layer == 0 else (state,), (state,))
        for way, of_states in enumerate(np.split(of_outputs, directions, axis=1)):
            w, steps = seen[layer, way]
            run = layer * directions + way
            of_h, of_c = of_last_h[run], of_last_c[run]
            received = [None] * len(steps)
            for t in range(len(steps)) if way else reversed(range(len(steps))):
                received[t], of_h, of_c = BACK[kind](
                    w, steps[t], of_h + of_states[t], of_c, rule, domains, books
                )
            of_h0[run], of_c0[run] = of_h, of_c
            of_inputs = of_inputs + np.array(received)
        of_outputs = of_inputs
    books["initial_state"] += of_h0.sum() + of_c0.sum()
    return of_outputs, of_h0, of_c0


READOUTS = {
    "outputs": lambda outputs, h, c: outputs.ravel(),
    "last output": lambda outputs, h, c: outputs[-1],
    "states": lambda outputs, h, c: h.ravel(),
    "states and cells": lambda outputs, h, c: np.concatenate([h.ravel(), c.ravel()]),
}


def explain(module, head, readout, xs, target, rule, h0=None, c0=None, input_domain=("S",)):
    """Explain the score of a linear layer `head` that reads what `readout` names.

    Returns the map (T, inputs), the books and the relevance at the start.
    """
    books = plain.Books()
    outputs, h, c, seen = forward(module, xs, h0, c0)
    # where the read values come from, found by sending their numbers through the readout
    numbers = np.split(np.arange(outputs.size + h.size + c.size), [outputs.size, outputs.size + h.size])
    places = READOUTS[readout](*(n.reshape(a.shape) for n, a in zip(numbers, (outputs, h, c), strict=True)))
    x = READOUTS[readout](outputs, h, c)
    w, b = head.weight.detach().numpy(), head.bias.detach().numpy()
    held = plain.start(rule.method, w @ x + b, target)
    state = "N" if getattr(module, "nonlinearity", "tanh") == "relu" else "S"
    (of_x,) = rule.divide("dense", [Part(x, w, state)], b, held, books)
    of_all = np.bincount(places, of_x, minlength=numbers[-1][-1] + 1)
    states = [of_all[n].reshape(a.shape) for n, a in zip(numbers, (outputs, h, c), strict=True)]
    received, _, _ = backward(module, seen, *states, rule, input_domain, books)
    return received, books, held.sum()
