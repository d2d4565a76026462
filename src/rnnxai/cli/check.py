"""``rnnxai check``."""

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Any

from rnnxai.cli import codes
from rnnxai.cli.output import as_json, as_table, paragraph

_MODEL = (
    "an architecture's name (see rnnxai models), a network file of rnnxai (.safetensors), or "
    "package.module:Name of a cell, of a torch module, or of a function that returns one"
)


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help=_MODEL)
    parser.add_argument("--method", default="dtd", metavar="NAME", help="see rnnxai methods (default: dtd)")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=_option,
        metavar="KEY=VALUE",
        help="an option of the method; VALUE is JSON or else a text",
    )
    parser.add_argument(
        "--bounds", nargs=2, type=float, metavar=("LOW", "HIGH"), help="range of the input; inf and -inf, too"
    )
    parser.add_argument("--steps", type=int, metavar="T", help="of an architecture (default: 12, or 1)")
    parser.add_argument(
        "--image-size",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help="of an architecture (default: 28 84, or 28 28)",
    )
    parser.add_argument(
        "--input-shape", nargs="+", type=int, metavar="N", help="of one sample, for a torch module: 20 3, say"
    )
    parser.add_argument("--tokens", action="store_true", help="the torch module reads whole numbers")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Print what the method does in each layer."""
    from rnnxai.cli.subject import table_of  # loads torch

    bounds = None if wanted.bounds is None else tuple(wanted.bounds)
    layers = table_of(
        wanted.model,
        wanted.method,
        dict(wanted.option),
        bounds=bounds,
        steps=wanted.steps,
        image_size=wanted.image_size and tuple(wanted.image_size),
        input_shape=wanted.input_shape,
        tokens=wanted.tokens,
    )
    can = not any(layer["refusal"] for layer in layers)
    found = {"model": wanted.model, "method": wanted.method, "can_explain": can, "layers": layers}
    print(as_json(found) if wanted.json else _text(found))
    return codes.OK if can else codes.NOT_MET


def _text(found: dict[str, Any]) -> str:
    reasons = list(dict.fromkeys(layer["refusal"] for layer in found["layers"] if layer["refusal"]))
    rows = [
        {
            "layer": layer["layer"],
            "kind": layer["kind"],
            "reads": layer["reads"].replace(" and ", ", "),
            "bias": layer["bias"],
            "uses": str(layer["uses"]),
            "rule": f"refused [{reasons.index(layer['refusal']) + 1}]" if layer["refusal"] else layer["rule"],
        }
        for layer in found["layers"]
    ]
    parts = [as_table(rows, {"layer": 28, "reads": 24, "rule": 18})] if rows else []
    parts += [paragraph(reason, f"[{number}] ") for number, reason in enumerate(reasons, 1)]
    verdict = "can explain" if found["can_explain"] else "cannot explain"
    parts.append(f"{found['method']} {verdict} {found['model']}.")
    return "\n\n".join(parts)


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key.isidentifier() and equals):
        raise ArgumentTypeError(f"{text!r} is no option; KEY=VALUE would be right, such as epsilon=0.01")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
