"""Tokens have no gradient, so what their embeddings are given has to be brought back to where they stood."""

from collections.abc import Callable, MutableMapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from rnnxai.errors import Error
from rnnxai.explain.engine.functions import MOVES, flat, operands_of, replaced

WHOLE = (torch.int64, torch.int32)


class Tokens:
    """Which token of the input is where, in every tensor of whole numbers that holds some.

    Attributes
    ----------
    per_sample : int
        Tokens of one sample.
    places : list of Tensor
        Of each leaf of a recording that is an embedding, which token of the input is where.
    """

    def __init__(self) -> None:
        self.per_sample: int  # from the beginning on
        self.places: list[Tensor] = []
        self._places: MutableMapping[Tensor, Tensor | None] = WeakTensorKeyDictionary()

    def begin(self, tokens: Tensor) -> None:
        """Note the model's input."""
        self.per_sample = tokens[0].numel()
        self._places[tokens] = torch.arange(tokens.numel(), device=tokens.device).view(tokens.shape)

    def among(self, func: Callable[..., Any], args: Any, kwargs: Any) -> bool:
        """Tell whether any of what a function reads holds tokens of the input, changed or not."""
        if not self._places:  # as in all models but those of language
            return False
        read = operands_of(func, args, kwargs)
        return any(isinstance(x, Tensor) and x in self._places for x in read)

    def places_in(self, x: Tensor) -> Tensor | None:
        """Return which token of the input is where in x, or None if x holds none.

        Raises
        ------
        Error
            If x holds tokens that were changed.
        """
        if x not in self._places:
            return None
        places = self._places[x]
        if places is None:
            raise Error(
                "an embedding reads tokens that were changed before, so what it says of them belongs to no "
                "input; hand the model the tokens as they are"
            )
        return places

    def follow(self, func: Callable[..., Any], args: Any, kwargs: Any, result: Any) -> None:
        """Note what a function did to tokens: it moved them, or changed them."""
        outputs = [x for x in flat(result) if isinstance(x, Tensor) and x.dtype in WHOLE]
        moved: list[Tensor | None] = [None] * len(outputs)
        if outputs and func in MOVES:
            again = func(*replaced(args, self._instead), **replaced(kwargs, self._instead))
            moved = [x for x in flat(again) if isinstance(x, Tensor)]
        for output, places in zip(outputs, moved, strict=True):
            self._places[output] = places

    def _instead(self, item: Any) -> Any:
        places = self._places[item] if isinstance(item, Tensor) and item in self._places else None
        return item if places is None else places
