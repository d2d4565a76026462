"""A slow reference for the rules, and for networks that are chains of plain layers.

It shares nothing with the package. Arrays are float64, one sample is explained at a time, and each rule
writes down all messages of a layer, an array ``m`` (units, inputs), before anybody is paid. Every linear
module becomes a dense matrix, so one formula per rule serves them all.
"""

import copy
import itertools
import re
from typing import NamedTuple

import numpy as np
import torch

COLUMNS = ("bias", "stabiliser", "dropped", "initial_state")


class Part(NamedTuple):
    """Some inputs of a layer (inputs,), and the weights (units, inputs) they are read with.

    `domain` says what they may be: "N" is not negative, "S" of either sign, "B" from `low` to `high`, and
    "A" any number. `reads` (units, inputs) says who reads whom.
    """

    x: np.ndarray
    w: np.ndarray
    domain: str = "S"
    low: float = -1.0
    high: float = 1.0
    reads: np.ndarray | None = None


class Channel(NamedTuple):
    """A factor of the relevance, the messages of each part, and what does not go on (units,)."""

    factor: float
    messages: list[np.ndarray]
    bias: np.ndarray
    stabiliser: np.ndarray


class Books(dict):
    """What was kept on the way, summed over layers and steps."""

    def __init__(self):
        super().__init__(dict.fromkeys(COLUMNS, 0.0))


# The rules: z_jk for each input j of each unit k


def positive(values):
    return np.maximum(values, 0)


def negative(values):
    return np.minimum(values, 0)


def sign(values):
    """The sign, where 0 counts as positive."""
    return np.where(values >= 0, 1.0, -1.0)


def lrp_0(parts, b, z):
    return [Channel(1, [part.x * part.w for part in parts], b, 0 * z)]


def lrp_eps(parts, b, z, epsilon=1e-6):
    return [Channel(1, [part.x * part.w for part in parts], b, epsilon * sign(z))]


def lrp_gamma(parts, b, z, gamma=0.25):
    """What agrees with the sign of the unit counts (1 + gamma) times."""
    up = (z >= 0)[:, None]

    def message(part):
        agrees = np.where(up, positive(part.w), negative(part.w))
        opposes = np.where(up, negative(part.w), positive(part.w))
        return positive(part.x) * (part.w + gamma * agrees) + negative(part.x) * (part.w + gamma * opposes)

    kept = b + gamma * np.where(z >= 0, positive(b), negative(b))
    return [Channel(1, [message(part) for part in parts], kept, 0 * z)]


def lrp_w2(parts, b, z):
    return [Channel(1, [part.w**2 for part in parts], 0 * z, 0 * z)]


def lrp_flat(parts, b, z):
    return [Channel(1, [readers(part).astype(float) for part in parts], 0 * z, 0 * z)]


def z_bounded(part):
    return part.x * part.w - part.low * positive(part.w) - part.high * negative(part.w)


def alpha_beta(parts, b, z, alpha, beta):
    """The alpha-beta rule for inputs that are not negative; together with z^B or w^2, one denominator."""
    domains = {part.domain for part in parts}
    assert domains <= {"N", "B", "A"}, "the alpha-beta rule has no answer for inputs of either sign"
    if domains == {"N"}:
        channels = [Channel(alpha, [part.x * positive(part.w) for part in parts], 0 * z, 0 * z)]
        if beta:
            channels.append(Channel(-beta, [part.x * negative(part.w) for part in parts], 0 * z, 0 * z))
        return channels
    of_domain = {
        "N": lambda part: part.x * (alpha * positive(part.w) - beta * negative(part.w)),
        "B": z_bounded,
        "A": lambda part: part.w**2,
    }
    return [Channel(1, [of_domain[part.domain](part) for part in parts], 0 * z, 0 * z)]


def z_b(parts, b, z):
    return [Channel(1, [z_bounded(part) for part in parts], 0 * z, 0 * z)]


SIMPLE = {
    "lrp-0": lrp_0,
    "lrp-eps": lrp_eps,
    "lrp-gamma": lrp_gamma,
    "lrp-w2": lrp_w2,
    "lrp-flat": lrp_flat,
    "z-b": z_b,
}


def alpha_and_beta(method):
    """Return alpha and beta of a method of that family, and None for any other."""
    if method in ("dtd", "lrp-zplus"):
        return 1.0, 0.0
    found = re.fullmatch(r"lrp-a([\d.]+)b([\d.]+)", method)
    return (float(found[1]), float(found[2])) if found else None


def channels_of(method, parts, b, z, **options):
    family = alpha_and_beta(method)
    return alpha_beta(parts, b, z, *family) if family else SIMPLE[method](parts, b, z, **options)


# Paying


def readers(part):
    return np.ones(part.w.shape, bool) if part.reads is None else part.reads


def mass(part):
    """In proportion to what an empty denominator pays (units, inputs)."""
    each = {
        "N": part.x,
        "S": np.abs(part.x),
        "B": np.full(len(part.x), part.high - part.low),
        "A": np.ones(len(part.x)),
    }[part.domain]
    return readers(part) * each


def divide(method, parts, b, held, books, **options):
    """R_j = sum_k m_kj / (sum_i m_ki + bias + stabiliser) R_k: relevance of each part, from (units,)."""
    z = sum(part.w @ part.x for part in parts) + b
    received = [np.zeros(len(part.x)) for part in parts]
    masses = [mass(part) for part in parts]
    for factor, messages, bias, stabiliser in channels_of(method, parts, b, z, **options):
        for k, whole in enumerate(factor * held):
            total = sum(m[k].sum() for m in messages) + bias[k] + stabiliser[k]
            fallback = sum(m[k].sum() for m in masses)
            if total != 0:
                for share, m in zip(received, messages, strict=True):
                    share += m[k] / total * whole
                books["bias"] += bias[k] / total * whole
                books["stabiliser"] += stabiliser[k] / total * whole
            elif fallback != 0:
                for share, m in zip(received, masses, strict=True):
                    share += m[k] / fallback * whole
            else:
                books["dropped"] += whole
    return received


def add(method, terms, held, books, domain="S", **options):
    """A sum of terms (units,) is a layer whose units read one input of each with weight 1."""
    received = [np.zeros(len(held)) for _ in terms]
    for k in range(len(held)):
        parts = [Part(term[k : k + 1], np.ones((1, 1)), domain) for term in terms]
        shares = divide(method, parts, np.zeros(1), held[k : k + 1], books, **options)
        for share, one in zip(received, shares, strict=True):
            share[k] = one[0]
    return received


def start(method, z, target):
    """The score on the target and nothing elsewhere; its positive part for deep Taylor and alpha-beta."""
    relevance = np.zeros_like(z)
    cut = alpha_and_beta(method) and method != "lrp-zplus"
    relevance[target] = max(z[target], 0) if cut else z[target]
    return relevance


# Linear modules as matrices


class Dense(NamedTuple):
    """A linear module on flat inputs: weights and readers (units, inputs), bias (units,)."""

    w: np.ndarray
    b: np.ndarray
    reads: np.ndarray


@torch.no_grad()
def dense(module, shape):
    """Return a linear module that reads samples of a shape as a matrix: unit vectors are sent through it."""
    units = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, *shape)
    nothing = module(torch.zeros(1, *shape, dtype=torch.float64)).flatten()
    w = module(units).flatten(1) - nothing
    ones = copy.deepcopy(module)
    if getattr(ones, "weight", None) is not None:
        ones.weight.fill_(1)
    reads = ones(units).flatten(1) != ones(torch.zeros(1, *shape, dtype=torch.float64)).flatten()
    return Dense(w.T.numpy(), nothing.numpy(), reads.T.numpy())


def merged(before, norm):
    """Batch normalisation (a diagonal layer) moved into the layer before it."""
    scale = norm.w.diagonal()
    return Dense(scale[:, None] * before.w, scale * before.b + norm.b, before.reads)


def windows(shape, kernel, stride, padding, dilation=1):
    """Yield the flat inputs that each place of a pooling reads, which slides over all axes but the first."""
    channels, *sizes = shape
    flat = np.arange(np.prod(shape)).reshape(shape)
    starts = [range(-padding, size + padding - dilation * (kernel - 1), stride) for size in sizes]
    for channel in range(channels):
        for corner in itertools.product(*starts):
            places = itertools.product(*(range(at, at + dilation * kernel, dilation) for at in corner))
            yield [
                flat[(channel, *place)]
                for place in places
                if all(0 <= at < size for at, size in zip(place, sizes, strict=True))
            ]


# Chains of layers


class Affine(NamedTuple):
    """A layer given as a matrix."""

    layer: Dense


class Activation(NamedTuple):
    """A function of each unit on its own, and the domain of what it returns."""

    function: object
    domain: str


class MaxPool(NamedTuple):
    """The inputs (a list of lists) that each unit takes the greatest of; the first where they are equal."""

    reads: list[list[int]]


class Residual(NamedTuple):
    """x + branch(x)."""

    branch: list


def forward(chain, x):
    """Return the output of a chain and, for the way back, the input of each layer."""
    seen = []
    for layer in chain:
        match layer:
            case Affine(matrix):
                seen.append(x)
                x = matrix.w @ x + matrix.b
            case Activation(function):
                seen.append(x)
                x = function(x)
            case MaxPool(reads):
                seen.append(x)
                x = np.array([max(x[i] for i in one) for one in reads])
            case Residual(branch):
                out, inner = forward(branch, x)
                seen.append((x, out, inner))
                x = x + out
    return x, seen


def domain_after(chain, domain):
    for layer in chain:
        match layer:
            case Affine(matrix):
                domain = "N" if domain == "N" and (matrix.w >= 0).all() and (matrix.b == 0).all() else "S"
            case Activation(_, out):
                domain = out
            case Residual(branch):
                domain = "N" if domain == domain_after(branch, domain) == "N" else "S"
    return domain


def backward(chain, seen, held, method, domain, books, low=-1.0, high=1.0, **options):
    """Send relevance of a chain's output back to its input."""
    domains = [domain_after(chain[:n], domain) for n in range(len(chain))]
    for layer, x, inside in reversed(list(zip(chain, seen, domains, strict=True))):
        match layer:
            case Affine(matrix):
                part = Part(x, matrix.w, inside, low, high, matrix.reads)
                (held,) = divide(method, [part], matrix.b, held, books, **options)
            case MaxPool(reads):
                winners = [max(one, key=lambda i, x=x: x[i]) for one in reads]
                held = np.bincount(winners, held, minlength=len(x))
            case Residual(branch):
                kept, out, inner = x
                both = "N" if inside == domain_after(branch, inside) == "N" else "S"
                held, of_branch = add(method, [kept, out], held, books, both, **options)
                held = held + backward(branch, inner, of_branch, method, inside, books, low, high, **options)
    return held


def explain(chain, x, target, method, domain="S", low=-1.0, high=1.0, **options):
    """Explain one sample, a flat array; return its map, the books and the relevance at the start."""
    books = Books()
    z, seen = forward(chain, x)
    held = start(method, z, target)
    return backward(chain, seen, held, method, domain, books, low, high, **options), books, held.sum()
