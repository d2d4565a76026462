"""The public functions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from rnnxai.errors import Error
from rnnxai.explain.arguments import (
    Targets,
    arguments_of,
    check_bounds,
    check_inputs,
    check_same,
    is_packed,
    read_target,
)
from rnnxai.explain.channels import Bounds
from rnnxai.explain.engine.inputs import Inputs
from rnnxai.explain.engine.parts import add_up
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.engine.recorder import Output
from rnnxai.explain.engine.recording import Recording
from rnnxai.explain.explainer import Batch, heatmap
from rnnxai.explain.ledger import Ledger
from rnnxai.explain.strategy import Strategy, make_strategy


@overload
def explain(
    model: nn.Module,
    inputs: Tensor,
    targets: Targets = ...,
    method: str = ...,
    *,
    bounds: Bounds | None = ...,
    forward_args: Sequence[Any] = ...,
    return_ledger: Literal[False] = ...,
    **options: Any,
) -> Tensor: ...


@overload
def explain(
    model: nn.Module,
    inputs: Tensor,
    targets: Targets = ...,
    method: str = ...,
    *,
    bounds: Bounds | None = ...,
    forward_args: Sequence[Any] = ...,
    return_ledger: Literal[True],
    **options: Any,
) -> tuple[Tensor, Ledger]: ...


def explain(
    model: nn.Module,
    inputs: Tensor,
    targets: Targets = None,
    method: str = "dtd",
    *,
    bounds: Bounds | None = None,
    forward_args: Sequence[Any] = (),
    return_ledger: bool = False,
    **options: Any,
) -> Tensor | tuple[Tensor, Ledger]:
    """Explain what in its inputs a model's decision rests on.

    Parameters
    ----------
    model : Module
        Any model made of layers that are known here: the zoo's, linear and convolution layers, ``nn.RNN``,
        ``nn.LSTM``, ``nn.GRU``, pooling, batch norm, ... It is explained in evaluation mode, and left as it
        was found.
    inputs : Tensor (N, ...) or PackedSequence
        Inputs of the model, of its dtype and on its device. Whole numbers are tokens for an embedding.
    targets : Tensor (N,), int, "predicted", None or a pair
        Index of the class whose score is explained, one for each sample or one for all; ``"predicted"`` and
        None stand for the highest score. A pair (a, b) explains the contrast, the score of a less that of b.
    method : str
        A name in ``rnnxai.METHODS``.
    bounds : tuple of float, optional
        Range of the inputs: (-1, 1), say, or (0, inf) for inputs that are never negative and (-inf, inf) for
        any. Models of the zoo carry their own. Deep Taylor decomposition and alpha-beta rules need it.
    forward_args : sequence
        Further arguments of the model, which are not explained (lengths, initial states, ...).
    return_ledger : bool
        Whether to return the books as well. Gradient methods keep none.
    **options
        Options of the method.

    Returns
    -------
    relevance : Tensor (N, ...)
        In the form of the inputs; (N, T) for tokens.
    ledger : Ledger
        Only if `return_ledger` is true.

    Raises
    ------
    Error
        If the method is unknown or cannot explain this model, or if inputs do not fit it.

    Examples
    --------
    >>> relevance, ledger = explain(model, images, targets, "dtd", return_ledger=True)  # doctest: +SKIP
    >>> abs(ledger.residual).max()  # doctest: +SKIP
    """
    strategy = make_strategy(method, options)
    if return_ledger and not strategy.conserves:
        raise Error(f"method {method!r} does not conserve relevance, so it keeps no ledger")
    asked = {"ledgers": return_ledger, "strategies": [strategy]}
    with _batch(model, inputs, targets, bounds, forward_args, **asked) as batch:
        explanation = batch.explain(strategy)
    relevance = batch.inputs.like(explanation.relevance) if is_packed(inputs) else explanation.relevance
    return relevance if explanation.ledger is None else (relevance, explanation.ledger)


def at_layers(
    model: nn.Module,
    inputs: Tensor,
    targets: Targets = None,
    method: str = "dtd",
    *,
    layers: Sequence[str],
    bounds: Bounds | None = None,
    forward_args: Sequence[Any] = (),
    **options: Any,
) -> dict[str, Tensor]:
    """Explain what in the outputs of some layers a model's decision rests on.

    Parameters
    ----------
    model, inputs, targets, method, bounds, forward_args, **options
        As for :func:`explain`.
    layers : sequence of str
        Names of submodules, as in ``model.named_modules()``.

    Returns
    -------
    dict of str to Tensor
        Relevance (or the gradient) in the shape of each layer's output, (N, ...); of a layer that was used
        at T steps all of it, (N, T, ...).

    Raises
    ------
    Error
        If there is no such layer, or nothing of the decision goes through it in a form that can be told.
    """
    strategy = make_strategy(method, options)
    if strategy.sampling is not None:
        raise Error(
            f"method {method!r} puts several passes together and is defined at the input alone; a method of "
            "one pass (sa, taylor, lrp-eps, ...) has values at every layer"
        )
    names = [layers] if isinstance(layers, str) else list(layers)
    with _observed(model, names) as returned, _batch(model, inputs, targets, bounds, forward_args) as batch:
        recording = batch.recording
        outputs = {}
        for name in names:
            # A layer that was followed step by step is known to the recording alone.
            seen = recording.outputs(recording.plan.short(name))
            seen = seen or [Output([x], all_steps=False) for x in returned[name] if x.requires_grad]
            if not seen:
                raise Error(
                    f"layer {name!r} was not used, or returns no tensor that depends on the input, so no "
                    "relevance is at its output"
                )
            if strategy.rule is None and any(len(output.tensors) > 1 for output in seen):
                raise Error(
                    f"layer {name!r} is merged with the batch norm behind it, so there is no gradient at its "
                    "own output; name the batch norm"
                )
            outputs[name] = seen
        tensors = [x for seen in outputs.values() for output in seen for x in output.tensors]
        arrived = iter(
            recording.walk_back(strategy, batch.begin(strategy), also=tensors)[len(recording.leaves) :]
        )
        return {
            name: _stacked(name, [_of_output(strategy, output, arrived) for output in seen])
            for name, seen in outputs.items()
        }


def _of_output(strategy: Strategy, output: Output, arrived: Iterator[Tensor]) -> Tensor:
    values = add_up([heatmap(strategy, x, next(arrived)) for x in output.tensors])
    return values.transpose(0, 1) if output.all_steps else values


def _stacked(name: str, uses: Sequence[Tensor]) -> Tensor:
    shapes = sorted({tuple(use.shape) for use in uses})
    if len(shapes) > 1:
        raise Error(
            f"layer {name!r} was used for outputs of shapes {shapes}, which cannot be stacked; name layers "
            "that return the same shape each time"
        )
    return uses[0] if len(uses) == 1 else torch.stack(list(uses), 1)


def recorded(
    model: nn.Module, inputs: Tensor, bounds: Bounds | None, forward_args: Sequence[Any] = ()
) -> Recording:
    """Return the recorded forward pass of a model, which is checked and left as in :func:`explain`."""
    with _batch(model, inputs, None, bounds, forward_args) as batch:
        return batch.recording


@contextmanager
def _observed(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, list[Tensor]]]:
    """Collect what some submodules return while the block runs."""
    modules = dict(model.named_modules())
    unknown = [name for name in layers if name not in modules]
    if unknown:
        raise Error(f"there is no layer {unknown[0]!r}; the model has {', '.join(n for n in modules if n)}")
    seen: dict[str, list[Tensor]] = {name: [] for name in layers}

    def observe(name: str) -> Any:
        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) and not hasattr(output, "data") else output
            first = first.data if isinstance(first, PackedSequence) else first
            if isinstance(first, Tensor):
                seen[name].append(first)

        return hook

    handles = [modules[name].register_forward_hook(observe(name)) for name in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _batch(
    model: nn.Module,
    inputs: Tensor,
    targets: Targets,
    bounds: Bounds | None,
    forward_args: Sequence[Any],
    **asked: Any,
) -> Iterator[Batch]:
    """Check what a user gave, and hold the model in evaluation mode."""
    check_inputs(inputs, model)
    bounds = bounds if bounds is not None else getattr(model, "bounds", None)
    if bounds is not None:
        bounds = check_bounds(inputs, bounds)
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        given = Inputs(inputs, arguments_of(forward_args))
        with torch.no_grad():
            scores = given.run(model, given.data.clone())  # which a model may write over
        target, scores = read_target(targets, scores, len(given))
        batch = Batch(Plan(model, bounds), given, target, **asked)
        check_same(batch.scores, scores)
        yield batch
    finally:
        for module, mode in training.items():
            module.training = mode
