"""``rnnxai verify``."""

import sys
from argparse import ArgumentParser, Namespace

from rnnxai.cli import codes
from rnnxai.cli.output import as_json, paragraph
from rnnxai.cli.places import files_in


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file, or a folder: all *.h5 in it")
    parser.add_argument("--seconds", type=float, metavar="S", help="give a file up after so long")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Print what is wrong with each file."""
    from tqdm import tqdm

    from rnnxai.archive.verify import Verifier

    files = files_in(wanted.files)
    found = []
    with Verifier() as verifier:
        # tqdm is silent where the errors go to no terminal.
        for file in tqdm(files, unit="file", disable=None if len(files) > 1 else True, leave=False):
            damage = verifier.verify(file, wanted.seconds)
            found.append({"file": str(file), "sound": not damage, "damage": [d._asdict() for d in damage]})
            if not wanted.json:
                for each in damage:
                    tqdm.write(paragraph(f"{file}: {each}"), file=sys.stdout)
    bad = sum(not each["sound"] for each in found)
    if wanted.json:
        print(as_json(found))
    elif bad:
        print(f"{bad} of {len(files)} {_files(len(files))} damaged")
    else:
        print(f"{len(files)} {_files(len(files))} sound")
    return codes.DAMAGED if bad else codes.OK


def _files(count: int) -> str:
    return "file" if count == 1 else "files"
