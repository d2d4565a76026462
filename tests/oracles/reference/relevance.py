"""Relevance: a tape walked back, and the books of the walk."""

from fnmatch import fnmatch

import numpy as np

from reference.gates import GATES
from reference.rules import BOUNDED, NON_NEGATIVE, Read, divide, is_alpha_beta, relu, rule_named

COMPOSITES = {
    "lrp-eps-plus": {"convolution": "lrp-zplus", "*": "lrp-eps"},
    "lrp-eps-plus-flat": {"input": "lrp-flat", "convolution": "lrp-zplus", "*": "lrp-eps"},
    "lrp-eps-gamma-box": {"input": "z-b", "convolution": "lrp-gamma", "*": "lrp-eps"},
    "lrp-eps-a2b1": {"convolution": "lrp-a2b1", "*": "lrp-eps"},
}


LOST = ("bias", "stabiliser", "dropped", "initial_state")
COLUMNS = ("incoming", "outgoing", *LOST)


class Books(dict):
    """(layer, step) to what came in, went out and stayed behind."""

    start = 0.0  # what there was to hand down

    def __init__(self):
        super().__init__()
        self.kinds = {}

    def enter(self, layer, step, incoming, divided, of_constants):
        self.kinds[layer.name, step] = layer.kind
        row = self.setdefault((layer.name, step), dict.fromkeys(COLUMNS, 0.0))
        row["incoming"] += incoming.sum()
        row["outgoing"] += divided.received.sum() - of_constants
        row["bias"] += divided.bias
        row["stabiliser"] += divided.stabiliser
        row["dropped"] += divided.dropped
        row["initial_state"] += of_constants

    def of_kind(self, *kinds):
        """Return the rows of layers of some kinds."""
        return {place: row for place, row in self.items() if self.kinds[place] in kinds}


def relevance(net, image, target, method, bounds=(-1.0, 1.0), gates="all", **options):
    """Explain one image (H, W); return the map (H, W), and the books."""
    tape, pixels, scores = net.run(image, domain_of(bounds))
    start = start_relevance(scores.value, target, positive=method_is_positive(method))
    walk = Walk(rule_chooser(method, options), gates, bounds)
    held = walk.back(tape, scores, start)
    walk.books.start = start.sum()
    return held[pixels].reshape(image.shape), walk.books


def domain_of(bounds):
    """What a model input between two bounds counts as."""
    if bounds == (-np.inf, np.inf):
        return "A"
    return NON_NEGATIVE if bounds == (0.0, np.inf) else BOUNDED


def method_is_positive(method):
    """Tell whether a method starts from the positive part of the score: DTD and alpha-beta do."""
    return method == "dtd" or is_alpha_beta(method)


def start_relevance(z, target, positive):
    """The target's score (or its positive part) on the target; of a pair, the second counts negatively."""
    start = np.zeros_like(z)
    for k, side in zip(target if isinstance(target, tuple) else (target,), (1, -1), strict=False):
        start[k] += side * (relu(z[k]) if positive else z[k])
    return start


def rule_chooser(method, options):
    """Return a function from an affine entry of the tape to its rule."""
    if method in COMPOSITES or method == "lrp":
        chosen = COMPOSITES.get(method) or options["rules"]
        return lambda entry: first_match(chosen, entry)
    rule = rule_named(method, **options)
    return lambda entry: rule


def first_match(chosen, entry):
    """The rule of the first selector that names the layer, its kind, or that it reads the input."""
    for selector, rule in chosen.items():
        if selects(selector, entry):
            given = {"rule": rule} if isinstance(rule, str) else dict(rule)
            return rule_named(given.pop("rule"), **given)
    raise KeyError(entry.about["layer"].name)


def selects(selector, entry):
    layer = entry.about["layer"]
    if selector == "input":
        return any(reads_the_input(source) for source in entry.sources)
    return selector == layer.kind or fnmatch(layer.name, selector)


def reads_the_input(entry):
    return entry.kind == "input" or (entry.kind == "moved" and reads_the_input(entry.sources[0]))


class Walk:
    """One way back: the rule of each layer, the rule of products, and the books."""

    def __init__(self, choose, gates, bounds):
        self.choose, self.gates, self.bounds = choose, GATES[gates], bounds
        self.books = Books()

    def back(self, tape, scores, start):
        """Return what each entry of the tape held."""
        held = {entry: np.zeros(len(entry.value)) for entry in tape.entries}
        held[scores] = start
        for entry in reversed(tape.entries):
            handed_down = getattr(self, entry.kind)(entry, held[entry])
            for source, part in zip(entry.sources, handed_down, strict=True):
                held[source] = held[source] + part
        return held

    def input(self, entry, held):
        return []

    def constant(self, entry, held):
        return []

    def moved(self, entry, held):
        received = np.zeros(len(entry.sources[0].value))
        received[entry.about["indices"]] = held
        return [received]

    def activation(self, entry, held):
        return [held]

    def product(self, entry, held):
        gate, signal = entry.sources
        return self.gates(gate.value, signal.value, held)

    def affine(self, entry, held):
        layer, widths = entry.about["layer"], [len(source.value) for source in entry.sources]
        x = np.concatenate([source.value for source in entry.sources])
        domains = np.repeat([source.domain for source in entry.sources], widths)
        read = Read(x, layer.w, layer.b, layer.reads, domains, *self.bounds)
        divided = divide(self.choose(entry), read, held)
        parts = np.split(divided.received, np.cumsum(widths)[:-1])
        of_constants = sum(
            part.sum() for source, part in zip(entry.sources, parts, strict=True) if source.kind == "constant"
        )
        self.books.enter(layer, entry.about["step"], held, divided, of_constants)
        return parts
