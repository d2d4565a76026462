"""How ``nn.RNN``, ``nn.LSTM``, ``nn.GRU`` and their cells are followed: by a recursion of our own.

torch computes a whole recurrent layer in one function, which tells nothing of its steps (and on a GPU has
no gradient in evaluation mode). So it is computed again, step by step, from the equations in torch's
documentation. Inputs of all steps are projected at once. What belongs to a gate and what belongs to a signal
are layers of their own under one name, so that relevance that no gate takes costs nothing there.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rnnxai.errors import Error
from rnnxai.explain.follow_elementwise import activate, add_signals, multiply, one_minus
from rnnxai.explain.functions import ACTIVATIONS, SIGMOID
from rnnxai.explain.maps import Dense
from rnnxai.explain.parts import Layer, PartStep
from rnnxai.explain.recorder import Recorder

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

        return self.recorder.layer((id(w.w_ih), what), make) if self.known else make()

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

    def _projected(self, hidden: Tensor) -> Tensor:
        w = self.weights.w_hr
        if w is None:
            return hidden

        def make() -> Layer:
            return Layer(f"{self.name}.projection", "recurrent", DENSE, [w.detach()])

        recorder = self.recorder
        layer = recorder.layer((id(w), "projection"), make) if self.known else make()
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
    if not recorder.signals.among(tensors):
        return torch.cat(list(tensors))
    return recorder.join(torch.cat, list(tensors), dim=0) if len(tensors) > 1 else tensors[0]


def follow(recorder: Recorder, func: Callable[..., Any], *args: Any) -> tuple[Tensor, ...]:
    """Follow ``torch.lstm``, ``torch.gru``, ``torch.rnn_tanh`` or ``torch.rnn_relu``, packed or not."""
    packed = not isinstance(args[3], bool)  # where the sizes of batches stand second, all else is one later
    if packed:
        data, batch_sizes, hx, flat, has_biases, _, dropout, training, bidirectional = args
        batch_first = False
    else:
        data, hx, flat, has_biases, _, dropout, training, bidirectional, batch_first = args
    initial = [hx] if isinstance(hx, Tensor) else list(hx)
    if not recorder.any_signal([data, *initial], "a recurrent layer"):
        result: tuple[Tensor, ...] = func(*args)
        return result
    if training and dropout > 0:
        raise Error(
            f"a recurrent layer with dropout = {dropout} is in training mode during an explanation; explain "
            "it in evaluation mode"
        )
    weights = _by_layer(flat, func, has_biases=has_biases)
    units = [UNITS[func](recorder, group) for group in weights]
    data = recorder.move(Tensor.transpose, data, 0, 1) if batch_first else data
    known = recorder.signals.among([data, *initial])[0]
    if data not in recorder.signals:
        data = recorder.source(units[0].name, data, known)
    steps, samples = (len(batch_sizes), int(batch_sizes[0])) if packed else data.shape[:2]
    sizes = batch_sizes.tolist() if packed else [samples] * steps
    rows = Rows(data if packed else recorder.move(Tensor.flatten, data, 0, 1), sizes)
    values, last = _network(recorder, units, rows, initial, directions=2 if bidirectional else 1)
    if not packed:
        values = recorder.move(Tensor.unflatten, values, 0, (steps, samples))
        values = recorder.move(Tensor.transpose, values, 0, 1) if batch_first else values
    states = zip(*(_given(state) for state in last), strict=True)
    return values, *(recorder.join(torch.stack, list(parts), dim=0) for parts in states)


def _network(
    recorder: Recorder, units: Sequence[Unit], rows: Rows, initial: Sequence[Tensor], *, directions: int
) -> tuple[Tensor, list[State]]:
    """Run all layers; `initial` are h_0 and perhaps c_0, (layers * directions, samples, units) each."""
    last = []
    for level in range(len(units) // directions):
        outputs = []
        for direction in range(directions):
            index = level * directions + direction
            unit = units[index]
            first = State(*(_initial(recorder, unit, rows, x, index) for x in initial))
            output, state = run(recorder, unit, rows, first, backward=direction == 1)
            outputs.append(output)
            last.append(state)
        joined = outputs[0] if directions == 1 else recorder.join(torch.cat, outputs, dim=-1)
        rows = Rows(joined, rows.sizes)
    return rows.values, last


def _initial(recorder: Recorder, unit: Unit, rows: Rows, states: Tensor, index: int) -> Tensor:
    """Return an initial state as a signal; what reaches it is booked, unless the model computed it."""
    if states in recorder.signals:
        computed: Tensor = recorder.move(Tensor.__getitem__, states, index)
        return computed
    beside = recorder.move(Tensor.__getitem__, rows.values, slice(0, rows.sizes[0]))
    return recorder.source(unit.name, states[index], beside)


def _given(state: State) -> list[Tensor]:
    return [x for x in state if x is not None]


def _by_layer(flat: Sequence[Tensor], func: Callable[..., Any], *, has_biases: bool) -> list[Weights]:
    """Cut torch's flat list of parameters into layers and directions."""
    per_layer = 4 if has_biases else 2
    # A projection adds one matrix, whose columns are the cell's units.
    projects = func is torch.lstm and len(flat[0]) // 4 != flat[1].shape[1]
    size = per_layer + projects
    groups = [list(flat[start : start + size]) for start in range(0, len(flat), size)]
    weights = []
    for group in groups:
        w_hr = group.pop() if projects else None
        weights.append(Weights(*group)._replace(w_hr=w_hr))
    return weights


def follow_cell(
    recorder: Recorder, func: Callable[..., Any], data: Tensor, hx: Any, *parameters: Tensor | None
) -> Any:
    """Follow one step of a cell module; a cell that is called T times is T steps in the books."""
    initial = [hx] if isinstance(hx, Tensor) else list(hx)
    signals = recorder.signals.among([data, *initial])
    if not recorder.any_signal([data, *initial], "a recurrent cell"):
        return func(data, hx, *parameters)
    unit = UNITS[func](recorder, Weights(*parameters))  # type: ignore[arg-type]
    data, *states = (
        x if x in recorder.signals else recorder.source(unit.name, x, signals[0]) for x in [data, *initial]
    )
    at = recorder.use(unit.name + " ()") if recorder.step is None else recorder.step
    rows = Rows(data, [len(data)])
    _, state = run(recorder, unit, rows, State(*states), backward=False, at=at)
    return state.hidden if state.content is None else (state.hidden, state.content)


def _plain(function: Callable[[Tensor], Tensor]) -> Callable[[Recorder, Weights], Unit]:
    return partial(_make_plain, function)


def _make_plain(function: Callable[[Tensor], Tensor], recorder: Recorder, weights: Weights) -> Unit:
    return PlainUnit(recorder, weights, function)


UNITS: Mapping[Callable[..., Any], Callable[[Recorder, Weights], Unit]] = {
    torch.lstm: LSTMUnit,
    torch.lstm_cell: LSTMUnit,
    torch.gru: GRUUnit,
    torch.gru_cell: GRUUnit,
    torch.rnn_tanh: _plain(torch.tanh),
    torch.rnn_tanh_cell: _plain(torch.tanh),
    torch.rnn_relu: _plain(torch.relu),
    torch.rnn_relu_cell: _plain(torch.relu),
}
HANDLERS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys([torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu], follow),
    **dict.fromkeys([torch.lstm_cell, torch.gru_cell, torch.rnn_tanh_cell, torch.rnn_relu_cell], follow_cell),
}
