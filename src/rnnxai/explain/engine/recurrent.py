"""How ``nn.RNN``, ``nn.LSTM``, ``nn.GRU`` and their cells are followed: by a recursion of our own.

torch computes a whole recurrent layer in one function, which tells nothing of its steps (and on a GPU has
no gradient in evaluation mode). So it is computed again, step by step, from the equations in torch's
documentation. Inputs of all steps are projected at once. What belongs to a gate and what belongs to a signal
are layers of their own under one name, so that relevance that no gate takes costs nothing there.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rnnxai.explain.channels import Domain
from rnnxai.explain.engine.follow_arithmetic import add_signals, multiply, one_minus
from rnnxai.explain.engine.follow_elementwise import activate
from rnnxai.explain.engine.functions import ACTIVATIONS, SIGMOID
from rnnxai.explain.engine.layer import Layer
from rnnxai.explain.engine.maps import Dense
from rnnxai.explain.engine.parts import PartStep, add_up
from rnnxai.explain.engine.recorder import Recorder
from rnnxai.explain.engine.signals import Signal
from rnnxai.explain.engine.whole_lstm import WholeLSTM

DENSE = Dense()
Link = tuple[PartStep, Tensor]


class Weights(NamedTuple):
    """The parameters of one layer in one direction, in torch's names and order."""

    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor | None = None
    b_hh: Tensor | None = None
    w_hr: Tensor | None = None


class State(NamedTuple):
    """What goes from step to step, (rows, units) each; an LSTM has a cell content besides."""

    hidden: Tensor
    content: Tensor | None = None


class Rows(NamedTuple):
    """Sequences as rows: those of all samples at the first step, then at the second, and so on.

    Samples are sorted by length, so that `sizes`, the number of samples that are still going on, only falls.
    """

    values: Tensor
    sizes: Sequence[int]


class Unit:
    """One layer in one direction: layers of weights, and the equations of a step.

    Parameters
    ----------
    recorder : Recorder
    weights : Weights
    """

    def __init__(self, recorder: Recorder, weights: Weights) -> None:
        self.recorder = recorder
        self.weights = weights
        name = recorder.plan.name_of_tensor(weights.w_ih)
        self.known = name is not None
        self.name = _layer_name(name or "recurrent.weight_ih")

    def layers(self) -> Sequence[Layer]:
        """Return the layers that read the input."""
        raise NotImplementedError

    def step(self, links: Sequence[Link], x: Sequence[Tensor], state: State) -> State:
        """Go one step: from what was projected, with its values, and the state before."""
        raise NotImplementedError

    def at_once(self, rows: Rows, first: State, *, backward: bool) -> tuple[Tensor, State] | None:
        """Run all steps as one operation, where all that will walk back allow it; else None."""
        return None

    def _layer(self, what: str, rows: Sequence[slice], *, x: bool = True, h: bool = True) -> Layer:
        """Return some rows of the weights as a layer that reads x, h, or both."""
        w = self.weights

        def make() -> Layer:
            def pick(matrix: Tensor) -> Tensor:
                return torch.cat([matrix.detach()[part] for part in rows]).contiguous()

            matrices = [pick(matrix) for matrix, read in ((w.w_ih, x), (w.w_hh, h)) if read]
            biases = [pick(b) for b, read in ((w.b_ih, x), (w.b_hh, h)) if read and b is not None]
            bias = sum(biases[1:], biases[0]) if biases else None
            return Layer(self.name, "recurrent", DENSE, matrices, bias)

        return self.recorder.plan.layer(tuple(w), what, make) if self.known else make()

    def _complete(self, layer: Layer, link: Link, value: Tensor, h: Tensor) -> Tensor:
        """Add the recurrent part of a layer to the projection of its input."""
        part, tie = link
        recurrent = self.recorder.part(layer, 1, h)
        z = torch.addmm(value, h.detach(), layer.weights[1].mT)
        return self.recorder.apply(layer, [part, recurrent], [tie, h], z)

    def _blocks(self, z: Tensor, count: int) -> Sequence[Tensor]:
        blocks: Sequence[Tensor] = self.recorder.move(Tensor.chunk, z, count, dim=-1)
        return blocks


class PlainUnit(Unit):
    """h' = f(W_ih x + b_ih + W_hh h + b_hh) with f = tanh or ReLU."""

    def __init__(self, recorder: Recorder, weights: Weights, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__(recorder, weights)
        self.function = function
        self._all = self._layer("all", [slice(None)])

    def layers(self) -> Sequence[Layer]:
        """Return the one layer."""
        return [self._all]

    def step(self, links: Sequence[Link], x: Sequence[Tensor], state: State) -> State:
        """Go one step."""
        z = self._complete(self._all, links[0], x[0], state.hidden)
        return State(activate(self.recorder, self.function, ACTIVATIONS[self.function], z))


class LSTMUnit(Unit):
    """i, f, o = sigmoid(...), g = tanh(...), c' = f c + i g, h' = o tanh(c'), projected if there is W_hr."""

    def __init__(self, recorder: Recorder, weights: Weights) -> None:
        super().__init__(recorder, weights)
        n = len(weights.w_ih) // 4
        self._gates = self._layer("gates", [slice(0, 2 * n), slice(3 * n, 4 * n)])
        self._candidate = self._layer("candidate", [slice(2 * n, 3 * n)])

    def layers(self) -> Sequence[Layer]:
        """Return the gates' layer and the candidate's."""
        return [self._gates, self._candidate]

    def step(self, links: Sequence[Link], x: Sequence[Tensor], state: State) -> State:
        """Go one step."""
        recorder, (hidden, content) = self.recorder, state
        if content is None:
            raise TypeError("an LSTM has a cell content")
        z = self._complete(self._gates, links[0], x[0], hidden)
        i, f, o = (activate(recorder, torch.sigmoid, SIGMOID, block) for block in self._blocks(z, 3))
        z = self._complete(self._candidate, links[1], x[1], hidden)
        g = activate(recorder, torch.tanh, ACTIVATIONS[torch.tanh], z)
        kept, new = multiply(recorder, self.name, f, content), multiply(recorder, self.name, i, g)
        content = add_signals(recorder, self.name, [kept, new], [1, 1])
        seen = activate(recorder, torch.tanh, ACTIVATIONS[torch.tanh], content)
        hidden = multiply(recorder, self.name, o, seen)
        return State(self._projected(hidden), content)

    def at_once(self, rows: Rows, first: State, *, backward: bool) -> tuple[Tensor, State] | None:
        """Run all steps as one operation."""
        recorder, (w_ih, w_hh, b_ih, b_hh, w_hr) = self.recorder, self.weights
        same = set(rows.sizes) == {len(first.hidden)}
        if first.content is None or w_hr is not None or not same or recorder.keeps_books:
            return None
        biases = [b.detach() for b in (b_ih, b_hh) if b is not None]
        bias = add_up(biases) if biases else None
        inputs = recorder.projected(self._candidate, 0, rows.values, rows.sizes)
        whole = WholeLSTM(self._candidate, inputs, (w_ih.detach(), w_hh.detach(), bias), backward)
        if not (recorder.strategies and all(map(whole.serves, recorder.strategies))):
            return None
        hidden, *last = whole.run(recorder.walk, rows.values, first.hidden, first.content)
        for signal in (hidden, *last):
            recorder.signals[signal] = Signal(Domain.SIGNED)
        return hidden, State(*last)

    def _projected(self, hidden: Tensor) -> Tensor:
        w = self.weights.w_hr
        if w is None:
            return hidden

        def make() -> Layer:
            return Layer(f"{self.name}.projection", "recurrent", DENSE, [w.detach()])

        recorder = self.recorder
        layer = recorder.plan.layer((w,), "projection", make) if self.known else make()
        z = DENSE.apply(hidden.detach(), w.detach())
        return recorder.apply(layer, [recorder.part(layer, 0, hidden)], [hidden], z)


class GRUUnit(Unit):
    """r, z = sigmoid(...), n = tanh(W_in x + b_in + r (W_hn h + b_hn)), h' = (1 - z) n + z h."""

    def __init__(self, recorder: Recorder, weights: Weights) -> None:
        super().__init__(recorder, weights)
        n = len(weights.w_ih) // 3
        self._gates = self._layer("gates", [slice(0, 2 * n)])
        self._of_input = self._layer("of input", [slice(2 * n, 3 * n)], h=False)
        self._of_state = self._layer("of state", [slice(2 * n, 3 * n)], x=False)

    def layers(self) -> Sequence[Layer]:
        """Return the gates' layer and the input's share in the candidate."""
        return [self._gates, self._of_input]

    def step(self, links: Sequence[Link], x: Sequence[Tensor], state: State) -> State:
        """Go one step."""
        recorder, hidden = self.recorder, state.hidden
        block = self._complete(self._gates, links[0], x[0], hidden)
        r, z = (activate(recorder, torch.sigmoid, SIGMOID, one) for one in self._blocks(block, 2))
        part, tie = links[1]
        of_input = recorder.apply(self._of_input, [part], [tie], x[1])
        of_state = self._of_state_at(hidden)
        reset = multiply(recorder, self.name, r, of_state)
        new = activate(
            recorder,
            torch.tanh,
            ACTIVATIONS[torch.tanh],
            add_signals(recorder, self.name, [of_input, reset], [1, 1]),
        )
        fresh = multiply(recorder, self.name, one_minus(recorder, z), new)
        kept = multiply(recorder, self.name, z, hidden)
        return State(add_signals(recorder, self.name, [fresh, kept], [1, 1]))

    def _of_state_at(self, hidden: Tensor) -> Tensor:
        layer, recorder = self._of_state, self.recorder
        value = DENSE.apply(hidden.detach(), layer.weights[0])
        value = value if layer.bias is None else value + layer.bias
        return recorder.apply(layer, [recorder.part(layer, 0, hidden)], [hidden], value)


def _layer_name(parameter: str) -> str:
    """Turn ``lstm.weight_ih_l0_reverse`` into ``lstm.l0_reverse``."""
    module, _, name = parameter.rpartition(".")
    level = name.removeprefix("weight_ih").removeprefix("_")
    return ".".join(part for part in (module, level) if part)


def run(
    recorder: Recorder, unit: Unit, rows: Rows, first: State, *, backward: bool, at: int = 0
) -> tuple[Tensor, State]:
    """Run one layer in one direction over all steps.

    Parameters
    ----------
    recorder : Recorder
    unit : Unit
    rows : Rows
        Its input.
    first : State
        Initial states of all samples.
    backward : bool
        Whether it begins at the end of each sequence.
    at : int
        The first step's number in the books.

    Returns
    -------
    Tensor
        Hidden states in the order of the rows.
    State
        The states after each sequence's last step.
    """
    at_once = unit.at_once(rows, first, backward=backward)
    if at_once is not None:
        return at_once
    layers = unit.layers()
    links = [recorder.project(layer, 0, rows.values, rows.sizes, at=at) for layer in layers]
    values = []
    for layer in layers:
        projected = DENSE.apply(rows.values.detach(), layer.weights[0])
        values.append((projected if layer.bias is None else projected + layer.bias).split(list(rows.sizes)))
    outside, count = recorder.step, len(rows.sizes)
    state = _cut(recorder, first, slice(0, rows.sizes[-1 if backward else 0]))
    hidden: dict[int, Tensor] = {}
    finished: list[State] = []
    for t in reversed(range(count)) if backward else range(count):
        size, known = rows.sizes[t], len(state.hidden)
        if size < known:  # shorter sequences have come to their end
            finished.append(_cut(recorder, state, slice(size, known)))
            state = _cut(recorder, state, slice(0, size))
        elif size > known:  # and going backward they begin later
            state = _under(recorder, [state, _cut(recorder, first, slice(known, size))])
        recorder.step = at + t
        state = unit.step([link[t] for link in links], [value[t] for value in values], state)
        hidden[t] = state.hidden
    recorder.step = outside
    output = _stacked(recorder, [hidden[t] for t in range(count)])
    return output, _under(recorder, [state, *reversed(finished)])


def _cut(recorder: Recorder, state: State, rows: slice) -> State:
    content = None if state.content is None else recorder.move(Tensor.__getitem__, state.content, rows)
    return State(recorder.move(Tensor.__getitem__, state.hidden, rows), content)


def _under(recorder: Recorder, states: Sequence[State]) -> State:
    if len(states) == 1:
        return states[0]
    contents = [state.content for state in states if state.content is not None]
    hidden = _stacked(recorder, [state.hidden for state in states])
    return State(hidden, _stacked(recorder, contents) if contents else None)


def _stacked(recorder: Recorder, tensors: Sequence[Tensor]) -> Tensor:
    return recorder.join(torch.cat, list(tensors), dim=0) if len(tensors) > 1 else tensors[0]
