"""A tape: the forward pass of one sample, written down so that it can be walked back.

Every entry is a flat vector together with the operation that made it. There are six operations.
Vectors may be complex, so that a derivative can be taken by a complex step.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference.rules import NON_NEGATIVE, SIGNED


@dataclass(eq=False)
class Entry:
    """One vector on the tape.

    `kind` is input, constant, affine, activation, product or moved; `sources` are the entries it was made of
    and `about` is what the way back needs besides.
    """

    value: np.ndarray
    domain: str
    kind: str
    sources: tuple = ()
    about: dict[str, Any] = field(default_factory=dict)


class Tape:
    """The forward pass of one sample."""

    def __init__(self):
        self.entries = []

    def put(self, *entry, **about):
        self.entries.append(Entry(*entry, about))
        return self.entries[-1]

    def input(self, x, domain):
        return self.put(x, domain, "input", ())

    def constant(self, x, domain):
        """Put down an initial state."""
        return self.put(x, domain, "constant", ())

    def affine(self, layer, step, *sources):
        """Apply a layer to the concatenation of its sources; what is missing at its end is zeros."""
        missing = layer.w.shape[1] - sum(len(source.value) for source in sources)
        if missing:
            sources = (*sources, self.constant(np.zeros(missing), NON_NEGATIVE))
        x = np.concatenate([source.value for source in sources])
        kept = layer.kind in ("sum", "pooling") and {source.domain for source in sources} == {NON_NEGATIVE}
        domain = NON_NEGATIVE if kept else SIGNED
        return self.put(layer.w @ x + layer.b, domain, "affine", sources, layer=layer, step=step)

    def relu(self, z):
        a = np.where(z.value.real > 0, z.value, 0)
        return self.put(a, NON_NEGATIVE, "activation", (z,), slope=(z.value.real > 0) * 1.0, guided=True)

    def leaky_relu(self, z, leak=0.01):
        slope = np.where(z.value.real > 0, 1.0, leak)
        return self.put(slope * z.value, SIGNED, "activation", (z,), slope=slope, guided=False)

    def sigmoid(self, z):
        s = 1 / (1 + np.exp(-z.value))
        return self.put(s, NON_NEGATIVE, "activation", (z,), slope=s * (1 - s), guided=False)

    def scaled(self, source, factor):
        value = factor * source.value
        return self.put(value, source.domain, "activation", (source,), slope=factor, guided=False)

    def product(self, gate, signal):
        return self.put(gate.value * signal.value, signal.domain, "product", (gate, signal))

    def take(self, source, indices):
        """Move some elements of an entry to an entry of their own."""
        return self.put(source.value[indices], source.domain, "moved", (source,), indices=indices)

    def split(self, source, count):
        return [self.take(source, part) for part in np.split(np.arange(len(source.value)), count)]
