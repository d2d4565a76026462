"""``rnnxai scores``."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnxai.cli import codes
from rnnxai.cli.output import as_json, as_table, paragraph
from rnnxai.cli.places import ARCHIVE, dataset_of, files_in
from rnnxai.errors import Error

_TABLE = "scores/scores.csv"
_SAID_ABOVE = ("dataset", "architecture", "T", "fold", "explainer")
_COUNTS = ("T", "n", "n_undefined", "n_maps")


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="archives, or the folder of a study's results"
    )
    parser.add_argument(
        "--dataset", metavar="FILE", help="data set file of the archives (default: the one of their study)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Print a row for each archive."""
    rows: list[dict[str, Any]] = []
    for path in wanted.paths:
        table = Path(path) / _TABLE
        rows += _of_study(table) if table.is_file() else _of_archives(path, wanted.dataset)
    print(as_json(rows) if wanted.json else _text(rows))
    return codes.OK


def _of_study(table: Path) -> list[dict[str, Any]]:
    from rnnxai.scoring.table import read_table

    found = read_table(table).astype(object)
    rows = found.where(found.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _of_archives(path: str, named: str | None) -> list[dict[str, Any]]:
    from tqdm import tqdm

    from rnnxai.archive.check import check_complete
    from rnnxai.archive.read import AttributionArchive
    from rnnxai.scoring.archives import score_archive

    rows = []
    for file in tqdm(files_in([path], ARCHIVE), unit="archive", disable=None, leave=False):
        check_complete(file)
        with AttributionArchive(file) as archive:
            dataset = dataset_of(file, archive.dataset, named)
            name = archive.dataset
        if dataset is None:
            raise Error(f"{file}: no datasets/{name}.h5 in any folder above; say with --dataset where it is")
        rows.append(dict(score_archive(dataset, file).row))
    return rows


def _text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay the rows out; what is the same in all of them stands above."""
    shared = {
        name: rows[0][name] for name in _SAID_ABOVE if len(rows) > 1 and len({row[name] for row in rows}) == 1
    }
    titles = [name for name in rows[0] if name not in shared]
    table = [{name.replace("_", " "): _cell(name, row.get(name)) for name in titles} for row in rows]
    head = paragraph(", ".join(f"{name} {value}" for name, value in shared.items()))
    return "\n\n".join(part for part in (head, as_table(table)) if part)


def _cell(name: str, value: Any) -> str | int:
    if value is None:
        return "-"
    if name in _COUNTS:
        return int(value)
    if isinstance(value, float):
        return f"{value:.1e}" if name.endswith("error") else f"{value:.3f}"
    return str(value)
