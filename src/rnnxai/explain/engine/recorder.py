"""The notes of a recording: which tensors are signals, what computed them, and what hinders relevance.

:mod:`rnnxai.explain.engine.recording` brings torch's functions here; the modules ``follow_*`` say what each
means.
"""

from collections import Counter
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from rnnxai.errors import Error
from rnnxai.explain.channels import Domain
from rnnxai.explain.engine.functions import CATS, depends_on, flat, label_of, replaced
from rnnxai.explain.engine.layer import Layer, Reading
from rnnxai.explain.engine.operations import Apply, Call, Pass, Place, Projection, Source
from rnnxai.explain.engine.parts import Part, PartStep, Projected
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.engine.samples import numbers_of_output, numbers_of_several
from rnnxai.explain.engine.signals import Signal, Signals, beside
from rnnxai.explain.engine.tokens import Tokens
from rnnxai.explain.engine.walk import Walk
from rnnxai.explain.strategy import Strategy


class Filled(NamedTuple):
    """A tensor into which signals were put, piece by piece.

    Attributes
    ----------
    remains : Tensor of bool
        Where it still is what it was.
    signals : list of Signal
        What it holds.
    constants : Tensor or None
        What it was, unless it was a signal.
    """

    remains: Tensor
    signals: list[Signal]
    constants: Tensor | None


class Output(NamedTuple):
    """What one use of a layer computed.

    Attributes
    ----------
    tensors : list of Tensor
        The output, and what took its place where a batch norm was merged into the layer. The relevance of
        the output is the sum of theirs.
    all_steps : bool
        Whether axis 0 is time.
    """

    tensors: list[Tensor]
    all_steps: bool


class Recorder:
    """What a recording knows while the model runs.

    Parameters
    ----------
    plan : Plan
    keeps_books : bool
        Whether sample numbers ride along, which a ledger needs.
    strategies : sequence of Strategy
        All that will walk back, if they are known and nobody asks for anything between scores and input.

    Attributes
    ----------
    signals : Signals
    walk : Walk
    leaves : list of Tensor
        Where the way back ends: the model's input, or the outputs of embeddings.
    filled : mapping of Tensor to Filled
        What tensors hold that were written into.
    tokens : Tokens
        Where the model's input is, if it is of whole numbers.
    step : int or None
        The time step that is being computed, if anything says so.
    calls : mapping of Tensor to Call
        The use of a layer that computed a tensor.
    joined : mapping of Tensor to (tensors, axis)
        What stands beside each other in a tensor, so that a layer can read it as parts of their own.
    uses : list of (Layer, Reading)
        Every use of a layer, in order.
    projections : list of Projected
        Every part that was projected for all steps.
    outputs : dict of str to list of Output
        What layers computed, by name.
    hindrance : str or None
        Why relevance cannot go through this model. The gradient still can.
    """

    def __init__(self, plan: Plan, *, keeps_books: bool, strategies: Sequence[Strategy] = ()) -> None:
        self.plan = plan
        self.strategies = strategies
        self.keeps_books = keeps_books
        self.signals = Signals()
        self.walk = Walk()
        self.leaves: list[Tensor] = []
        self.tokens = Tokens()
        self.step: int | None = None
        self.hindrance: str | None = None
        self.calls: MutableMapping[Tensor, Call] = WeakTensorKeyDictionary()
        self.joined: MutableMapping[Tensor, tuple[Sequence[Tensor], int]] = WeakTensorKeyDictionary()
        self.outputs: dict[str, list[Output]] = {}
        self.uses: list[tuple[Layer, Reading]] = []
        self.projections: list[Projected] = []
        self.filled: MutableMapping[Tensor, Filled] = WeakTensorKeyDictionary()
        self._uses: Counter[str] = Counter()

    def hinder(self, reason: str) -> None:
        """Note why relevance cannot go through this model."""
        self.hindrance = self.hindrance or reason

    def is_signal(self, x: Any, reader: str) -> bool:
        """Tell whether a value depends on the input, and note when it does in a way that nobody saw."""
        if x in self.signals:
            return True
        if not (isinstance(x, Tensor) and x.requires_grad and depends_on(x, self.leaves)):
            return False
        self.hinder(
            f"{reader} reads a tensor of shape {tuple(x.shape)} that comes from the inputs by a way that "
            "cannot be followed (a custom autograd function?), so the recording lost track of a signal"
        )
        if self.keeps_books:
            raise Error(f"relevance cannot be propagated: {self.hindrance}")
        self.signals[x] = Signal(Domain.SIGNED)
        return True

    def any_signal(self, items: Iterable[Any], reader: str) -> bool:
        """Tell whether any of some values depends on the input; all of them are looked at."""
        return any([self.is_signal(x, reader) for x in items])  # noqa: C419

    def place(self, name: str, numbers: Tensor | None) -> Place:
        """Return the place in the books of an operation that is done now."""
        used = self.use(name)
        return Place(name, used if self.step is None else self.step, numbers)

    def use(self, name: str) -> int:
        """Count the uses of something, and return how many there were before."""
        used = self._uses[name]
        self._uses[name] += 1
        return used

    def part(self, layer: Layer, index: int, x: Tensor, *, zero: bool = False) -> Part:
        """Return an input of a layer; `zero` says that it is known to hold zeros."""
        reader = f"layer {layer.name!r}"
        signal = self.signals.get(x) if self.is_signal(x, reader) else None
        if signal is None:  # an initial state, say
            domain = Domain.SIGNED if not zero and bool((x.detach() < 0).any()) else Domain.NON_NEGATIVE
            return Part(layer, index, x.detach(), domain, constant=True, zero=zero)
        return Part(
            layer,
            index,
            x.detach(),
            signal.domain,
            signal.bounds,
            numbers=signal.numbers,
            is_input=signal.is_input,
        )

    def apply(
        self,
        layer: Layer,
        parts: Sequence[Part | PartStep],
        inputs: Sequence[Tensor],
        z: Tensor,
        *,
        only_losses: bool = False,
        all_steps: bool = False,
    ) -> Tensor:
        """Connect a layer's output to its inputs.

        Parameters
        ----------
        layer : Layer
        parts, inputs : sequence
            The inputs as the layer sees them, and as autograd does.
        z : Tensor
            What the layer computes.
        only_losses : bool
            Whether the books show it only where something is lost.
        all_steps : bool
            Whether axis 0 of the output is time.
        """
        read = {x.dtype for x in inputs if x.dim() > 0}
        if read and read != {z.dtype}:
            raise Error(
                f"layer {layer.name!r} computes {z.dtype} from {' and '.join(map(str, read))}; explain "
                "without autocast, in one floating point type"
            )
        numbers = self._numbers_of(parts, z, layer.map.axes)
        for part in parts:  # a constant belongs to the samples it is put beside
            if isinstance(part, Part) and part.constant and numbers is not None:
                part.numbers = numbers_of_output(numbers, part.x, layer.map.axes)
        place = self.place(layer.name, numbers)
        place.all_steps = all_steps
        call = Call(layer, parts, place, inputs, only_losses)
        self.uses.append((layer, call.reading))
        result: Tensor = Apply.apply(self.walk, call, z, *inputs)
        self.signals[result] = Signal(Domain.SIGNED, numbers=numbers)
        self.calls[result] = call
        if not only_losses:
            self.outputs.setdefault(layer.name, []).append(Output([result], all_steps))
        return result

    def _numbers_of(self, parts: Sequence[Part | PartStep], z: Tensor, axes: Sequence[int]) -> Tensor | None:
        if not self.keeps_books:
            return None
        known = [numbers_of_output(part.numbers, z, axes) for part in parts if part.numbers is not None]
        return numbers_of_several(known, z.shape)

    def project(
        self, layer: Layer, index: int, x: Tensor, sizes: Sequence[int], *, at: int = 0
    ) -> list[tuple[PartStep, Tensor]]:
        """Prepare one part of a layer for all time steps.

        Parameters
        ----------
        layer : Layer
        index : int
            Which part.
        x : Tensor (sum of sizes, ...)
            The rows of all steps, one step after the other.
        sizes : sequence of int
            Rows of each step.
        at : int
            The first step's number in the books.

        Returns
        -------
        list of (PartStep, Tensor)
            For each step the part, and the link that connects it.
        """
        projected = self.projected(layer, index, x, sizes, at=at)
        links = Projection.apply(self.walk, projected, x)
        return [(PartStep(projected, step), link) for step, link in enumerate(links.unbind(0))]

    def projected(
        self, layer: Layer, index: int, x: Tensor, sizes: Sequence[int], *, at: int = 0
    ) -> Projected:
        """Return one part of a layer for all time steps, as :meth:`project` does, without its links."""
        ends = list(accumulate(sizes))
        rows = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        projected = Projected(self.part(layer, index, x), rows, at)
        self.projections.append(projected)
        return projected

    def passed(
        self,
        x: Tensor,
        y: Tensor,
        gradient: Callable[[Tensor], Tensor],
        signal: Signal,
        *,
        stops: bool = False,
    ) -> Tensor:
        """Connect y, an elementwise function of the signal x."""
        if signal.numbers is not None:
            signal = signal.numbered(signal.numbers.expand(y.shape))
        result: Tensor = Pass.apply(self.walk, y, gradient, stops, x)
        self.signals[result] = signal
        return result

    def source(self, name: str, constant: Tensor, beside: Tensor, numbers: Tensor | None = None) -> Tensor:
        """Make a constant that stands beside a signal a signal, so that what reaches it is booked.

        Along axes of different size it is taken to belong to the signal's first sample.
        """
        like = self.signals[beside].numbers
        if numbers is None and like is not None:
            axes = [axis for axis in range(like.dim()) if like.shape[axis] != constant.shape[axis]]
            for axis in axes:
                like = like.narrow(axis, 0, 1)
            numbers = like.expand(constant.shape)
        place = self.place(name, numbers)
        result: Tensor = Source.apply(self.walk, place, constant.detach(), beside)
        domain = Domain.SIGNED if bool((constant.detach() < 0).any()) else Domain.NON_NEGATIVE
        self.signals[result] = Signal(domain, numbers=numbers)
        return result

    def move(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Apply a function that only moves values, and move what is known of them along."""
        signals = self.signals.among(flat((args, kwargs)))
        result = func(*args, **kwargs)
        outputs = [output for output in flat(result) if isinstance(output, Tensor)]
        numbers: list[Tensor | None] = [None] * len(outputs)
        if self.keeps_books and signals:
            moved = func(*replaced(args, self._numbers), **replaced(kwargs, self._numbers))
            numbers = [output for output in flat(moved) if isinstance(output, Tensor)]
        for output, theirs in zip(outputs, numbers, strict=True):
            if signals:
                self.signals[output] = self._joint(signals, theirs)
        return result

    def join(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Tensor:
        """Join tensors, at least one of which is a signal; constants among them become sources."""
        given = list(args[0] if args else kwargs.pop("tensors"))
        beside = self.signals.among(given)[0]
        tensors = [x if x in self.signals else self.source(label_of(func), x, beside) for x in given]
        result: Tensor = func(tensors, *args[1:], **kwargs)
        numbers = func([self._numbers(x) for x in tensors], *args[1:], **kwargs) if self.keeps_books else None
        self.signals[result] = self._joint(tensors, numbers)
        if func in CATS:
            axis = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % result.dim()
            self.joined[result] = given, axis - result.dim()
        return result

    def inputs_of(self, x: Tensor, axis: int) -> Sequence[Tensor]:
        """Return what was joined to x along an axis, if it differs in kind, for a layer to read as parts."""
        tensors, along = self.joined.get(x, ([x], axis))
        known = {(s.domain, s.bounds) for s in (self.signals[t] for t in tensors if t in self.signals)}
        alike = len(known) == 1 and all(tensor in self.signals for tensor in tensors)
        return [x] if alike or along != axis else tensors

    def _numbers(self, item: Any) -> Any:
        return self.signals[item].numbers if item in self.signals else item

    def _joint(self, tensors: Sequence[Tensor], numbers: Tensor | None) -> Signal:
        """Return what signals are that stand beside each other in one tensor."""
        return beside([self.signals[tensor] for tensor in tensors], None).numbered(numbers)

    def joint_numbers(self, tensors: Sequence[Tensor], result: Tensor) -> Tensor | None:
        """Return the sample numbers of an elementwise function of some tensors."""
        if not self.keeps_books:
            return None
        known = [self.signals[x].numbers for x in tensors if x in self.signals]
        return numbers_of_several([numbers for numbers in known if numbers is not None], result.shape)
