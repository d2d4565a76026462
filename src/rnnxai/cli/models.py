"""``rnnxai models``."""

from argparse import ArgumentParser, Namespace
from typing import Any

from rnnxai.cli.output import as_json, as_table, paragraph
from rnnxai.models.zoo import MODELS

MAJORITY, SINGLE = (28, 84), (28, 28)
_EXPERIMENT_1 = {"shallow": (1, 4, 7), "deep": (1, 4, 7)}
_MAJORITY_STEPS = 12
_NOTE = (
    'Trainable parameters at the thesis\' sizes. The column "thesis" counts as its Tables 3.3, 3.5 and 3.6 '
    "do: all the biases of a gate as one and, where there is a single step, no weights that read a recurrent "
    'state. The column "all" is what training changes.'
)


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Print the architectures."""
    found = [
        {"name": name, "summary": summary, "parameters": [_counts(name, *case) for case in _cases(name)]}
        for name, summary in MODELS.items()
    ]
    print(as_json(found) if wanted.json else _text(found))
    return 0


def _cases(name: str) -> list[tuple[tuple[int, int], int]]:
    """Return the image sizes and numbers of steps in which an architecture is counted."""
    if MODELS.load(name).single_step:
        return [(SINGLE, 1)]
    return [*((SINGLE, steps) for steps in _EXPERIMENT_1.get(name, ())), (MAJORITY, _MAJORITY_STEPS)]


def _counts(name: str, image_size: tuple[int, int], steps: int) -> dict[str, Any]:
    from rnnxai.models.counts import parameter_counts  # loads torch

    counts = parameter_counts(name, image_size=image_size, steps=steps)
    return {
        "image_size": list(image_size),
        "steps": steps,
        "thesis": counts.thesis,
        "trainable": counts.trainable,
    }


def _text(found: list[dict[str, Any]]) -> str:
    names = [{"architecture": model["name"], "": model["summary"]} for model in found]
    rows = [
        {
            "architecture": model["name"],
            "image": "{} x {}".format(*counts["image_size"]),
            "steps": counts["steps"],
            "thesis": counts["thesis"],
            "all": counts["trainable"],
        }
        for model in found
        for counts in model["parameters"]
    ]
    return "\n\n".join([as_table(names), paragraph(_NOTE), as_table(rows)])
