"""``rnnxai export``."""

from argparse import ArgumentParser, Namespace

from rnnxai.cli import codes
from rnnxai.cli.output import as_json, paragraph
from rnnxai.cli.places import ARCHIVE, dataset_of, files_in
from rnnxai.errors import Error

_COLOURS = (
    "In ViRelAy choose the colour map Blue White Red: its first one shows much positive and much negative "
    "relevance as the same white."
)


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    programs = parser.add_subparsers(dest="program", metavar="PROGRAM", required=True)
    virelay = programs.add_parser(
        "virelay",
        help="a viewer of data sets of heatmaps",
        description="Write a folder that ViRelAy opens. The archives stay where they are.",
    )
    virelay.add_argument(
        "files", nargs="+", metavar="FILE", help="archives of one data set; of a folder, all in it"
    )
    virelay.add_argument("--output", "-o", required=True, metavar="FOLDER", help="where the files go")
    virelay.add_argument(
        "--dataset", metavar="FILE", help="data set file of the archives (default: the one of their study)"
    )
    virelay.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Write the folder and say how to open it."""
    from rnnxai.archive.check import check_complete
    from rnnxai.archive.read import AttributionArchive
    from rnnxai.export.virelay import export_virelay

    files = files_in(wanted.files, ARCHIVE)
    check_complete(files[0])
    with AttributionArchive(files[0]) as archive:
        name = archive.dataset
        dataset = dataset_of(files[0], name, wanted.dataset)
    if dataset is None:
        raise Error(f"{files[0]}: no datasets/{name}.h5 in any folder above; say with --dataset where it is")
    written = export_virelay(files, dataset, wanted.output)
    projects = [str(path) for path in written.projects]
    if wanted.json:
        print(as_json({"projects": projects, "samples": written.samples, "empty_heatmaps": written.empty}))
        return codes.OK
    print(f"{len(projects)} projects, {written.samples} samples. Open them with\n")
    print("  virelay " + " ".join(projects) + "\n")
    print(paragraph(_COLOURS))
    if written.empty:
        print(paragraph(f"{written.empty} heatmaps are empty, which ViRelAy draws black."))
    return codes.OK
