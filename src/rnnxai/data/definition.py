"""What a data set is made of, in the few numbers that decide its content."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Self

from rnnxai.data.source import IMAGE_SIZE
from rnnxai.data.sources import SOURCES
from rnnxai.data.tasks import TASKS
from rnnxai.errors import Error

_LEAST = {"blocks": 3, "repeats": 1, "folds": 2, "seed": 0}
_MOST = {"blocks": 255, "repeats": 255, "folds": 127, "seed": 2**31 - 1}


@dataclass(frozen=True)
class DatasetDefinition:
    """The recipe of a data set; equal recipes give equal files.

    Parameters
    ----------
    source : str
        Where the images come from, a name in :data:`rnnxai.data.sources.SOURCES` or a reference
        ``package.module:function``.
    task : str
        What is made of them, a name in :data:`rnnxai.data.tasks.TASKS` or a reference. ``majority``:
        several images side by side, the class of the majority is the target
        (:func:`rnnxai.data.majority.majority_sequences`). ``columns``: one image, read column by column.
        A task from outside gets the whole definition, and the numbers below mean what it makes of them.
    blocks : int
        Images per sample, at least 3 for a majority. A column sequence is one block, so there it becomes 1.
    repeats : int
        How many times each image is the anchor of a majority sequence.
    folds : int
        Folds of the cross-validation, at least 2.
    leak_free : bool
        Draw the images of a majority sequence from the anchor's own fold only. The thesis did not, so
        there an image can stand in sequences of several folds.
    seed : int
        Added to the seeds of the thesis; 0 gives the very sequences of the thesis.

    Raises
    ------
    Error
        If a value is out of range.
    """

    source: str
    task: str = "majority"
    blocks: int = 3
    repeats: int = 1
    folds: int = 7
    leak_free: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        SOURCES.target(self.source)
        TASKS.target(self.task)
        if type(self.leak_free) is not bool:
            raise Error(f"leak_free is {self.leak_free!r}; it must be true or false")
        if self.task == "columns":
            if self.blocks not in (1, 3) or self.repeats != 1:  # 3 is the default, which nobody asked for
                raise Error(
                    f"blocks is {self.blocks} and repeats is {self.repeats}, "
                    "but a column sequence is one image, once; leave both out"
                )
            object.__setattr__(self, "blocks", 1)
        for name, least in _LEAST.items():
            value = getattr(self, name)
            lowest = 1 if name == "blocks" and self.task != "majority" else least
            if type(value) is not int or not lowest <= value <= _MOST[name]:
                raise Error(f"{name} is {value!r}; it must be a whole number from {lowest} to {_MOST[name]}")

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of a sample in pixels."""
        height, width = IMAGE_SIZE
        return height, width * self.blocks

    @property
    def marked(self) -> bool:
        """Whether the samples come with marks, so that explanations can be scored."""
        return self.task != "columns"

    @property
    def title(self) -> str:
        """One line about the data set."""
        if self.task == "columns":
            return f"Images of {self.source}, read column by column"
        rule = "the majority decides" if self.task == "majority" else self.task
        return f"Sequences of {self.blocks} images of {self.source}, {rule}"

    def to_json(self) -> str:
        """Return the definition as JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        Error
            If the text is something else.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise Error(f"a data set definition is not JSON: {error}") from error
        names = [field.name for field in fields(cls)]
        if not isinstance(values, dict) or sorted(values) != sorted(names):
            raise Error(f"a data set definition is {text}; its keys must be {', '.join(names)}")
        return cls(**values)
