"""The propagation rules of one layer, every message written out.

A layer computes z_k = sum_j x_j w_jk + b_k. A rule is an object whose method `channels` returns pairs of
a share and a matrix z (units, inputs + 2): row k says in which proportion unit k divides this share of
its relevance among its inputs, its bias and the stabiliser. The last two columns are where relevance
stays that no input receives.
"""

import re
from typing import NamedTuple

import numpy as np

NON_NEGATIVE, BOUNDED, ANY, SIGNED, UNKNOWN = "N", "B", "A", "S", "?"


class Read(NamedTuple):
    """What one layer reads at one time step of one sample."""

    x: np.ndarray  # (inputs,)
    w: np.ndarray  # (units, inputs)
    b: np.ndarray  # (units,)
    reads: np.ndarray  # (units, inputs): whether there is a connection at all
    domains: np.ndarray  # (inputs,): one letter each
    low: float = -1.0
    high: float = 1.0


class Divided(NamedTuple):
    """What the inputs received, and what stayed behind."""

    received: np.ndarray
    bias: float
    stabiliser: float
    dropped: float


class RefusedError(Exception):
    """The rule is not defined for such inputs."""


def divide(rule, read, relevance):
    """Divide the relevance (units,) of a layer among its inputs."""
    total, dropped = np.zeros(len(read.x) + 2), 0.0
    usable = np.hstack([read.reads * mass(read), np.zeros((len(read.w), 2))])
    for share, z in rule.channels(read):
        received, lost = distribute(z, usable, share * relevance)
        total, dropped = total + received, dropped + lost
    return Divided(total[:-2], total[-2], total[-1], dropped)


def distribute(z, usable, relevance):
    """R_j = sum_k z_jk / (sum_i z_ik) R_k; where that sum is 0, in proportion to the usable input."""
    received, dropped = np.zeros(z.shape[1]), 0.0
    for k in np.flatnonzero(relevance):
        total, all_usable = z[k].sum(), usable[k].sum()
        if total != 0:
            received += z[k] / total * relevance[k]
        elif all_usable != 0:
            received += usable[k] / all_usable * relevance[k]
        else:
            dropped += relevance[k]
    return received, dropped


def mass(read):
    """How much of each input there is to pay with, where a unit's denominator is 0."""
    by_domain = {
        NON_NEGATIVE: lambda: read.x,
        BOUNDED: lambda: np.full(len(read.x), read.high - read.low),
        ANY: lambda: np.ones(len(read.x)),
        SIGNED: lambda: np.abs(read.x),
        UNKNOWN: lambda: np.abs(read.x),
    }
    return each_by_domain(read, by_domain)


def each_by_domain(read, values):
    """Pick each input's column from the values of its own domain."""
    if not set(read.domains) <= set(values):
        raise RefusedError(read.domains)
    computed = {domain: values[domain]() for domain in set(read.domains)}
    return np.stack([computed[domain][..., j] for j, domain in enumerate(read.domains)], axis=-1)


def relu(z):
    return np.maximum(z, 0)


def positive(v):
    return np.maximum(v, 0)


def negative(v):
    return np.minimum(v, 0)


def sign(z):
    """1 or -1, and 1 at 0."""
    return np.where(z >= 0, 1.0, -1.0)


def kept(z, bias=0.0, stabiliser=0.0):
    """Put what bias and stabiliser keep beside the messages to the inputs."""
    columns = [np.broadcast_to(column, len(z))[:, None] for column in (bias, stabiliser)]
    return np.hstack([z, *columns])


def box(read):
    """z_ik = x_i w_ik - l w+_ik - h w-_ik of inputs in [l, h]."""
    return read.x * read.w - read.low * positive(read.w) - read.high * negative(read.w)


class Epsilon(NamedTuple):
    """x_j w_jk beside b_k and epsilon, which moves the sum away from 0; epsilon = 0 is LRP-0."""

    epsilon: float = 1e-6

    def channels(self, read):
        z = read.w @ read.x + read.b
        return [(1, kept(read.x * read.w, read.b, self.epsilon * sign(z)))]


class Gamma(NamedTuple):
    """What pulls a unit to where it is counts 1 + gamma times."""

    gamma: float = 0.25

    def channels(self, read):
        x, w, b, gamma = read.x, read.w, read.b, self.gamma
        raised, lowered = w + gamma * positive(w), w + gamma * negative(w)
        above = kept(positive(x) * raised + negative(x) * lowered, b + gamma * positive(b))
        below = kept(positive(x) * lowered + negative(x) * raised, b + gamma * negative(b))
        z = w @ x + b
        return [(1, np.where((z >= 0)[:, None], above, below))]


class Rule(NamedTuple):
    """Alpha and beta of the alpha-beta rule; (1, 0) is deep Taylor decomposition and z+."""

    alpha: float
    beta: float

    def channels(self, read):
        x, w = read.x, read.w
        if set(read.domains) <= {NON_NEGATIVE}:
            excite = (self.alpha, kept(x * positive(w)))
            inhibit = (-self.beta, kept(x * negative(w)))
            return [excite, inhibit] if self.beta else [excite]
        # Thesis eq. 3.5 and 3.6: whatever the layer reads shares one denominator.
        hidden = x * (self.alpha * positive(w) - self.beta * negative(w))
        parts = {NON_NEGATIVE: lambda: hidden, BOUNDED: lambda: box(read), ANY: lambda: w**2}
        return [(1, kept(each_by_domain(read, parts)))]


class Squared(NamedTuple):
    """The w^2 rule."""

    def channels(self, read):
        return [(1, kept(read.w**2))]


class Flat(NamedTuple):
    """Equal parts to all inputs that a unit reads."""

    def channels(self, read):
        return [(1, kept(read.reads.astype(float)))]


class Box(NamedTuple):
    """The z^B rule, for bounded inputs alone."""

    def channels(self, read):
        return [(1, kept(each_by_domain(read, {BOUNDED: lambda: box(read)})))]


NAMED = {
    "lrp-0": lambda: Epsilon(0.0),
    "lrp-eps": Epsilon,
    "lrp-gamma": Gamma,
    "dtd": lambda: Rule(1, 0),
    "lrp-zplus": lambda: Rule(1, 0),
    "lrp-w2": Squared,
    "lrp-flat": Flat,
    "z-b": Box,
}


def rule_named(name, **options):
    """Return the rule of a name such as lrp-eps or lrp-a1.5b0.5."""
    if is_alpha_beta(name):
        return Rule(*(float(number) for number in re.findall(r"[\d.]+", name)))
    return NAMED[name](**options)


def is_alpha_beta(name):
    return re.fullmatch(r"lrp-a[\d.]+b[\d.]+", name) is not None


# The same, of one kind of input at a time


def simple(rule, x, w, relevance, domains, low=-1.0, high=1.0):
    read = Read(x, w, np.zeros(len(w)), np.ones_like(w, dtype=bool), np.array(domains), low, high)
    divided = divide(rule, read, relevance)
    return divided.received, divided.dropped


def z_plus(x, w, relevance):
    """Non-negative inputs, alpha = 1 (thesis eq. 2.72)."""
    return alpha_beta(x, w, relevance, Rule(1, 0))


def alpha_beta(x, w, relevance, rule):
    """Non-negative inputs: alpha times the exciting part, minus beta times the inhibiting part."""
    return simple(rule, x, w, relevance, [NON_NEGATIVE] * len(x))


def z_bounded(x, w, relevance):
    """Inputs in [-1, 1]: the z^B rule."""
    return simple(Box(), x, w, relevance, [BOUNDED] * len(x))


def mixed(x, r, w, relevance, rule):
    """Pixels x in [-1, 1] beside hidden activations r share one denominator (thesis eq. 3.5 and 3.6)."""
    domains = [BOUNDED] * len(x) + [NON_NEGATIVE] * len(r)
    received, dropped = simple(rule, np.concatenate([x, r]), w, relevance, domains)
    return *np.split(received, [len(x)]), dropped
