"""How ``nn.RNN``, ``nn.LSTM``, ``nn.GRU`` and their cells are followed: by the recursion of our own."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rnnxai.errors import Error
from rnnxai.explain.engine.recorder import Recorder
from rnnxai.explain.engine.recurrent import GRUUnit, LSTMUnit, PlainUnit, Rows, State, Unit, Weights, run


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
    steps, samples = (len(batch_sizes), int(batch_sizes[0])) if packed else data.shape[:2]
    sizes = batch_sizes.tolist() if packed else [samples] * steps
    if data not in recorder.signals:
        numbers = _of_packed(recorder.signals[known].numbers, sizes, data) if packed else None
        data = recorder.source(units[0].name, data, known, numbers)
    rows = Rows(data if packed else recorder.move(Tensor.flatten, data, 0, 1), sizes)
    values, last = _network(recorder, units, rows, initial, directions=2 if bidirectional else 1)
    if not packed:
        values = recorder.move(Tensor.unflatten, values, 0, (steps, samples))
        values = recorder.move(Tensor.transpose, values, 0, 1) if batch_first else values
    states = zip(*(_given(state) for state in last), strict=True)
    return values, *(recorder.join(torch.stack, list(parts), dim=0) for parts in states)


def _of_packed(of_state: Tensor | None, sizes: Sequence[int], data: Tensor) -> Tensor | None:
    """Return the sample numbers of packed rows; samples stand as in a state (layers, samples, units)."""
    if of_state is None:
        return None
    return torch.cat([of_state[0, :size, :1] for size in sizes]).expand(data.shape)


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
    if not recorder.any_signal([data, *initial], "a recurrent cell"):
        return func(data, hx, *parameters)
    unit = UNITS[func](recorder, Weights(*parameters))  # type: ignore[arg-type]
    known = recorder.signals.among([data, *initial])[0]
    data, *states = (
        x if x in recorder.signals else recorder.source(unit.name, x, known) for x in [data, *initial]
    )
    at = recorder.use(unit.name + " ()") if recorder.step is None else recorder.step
    rows = Rows(data, [len(data)])
    _, state = run(recorder, unit, rows, State(*states), backward=False, at=at)
    return state.hidden if state.content is None else (state.hidden, state.content)


UNITS: Mapping[Callable[..., Any], Callable[[Recorder, Weights], Unit]] = {
    torch.lstm: LSTMUnit,
    torch.lstm_cell: LSTMUnit,
    torch.gru: GRUUnit,
    torch.gru_cell: GRUUnit,
    torch.rnn_tanh: partial(PlainUnit, function=torch.tanh),
    torch.rnn_tanh_cell: partial(PlainUnit, function=torch.tanh),
    torch.rnn_relu: partial(PlainUnit, function=torch.relu),
    torch.rnn_relu_cell: partial(PlainUnit, function=torch.relu),
}
HANDLERS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys([torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu], follow),
    **dict.fromkeys([torch.lstm_cell, torch.gru_cell, torch.rnn_tanh_cell, torch.rnn_relu_cell], follow_cell),
}
