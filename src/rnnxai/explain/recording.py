"""Record one forward pass of a model, then walk back through it with any number of methods."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from rnnxai.errors import Error
from rnnxai.explain.channels import Domain
from rnnxai.explain.functions import (
    JOINS,
    MOVES,
    PRODUCTS,
    SUMS,
    any_negative,
    any_nonzero,
    depends_on,
    flat,
    instead_of,
    name_of,
    operands_of,
    writes_in_place,
)
from rnnxai.explain.ledger import Ledger
from rnnxai.explain.operations import AffineOperation, Gate, Projection, ReLU
from rnnxai.explain.parts import Layer, Part, PartStep
from rnnxai.explain.strategy import Strategy
from rnnxai.explain.walk import Walk
from rnnxai.models.layers import Affine, gate, time_step

Bounds = tuple[float, float]


class Plan:
    """What is known of a model before a single sample is seen.

    Parameters
    ----------
    model : Module
        Its layers are followed by name.
    bounds : tuple of float, optional
        Range of the model's input. None if it has no known range.
    """

    def __init__(self, model: nn.Module, bounds: Bounds | None) -> None:
        self.model = model
        self.bounds = bounds
        self.layers = {
            id(module): Layer(name.removeprefix("cell."), module.weight.detach(), module.columns)
            for name, module in model.named_modules()
            if isinstance(module, Affine)
        }


class Recording(TorchFunctionMode):
    """The forward pass of a model on one batch, ready to be walked back.

    While it runs, every torch function comes by here. The affine layers, ReLUs and gates are replaced by
    operations that ask for the current :class:`Strategy` when they are walked back; what moves, adds or
    scales values is left to autograd; and anything else that a signal passes through is refused by name,
    since a wrong map is worse than none. The model itself is not touched: no hooks, no copies.

    Parameters
    ----------
    plan : Plan
    images : Tensor (N, ...)
        One batch of inputs.
    strategies : iterable of Strategy
        All that the recording will be walked back with.
    """

    def __init__(self, plan: Plan, images: Tensor, strategies: Iterable[Strategy]) -> None:
        super().__init__()
        self.plan = plan
        self._walk = Walk()
        self._channels = max((strategy.channels for strategy in strategies), default=1)
        self._step = 0
        self._hindrance: str | None = None
        self._domains: MutableMapping[Tensor, Domain] = WeakTensorKeyDictionary()
        self._gates: MutableMapping[Tensor, bool] = WeakTensorKeyDictionary()
        with torch.inference_mode(mode=False), torch.enable_grad():
            self.images = images.detach().clone().requires_grad_()
        self._domains[self.images] = Domain.SIGNED if plan.bounds is None else Domain.BOUNDED
        with torch.inference_mode(mode=False), torch.enable_grad(), self:
            self.scores = plan.model(self.images)

    def walk_back(self, strategy: Strategy, cotangent: Tensor, ledger: Ledger | None = None) -> Tensor:
        """Walk back from the scores and return what arrives at the images.

        Parameters
        ----------
        strategy : Strategy
        cotangent : Tensor (N, classes)
            What to start with: the gradient with respect to the scores, or relevance over score.
        ledger : Ledger, optional
            Where a relevance rule books what it does.

        Returns
        -------
        Tensor (N, ...)
            The gradient, or relevance where the first layer reads bounded pixels by a rule.

        Raises
        ------
        Error
            If the scores do not depend on the images, or relevance cannot go through this model, or the
            rule has more channels than any strategy that the recording was made for.
        """
        if strategy.channels > self._channels:
            raise Error(
                f"the rule {strategy.rule} has {strategy.channels} channels; the recording was made for "
                f"strategies of at most {self._channels}, so name this one when recording"
            )
        if strategy.rule is not None and self._hindrance:
            raise Error(f"relevance cannot be propagated: {self._hindrance}")
        if not self.scores.requires_grad:
            raise Error("the scores do not depend on the images, so there is nothing to explain")
        self._walk.strategy, self._walk.ledger = strategy, ledger
        try:
            (arrived,) = torch.autograd.grad(
                self.scores, self.images, cotangent, retain_graph=True, materialize_grads=True
            )
        finally:
            self._walk.strategy, self._walk.ledger = Strategy(), None
        return arrived

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Follow one torch function."""
        kwargs = kwargs or {}
        handler = HANDLERS.get(func)
        if handler is not None:
            return handler(self, *args, **kwargs)
        operands = operands_of(func, args, kwargs)
        signals = [item for item in operands if isinstance(item, Tensor) and item in self._domains]
        if signals and writes_in_place(func):
            raise Error(
                f"{name_of(func)} writes in place where a signal is, and what stood there is lost to an "
                "explanation; use the form that returns a new tensor"
            )
        result = func(*args, **kwargs)
        if not signals:
            return result
        outputs = [item for item in flat(result) if isinstance(item, Tensor) and item.requires_grad]
        if not outputs:
            return result
        others = [item for item in operands if not any(item is signal for signal in signals)]
        domain = self._result_domain(func, signals, others)
        is_gate = all(item in self._gates for item in signals)
        for output in outputs:
            self._domains[output] = domain
            if is_gate:
                self._gates[output] = True
        return result

    def _result_domain(
        self, func: Callable[..., Any], signals: Sequence[Tensor], others: Sequence[Any]
    ) -> Domain:
        domains = {self._domains[item] for item in signals}
        if func in MOVES or (func in JOINS and domains == {Domain.BOUNDED} and not others):
            return domains.pop()
        if Domain.BOUNDED in domains:
            self._hinder(f"{name_of(func)} changes pixels before an affine layer has read them")
        if func in SUMS or func in JOINS:
            gates = [item for item in signals if item in self._gates]
            if len(gates) < len(signals) and any(any_nonzero(item) for item in (*gates, *others)):
                self._hinder(
                    f"{name_of(func)} puts a constant or a gate that is not zero beside a signal, and what "
                    "it would keep is in no books; a bias belongs into an affine layer"
                )
        elif func in PRODUCTS:
            if len([item for item in signals if item not in self._gates]) > 1:
                raise Error(
                    f"a product of two signals of shapes {[tuple(s.shape) for s in signals]} has no unique "
                    "explanation; pass the controlling factor through rnnxai.models.layers.gate"
                )
        else:
            raise Error(
                f"{name_of(func)} cannot be explained, because its relevance is not known; {instead_of(func)}"
            )
        alike = domains == {Domain.NON_NEGATIVE} and not any(any_negative(item) for item in others)
        return Domain.NON_NEGATIVE if alike else Domain.SIGNED

    def _hinder(self, reason: str) -> None:
        """Note why relevance cannot go through this model. The gradient still can."""
        self._hindrance = self._hindrance or reason

    def _affine(self, layer: Affine, *inputs: Tensor) -> Tensor:
        record = self._record(layer)
        parts = tuple(self._part(record, index, x) for index, x in enumerate(inputs))
        step = self._step if inputs[0].dim() == 3 else None
        with torch.no_grad():
            z = layer(*inputs)
        return self._connect(record, parts, z, step, inputs)

    def _project(self, layer: Affine, x: Tensor) -> tuple[tuple[PartStep, Tensor, Tensor], ...]:
        record = self._record(layer)
        part = self._part(record, 0, x)
        stand_in = Projection.apply(self._walk, part, self._channels * record.units + 1, x)
        with torch.no_grad():
            values = layer.project(x)
        return tuple(
            (PartStep(part, step), one, value)
            for step, (one, value) in enumerate(zip(stand_in.unbind(1), values, strict=True))
        )

    def _complete(self, layer: Affine, projected: tuple[PartStep, Tensor, Tensor], *rest: Tensor) -> Tensor:
        record = self._record(layer)
        first, stand_in, value = projected
        parts: tuple[Part | PartStep, ...] = (
            first,
            *(self._part(record, index, x) for index, x in enumerate(rest, start=1)),
        )
        with torch.no_grad():
            z = layer.complete(value, *rest)
        return self._connect(record, parts, z, first.step, (stand_in, *rest))

    def _record(self, layer: Affine) -> Layer:
        try:
            return self.plan.layers[id(layer)]
        except KeyError:
            raise Error(f"{layer} is no submodule of the model; make it an attribute of its cell") from None

    def _part(self, layer: Layer, index: int, x: Tensor) -> Part:
        constant = not self._is_signal(x, f"layer {layer.name!r}")
        domain = self._domains.get(x)
        if domain is None:  # an initial state, say
            domain = Domain.SIGNED if any_negative(x) else Domain.NON_NEGATIVE
        if x in self._gates:
            self._hinder(f"layer {layer.name!r} reads a gate, which is a constant to relevance")
        return Part(layer, index, x.detach(), domain, self.plan.bounds, constant)

    def _connect(
        self,
        layer: Layer,
        parts: tuple[Part | PartStep, ...],
        z: Tensor,
        step: int | None,
        inputs: Sequence[Tensor],
    ) -> Tensor:
        layer.domains |= {part.domain for part in parts}
        result: Tensor = AffineOperation.apply(self._walk, layer, parts, z, step, *inputs)
        return self._follow(result, Domain.SIGNED)

    def _relu(self, z: Tensor, inplace: bool = False) -> Tensor:
        if self._domains.get(z) is Domain.BOUNDED:
            self._hinder("a ReLU changes pixels before an affine layer has read them")
        self._is_signal(z, "a ReLU")
        result: Tensor = ReLU.apply(self._walk, z)
        return self._follow(result, Domain.NON_NEGATIVE)

    def _gate(self, z: Tensor) -> Tensor:
        self._is_signal(z, "a gate")
        result: Tensor = Gate.apply(self._walk, torch.sigmoid(z))
        self._gates[result] = True
        return self._follow(result, Domain.NON_NEGATIVE)

    def _dropout(self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if x in self._domains and training and p > 0:
            raise Error(
                f"dropout with p = {p} drew a mask during an explanation; hand it the module's own "
                "`training`, which is False then, or use rnnxai.models.Dropout"
            )
        return x if x in self._domains else dropout(x, p, training, inplace)

    def _follow(self, value: Tensor, domain: Domain) -> Tensor:
        if value.requires_grad:  # what was computed from constants alone is a constant
            self._domains[value] = domain
        return value

    def _is_signal(self, x: Tensor, reader: str) -> bool:
        if x in self._domains:
            return True
        if depends_on(x, self.images):
            raise Error(
                f"{reader} reads a tensor of shape {tuple(x.shape)} that comes from the images by a way that "
                "cannot be followed (a custom autograd function?), so the recording lost track of a signal"
            )
        return False

    def _time_step(self, index: int, patches: Tensor) -> None:
        self._step = index


HANDLERS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    Affine.forward: Recording._affine,
    Affine.project: Recording._project,
    Affine.complete: Recording._complete,
    gate: Recording._gate,
    time_step: Recording._time_step,
    torch.relu: Recording._relu,
    torch.Tensor.relu: Recording._relu,
    torch.nn.functional.relu: Recording._relu,
    dropout: Recording._dropout,
}
