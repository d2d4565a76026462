"""Record one forward pass of a model, then walk back through it with any number of methods."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from rnnxai.errors import Error
from rnnxai.explain.engine import (
    follow_arithmetic,
    follow_elementwise,
    follow_layers,
    follow_pooling,
    follow_recurrent,
    follow_zoo,
)
from rnnxai.explain.engine.follow_writes import put
from rnnxai.explain.engine.functions import (
    JOINS,
    MOVES,
    flat,
    instead_of,
    name_of,
    operands_of,
    replaced,
    writes_in_place,
    written_in_place,
)
from rnnxai.explain.engine.inputs import Inputs
from rnnxai.explain.engine.layer import Layer, Reading
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.engine.recorder import Output, Recorder
from rnnxai.explain.engine.signals import Signal
from rnnxai.explain.ledger import Ledger
from rnnxai.explain.strategy import Strategy

Handler = Callable[..., Any]
HANDLERS: Mapping[Callable[..., Any], Handler] = {
    **follow_arithmetic.HANDLERS,
    **follow_elementwise.HANDLERS,
    **follow_layers.HANDLERS,
    **follow_pooling.HANDLERS,
    **follow_recurrent.HANDLERS,
    **follow_zoo.HANDLERS,
}


def in_classes(scores: Tensor) -> Tensor:
    """Return scores as (N, classes); a model with one score may give them as (N,)."""
    return scores.unsqueeze(1) if scores.dim() == 1 else scores


class Recording(TorchFunctionMode):
    """The forward pass of a model on one batch, ready to be walked back.

    While it runs, every torch function comes by here. Layers, activations, sums and products are replaced
    by operations that ask for the current :class:`Strategy` when they are walked back; what only moves
    values is left to autograd; and anything else that a signal passes through is noted by name, for
    relevance is refused there: a wrong map is worse than none. The gradient goes through all of it. The
    model itself is not touched: no hooks, no copies.

    Parameters
    ----------
    plan : Plan
    inputs : Inputs
        One batch.
    keeps_books : bool
        Whether a ledger may be asked for.
    strategies : sequence of Strategy
        All that will walk back, if they are known and nobody will ask for anything but the leaves: layers
        may be recorded as a whole then.
    """

    def __init__(
        self, plan: Plan, inputs: Inputs, *, keeps_books: bool = False, strategies: Sequence[Strategy] = ()
    ) -> None:
        super().__init__()
        self.plan = plan
        self._recorder = recorder = Recorder(plan, keeps_books=keeps_books, strategies=strategies)
        self._renamed: list[tuple[Tensor, Tensor]] = []
        with torch.inference_mode(mode=False), torch.enable_grad():
            self.leaf = leaf = inputs.leaf()
            if leaf.requires_grad:
                recorder.leaves.append(leaf)
                numbers = inputs.numbers(leaf) if keeps_books else None
                recorder.signals[leaf] = Signal.of_input(plan.bounds, numbers)
            else:
                recorder.tokens.begin(leaf)
            with self:
                scores = inputs.run(plan.model, leaf)
        scores = self._newest(scores)
        self._renamed.clear()
        if not isinstance(scores, Tensor):
            raise Error(f"the model returns {type(scores).__name__}; a tensor (N, classes) would be right")
        self._depends = recorder.is_signal(scores, "the explanation")
        self.scores = in_classes(scores)

    @property
    def places(self) -> list[Tensor]:
        """Of each leaf that is an embedding, which token of the input is where."""
        return self._recorder.tokens.places

    @property
    def hindrance(self) -> str | None:
        """Why relevance cannot go through this model, if it cannot."""
        return self._recorder.hindrance

    @property
    def leaves(self) -> list[Tensor]:
        """Where the way back ends: the input, or the embeddings of its tokens."""
        return self._recorder.leaves

    @property
    def uses(self) -> list[tuple[Layer, Reading]]:
        """Every use of a layer, in order; each sum of signals is a layer of its own."""
        return self._recorder.uses

    def outputs(self, layer: str) -> list[Output]:
        """Return the outputs of a layer, one for each use."""
        return self._recorder.outputs.get(layer, [])

    def walk_back(
        self,
        strategy: Strategy,
        cotangent: Tensor,
        ledger: Ledger | None = None,
        also: Sequence[Tensor] = (),
    ) -> list[Tensor]:
        """Walk back from the scores and return what arrives.

        Parameters
        ----------
        strategy : Strategy
        cotangent : Tensor (N, classes)
            What to start with: relevance if the strategy has a rule, else the gradient with respect to the
            scores.
        ledger : Ledger, optional
            Where a relevance rule books what it does.
        also : sequence of Tensor
            Further tensors of the forward pass.

        Returns
        -------
        list of Tensor
            Relevance or gradient of each leaf, then of each tensor of `also`.

        Raises
        ------
        Error
            If the scores do not depend on the input, or relevance cannot go through this model.
        """
        recorder = self._recorder
        if strategy.rule is not None and recorder.hindrance:
            raise Error(f"relevance cannot be propagated: {recorder.hindrance}")
        if not self._depends:
            raise Error("the scores do not depend on the inputs, so there is nothing to explain")
        recorder.walk.strategy, recorder.walk.ledger = strategy, ledger
        try:
            return list(
                torch.autograd.grad(
                    self.scores,
                    [*recorder.leaves, *also],
                    cotangent,
                    retain_graph=True,
                    materialize_grads=True,
                )
            )
        finally:
            recorder.walk.strategy, recorder.walk.ledger = Strategy(), None
            for projected in recorder.projections:
                projected.forget()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Follow one torch function."""
        kwargs = kwargs or {}
        if self._renamed:
            args, kwargs = replaced(args, self._newest), replaced(kwargs, self._newest)
        handler = HANDLERS.get(func)
        if handler is not None:
            result = handler(self._recorder, func, *args, **kwargs)
        elif not self._recorder.signals.among(operands_of(func, args, kwargs)):
            result = func(*args, **kwargs)
        elif func in MOVES:
            result = self._recorder.move(func, *args, **kwargs)
        elif func in JOINS:
            result = self._recorder.join(func, *args, **kwargs)
        else:
            result = self._other(func, args, dict(kwargs))
        if self._recorder.tokens.among(func, args, kwargs):
            self._recorder.tokens.follow(func, args, kwargs, result)
        if kwargs.get("inplace") and args and args[0] in self._recorder.signals:
            self._renamed.append((args[0], result))
        return result

    def _newest(self, item: Any) -> Any:
        """Return what now stands where a tensor stood before something was written over it."""
        for old, new in self._renamed:
            if item is old:
                item = new
        return item

    def _other(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do what is not known: a write in place, something without a gradient, or a hindrance."""
        if writes_in_place(func):
            return self._write(func, args, kwargs)
        if kwargs.get("inplace"):
            kwargs["inplace"] = False  # the new tensor takes the old one's place
        result = func(*args, **kwargs)
        if any(isinstance(output, Tensor) and output.requires_grad for output in flat(result)):
            self._recorder.hinder(
                f"{name_of(func)} cannot be explained, because its relevance is not known; {instead_of(func)}"
            )
        return result

    def _write(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute a new tensor instead of writing over one, and let it take the old one's place."""
        plain, signals = written_in_place(func), self._recorder.signals
        name = name_of(func).rpartition(".")[2]
        if plain is not None:
            with self:
                result = plain(*args, **kwargs)
        elif name == "__setitem__" and args[2] in signals:  # x[...] = y moves y to its place
            result = put(self._recorder, *args)
        elif name == "copy_" and args[1] in signals:
            result = put(self._recorder, args[0], ..., args[1])
        else:
            self._recorder.hinder(
                f"{name_of(func)} writes in place where a signal is, and what stood there is lost to an "
                "explanation; compute a new tensor instead"
            )
            result = args[0].clone()
            func(result, *args[1:], **kwargs)
        self._renamed.append((args[0], result))
        return result
