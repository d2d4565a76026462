"""What the steps of one forward pass share.

A cell says what a single step computes. What every step needs in the same way is made for all of them when
the first asks for it, and thrown away at the end of the pass.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")


class Unrolling:
    """A forward pass under way.

    Attributes
    ----------
    steps_left : int
        The present step and those that follow it; 1 before the first step and after the last.
    """

    def __init__(self) -> None:
        self.steps_left = 1
        self.made: dict[Hashable, Any] = {}


_PRESENT: ContextVar[Unrolling | None] = ContextVar("_PRESENT", default=None)


@contextmanager
def unrolling() -> Iterator[Unrolling]:
    """Let steps share what they can, until the forward pass ends."""
    present = Unrolling()
    token = _PRESENT.set(present)
    try:
        yield present
    finally:
        _PRESENT.reset(token)


def once(what: Hashable, make: Callable[[], T]) -> T:
    """Return what `make` makes: one and the same thing at all steps of a forward pass."""
    present = _PRESENT.get()
    if present is None:
        return make()
    if what not in present.made:
        present.made[what] = make()
    made: T = present.made[what]
    return made


def one_per_step(what: Hashable, make: Callable[[int], Sequence[T]]) -> T:
    """Return the next of what `make` makes.

    Parameters
    ----------
    what : hashable
        Names it within the forward pass.
    make : callable
        Takes how many are wanted at once: one for each step that is left.
    """
    present = _PRESENT.get()
    if present is None:
        return make(1)[0]
    if not present.made.get(what):
        present.made[what] = list(make(present.steps_left))[::-1]
    item: T = present.made[what].pop()
    return item
