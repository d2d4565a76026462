"""How the product of a gate g and a signal s divides its relevance between the two."""

import numpy as np


def keep_all(g, s, relevance):
    return 0 * relevance, relevance


def half(g, s, relevance):
    return relevance / 2, relevance / 2


def proportional(g, s, relevance):
    return by_size(g, s, relevance)


def absolute(g, s, relevance):
    return by_size(np.abs(g), np.abs(s), relevance)


def by_size(g, s, relevance):
    """R_g = g / (g + s) R and R_s = s / (g + s) R; half each where g + s = 0."""
    of_gate, of_signal = half(g, s, relevance)
    for n in range(len(relevance)):
        if g[n] + s[n] != 0:
            of_gate[n] = g[n] / (g[n] + s[n]) * relevance[n]
            of_signal[n] = s[n] / (g[n] + s[n]) * relevance[n]
    return of_gate, of_signal


GATES = {"all": keep_all, "half": half, "prop": proportional, "abs": absolute}
