"""``rnnxai join``."""

from argparse import ArgumentParser, Namespace

from rnnxai.cli import codes
from rnnxai.cli.output import as_json
from rnnxai.cli.places import ARCHIVE, files_in


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="archives of one data set, architecture and T, and score files made of them; of a folder, all "
        "archives in it",
    )
    parser.add_argument(
        "--output", "-o", required=True, metavar="OUT", help="where the join goes: above all that it joins"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Join archives and print what came of it."""
    import h5py

    from rnnxai.archive.join import join

    files = files_in(wanted.files, ARCHIVE)
    join(files, wanted.output)
    with h5py.File(wanted.output) as file:
        axes = list(file.attrs["axes"])
        shape = list(file["attribution"].shape)
        title = str(file.attrs["title"])
    if wanted.json:
        print(
            as_json(
                {"file": wanted.output, "title": title, "files": len(files), "axes": axes, "shape": shape}
            )
        )
    else:
        sizes = ", ".join(f"{name} {size}" for name, size in zip(axes, shape, strict=True))
        print(f"{wanted.output}: {title}; {sizes}")
    return codes.OK
