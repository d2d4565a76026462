"""``rnnxai inspect``."""

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from rnnxai.cli import codes
from rnnxai.cli.output import as_json, as_table, paragraph


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="an archive, or any other file of rnnxai")
    parser.add_argument("--sample", type=int, metavar="N", help="show the heatmap of row N of an archive")
    parser.add_argument("--png", metavar="OUT", help="write that heatmap as a picture, too")
    parser.add_argument(
        "--dataset", metavar="FILE", help="data set file of the archive (default: the one of its study)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Print what is in a file."""
    from rnnxai.archive.verify import verify
    from rnnxai.cli.contents import of_archive, of_file, of_sample, pixels
    from rnnxai.errors import Error

    if wanted.png is not None and wanted.sample is None:
        raise Error("--png writes the heatmap of a sample; say which with --sample")
    # Nothing here looks into a file that has not been read to its end by a process that may die of it.
    damage = verify(wanted.file)
    if damage:
        told = {"file": wanted.file, "damage": [each._asdict() for each in damage]}
        lines = (paragraph(f"{wanted.file}: {each}") for each in damage)
        print(as_json(told) if wanted.json else "\n".join(lines))
        return codes.DAMAGED
    found = of_file(wanted.file)
    heatmap = None
    if found["kind"] == "attribution":
        found["scores"] = of_archive(wanted.file, wanted.dataset)
        if wanted.sample is not None:
            found["sample"] = of_sample(wanted.file, wanted.sample, wanted.dataset)
            if found["sample"]["map_kept"] or wanted.png is not None:
                heatmap = pixels(wanted.file, wanted.sample)
    elif wanted.sample is not None:
        raise Error(f"{wanted.file}: a file of kind {found['kind']!r}; heatmaps are in attribution files")
    print(as_json(found) if wanted.json else _text(found))
    if heatmap is not None and not wanted.json:
        print(f"\n{_drawn(heatmap)}")
    if wanted.png is not None and heatmap is not None:
        from rnnxai.cli.picture import write_picture

        write_picture(heatmap, found["title"], found["sample"], wanted.png)
    return codes.OK


def _drawn(heatmap: Any) -> str:
    from rnnxai.cli.heatmap import COLOURED, LETTERED, as_text, has_colours

    colours = has_colours(sys.stdout)
    if not heatmap.any():
        return "The map is empty: no relevance."
    return f"{as_text(heatmap, colours=colours)}\n{COLOURED if colours else LETTERED}"


def _text(found: dict[str, Any]) -> str:
    head = f"{found['file']}: {found['title']} ({found['kind']}, format {found['format']}, sound)"
    arrays = [
        {
            "array": each["name"],
            "dimensions": ", ".join(each["dimensions"]) or "-",
            "shape": " x ".join(map(str, each["shape"])),
            "type": each["type"],
            "bytes": each["bytes"],
        }
        for each in found["arrays"]
    ]
    parts = [paragraph(head), as_table(arrays, {"dimensions": 34})]
    for name in ("scores", "sample"):
        if name in found:
            rows = [{"": key.replace("_", " "), " ": _value(value)} for key, value in found[name].items()]
            title = f"sample {found['sample']['row']}" if name == "sample" else "all samples"
            parts.append(f"{title}\n{as_table(rows, {' ': 60}).lstrip(chr(10))}")
    return "\n\n".join(parts)


def _value(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return "  ".join(map(_value, value))
    return str(value)
