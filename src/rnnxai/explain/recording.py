"""Record one forward pass of a model, then walk back through it with any number of methods."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils.weak import WeakTensorKeyDictionary

from rnnxai.errors import Error
from rnnxai.explain.channels import Domain
from rnnxai.explain.ledger import Ledger
from rnnxai.explain.operations import AffineOperation, Gate, Projection, ReLU
from rnnxai.explain.parts import Layer, Part, PartStep, domains_of
from rnnxai.explain.strategy import Strategy
from rnnxai.explain.walk import Walk
from rnnxai.models.layers import Affine, gate, time_step

Bounds = tuple[float, float]

# Operations that only move values about: relevance moves back with them, as a gradient would.
MOVES = frozenset(
    {
        torch.cat,
        torch.stack,
        torch.Tensor.chunk,
        torch.Tensor.contiguous,
        torch.Tensor.expand,
        torch.Tensor.flatten,
        torch.Tensor.permute,
        torch.Tensor.reshape,
        torch.Tensor.split,
        torch.Tensor.squeeze,
        torch.Tensor.transpose,
        torch.Tensor.unbind,
        torch.Tensor.unsqueeze,
        torch.Tensor.view,
        torch.Tensor.__getitem__,
    }
)
SUMS = frozenset({torch.add, torch.Tensor.add, torch.Tensor.__add__})
PRODUCTS = frozenset({torch.mul, torch.Tensor.mul, torch.Tensor.__mul__})


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
    channels : int
        The largest number of channels of any rule that will be asked for.
    """

    def __init__(self, plan: Plan, images: Tensor, channels: int = 2) -> None:
        super().__init__()
        self.plan = plan
        self._walk = Walk()
        self._channels = channels
        self._step = 0
        self._domains: MutableMapping[Tensor, Domain] = WeakTensorKeyDictionary()
        self._gates: MutableMapping[Tensor, bool] = WeakTensorKeyDictionary()
        self.images = images.detach().clone().requires_grad_()
        self._domains[self.images] = Domain.SIGNED if plan.bounds is None else Domain.BOUNDED
        with torch.enable_grad(), self:
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
        """
        self._walk.strategy, self._walk.ledger = strategy, ledger
        try:
            (arrived,) = torch.autograd.grad(self.scores, self.images, cotangent, retain_graph=True)
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
        result = func(*args, **kwargs)
        outputs = [item for item in _flat(result) if isinstance(item, Tensor) and item.requires_grad]
        if not outputs:
            return result
        signals = [item for item in _flat((args, kwargs)) if isinstance(item, Tensor) and item.requires_grad]
        domain = self._result_domain(func, signals)
        is_gate = all(item in self._gates for item in signals)
        for output in outputs:
            self._domains[output] = domain
            if is_gate:
                self._gates[output] = True
        return result

    def _result_domain(self, func: Callable[..., Any], signals: Sequence[Tensor]) -> Domain:
        domains = {self._domains.get(item, Domain.SIGNED) for item in signals}
        if func in MOVES and len(domains) == 1:
            return domains.pop()
        if func in SUMS or func in MOVES:
            return Domain.NON_NEGATIVE if domains == {Domain.NON_NEGATIVE} else Domain.SIGNED
        if func in PRODUCTS:
            if len([item for item in signals if item not in self._gates]) > 1:
                raise Error(
                    f"a product of two signals of shapes {[tuple(s.shape) for s in signals]} has no unique "
                    "explanation; pass the controlling factor through rnnxai.models.layers.gate"
                )
            return Domain.NON_NEGATIVE if domains == {Domain.NON_NEGATIVE} else Domain.SIGNED
        raise Error(
            f"{resolve_name(func) or func} cannot be explained: it is none of the operations whose relevance "
            "is known (affine layers, ReLU, gates, sums, products with a gate, reshaping)"
        )

    def _affine(self, layer: Affine, *inputs: Tensor) -> Tensor:
        record = self.plan.layers[id(layer)]
        parts = tuple(self._part(record, index, x) for index, x in enumerate(inputs))
        step = self._step if inputs[0].dim() == 3 else None
        with torch.no_grad():
            z = layer(*inputs)
        return self._connect(record, parts, z, step, inputs)

    def _project(self, layer: Affine, x: Tensor) -> tuple[tuple[PartStep, Tensor, Tensor], ...]:
        record = self.plan.layers[id(layer)]
        part = self._part(record, 0, x)
        stand_in = Projection.apply(self._walk, part, self._channels * record.units + 1, x)
        with torch.no_grad():
            values = layer.project(x)
        return tuple(
            (PartStep(part, step), one, value)
            for step, (one, value) in enumerate(zip(stand_in.unbind(1), values, strict=True))
        )

    def _complete(self, layer: Affine, projected: tuple[PartStep, Tensor, Tensor], *rest: Tensor) -> Tensor:
        record = self.plan.layers[id(layer)]
        first, stand_in, value = projected
        parts: tuple[Part | PartStep, ...] = (
            first,
            *(self._part(record, index, x) for index, x in enumerate(rest, start=1)),
        )
        with torch.no_grad():
            z = layer.complete(value, *rest)
        return self._connect(record, parts, z, first.step, (stand_in, *rest))

    def _part(self, layer: Layer, index: int, x: Tensor) -> Part:
        domain = self._domains.get(x, Domain.SIGNED)
        return Part(layer, index, x.detach(), domain, self.plan.bounds)

    def _connect(
        self,
        layer: Layer,
        parts: tuple[Part | PartStep, ...],
        z: Tensor,
        step: int | None,
        inputs: Sequence[Tensor],
    ) -> Tensor:
        layer.domains.update(domains_of(parts))
        result: Tensor = AffineOperation.apply(self._walk, layer, parts, z, step, *inputs)
        self._domains[result] = Domain.SIGNED
        return result

    def _relu(self, z: Tensor, inplace: bool = False) -> Tensor:
        result: Tensor = ReLU.apply(self._walk, z)
        self._domains[result] = Domain.NON_NEGATIVE
        return result

    def _gate(self, z: Tensor) -> Tensor:
        result: Tensor = Gate.apply(self._walk, torch.sigmoid(z))
        self._domains[result] = Domain.NON_NEGATIVE
        self._gates[result] = True
        return result

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
}


def _flat(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return [item for element in value for item in _flat(element)]
    return [value]
