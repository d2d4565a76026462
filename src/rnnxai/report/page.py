"""The page: what a study has left, section by section, in the templates."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rnnxai.errors import Error
from rnnxai.figures.style import explainer_title, number
from rnnxai.files import write_text
from rnnxai.report.archives import Archives, read_archives
from rnnxai.report.captions import Captions
from rnnxai.report.figures import read_figures
from rnnxai.report.gallery import MARKED, UNMARKED, Kept
from rnnxai.report.matrix import Matrix, State, read_matrix
from rnnxai.report.methods import read_methods
from rnnxai.report.pictures import colour_bar_png, data_address
from rnnxai.report.places import Places
from rnnxai.report.provenance import read_provenance
from rnnxai.report.scores import Scores, read_scores
from rnnxai.report.tables import carried, download, read_tables
from rnnxai.study import Study

HERE = Path(__file__).parent
"""Where `templates` and `static` are."""
_MARGIN = 1_000  # bytes by which the numbers in the text may grow


def write_page(
    study: Study,
    path: str | Path,
    *,
    captions: str | Path | None = None,
    figures: Iterable[str | Path] | None = None,
    tables: Iterable[str | Path] | None = None,
    partial: bool = False,
) -> Matrix:
    """Write the report of a study: one HTML page that needs no other file and no network.

    Its size is bounded: figures and tables come first, and samples fill what is left of
    ``report.megabytes``, at most ``report.samples`` of each kind.

    Parameters
    ----------
    study : Study
    path : str or Path
        The HTML file.
    captions : str or Path, optional
        Folder of captions, ``{name}.rst``; without it figures are described by the catalogue.
    figures, tables : iterable of path, optional
        PNG files of figures, and CSV files besides the scores; by default all below the results folder.
    partial : bool
        Whether a study may be reported of which cells are missing.

    Returns
    -------
    Matrix
        What the page says became of each cell.

    Raises
    ------
    Error
        If something is missing or broken and `partial` is false; if a caption or a figure cannot be read.
    """
    places = Places(Path(study.config.results))
    settings = study.config.report
    matrix = read_matrix(study, places)
    archives = read_archives(matrix, places, settings.samples)
    matrix = matrix.with_broken(archives.broken)
    if not (matrix.complete or partial):
        key, found = next(iter(matrix.unfinished.items()))
        raise Error(
            f"{places.results}: {key} is {found.state.value} ({found.reason}); "
            f"`rnnxai report {places.results}` writes a page of what is there"
        )
    caption = Captions(None if captions is None else Path(captions))
    provenance = read_provenance(study.config, archives.headers.items())
    files = provenance.files.to_csv(index=False, lineterminator="\n").encode()
    shown: dict[str, Any] = {
        "study": study,
        "settings": settings,
        "introduction": caption.opening("workflow", "How well the decisions of networks can be explained."),
        "matrix": matrix,
        "scores": _scores(study, places, partial),
        "score_files": [
            download(each, places.results) for each in (places.scores, places.summary) if each.exists()
        ],
        "tables": read_tables(
            _other(places.tables if tables is None else map(Path, tables), places), places.results, caption
        ),
        "figures": read_figures(
            places.figures if figures is None else map(Path, figures), places.results, caption
        ),
        "methods": read_methods(study),
        "provenance": provenance,
        "files": carried("files.csv", files),
        "captions": {name: caption(name) for name in ("scores", "summary")},
        "names": {
            member.name: explainer_title(member.name) for group in study.groups.values() for member in group
        },
        "alike": len({tuple(network.cells) for network in matrix}) < 2,
        "colours": data_address("image/png", colour_bar_png()),
    }
    bare = _filled(shown, archives, Kept({key: [] for key in archives.shown}, {}))
    kept = archives.within(round(settings.megabytes * 1e6) - len(bare.encode()) - _MARGIN)
    write_text(path, _filled(shown, archives, kept))
    return matrix


def page_files() -> list[Path]:
    """Return the templates, the style sheet and the script: what the page depends on beside code."""
    return sorted(path for folder in ("templates", "static") for path in (HERE / folder).iterdir())


def _scores(study: Study, places: Places, partial: bool) -> Scores | None:
    """Read the scores; a partial study has none before all its archives are scored."""
    if partial and not (places.scores.exists() and places.summary.exists()):
        return None
    blocks = {name: study.config.datasets[name].blocks for name in study.datasets}
    marked = {name: count for name, count in blocks.items() if study.config.datasets[name].marked}
    return read_scores(places.scores, places.summary, marked)


def _other(tables: Iterable[Path], places: Places) -> list[Path]:
    """Return the tables besides the scores, which have a section; one for reading stands for its numbers."""
    found = list(tables)
    for_reading = {path.stem for path in found if path.with_suffix(".md").is_file()}
    own = (places.scores, places.summary)
    return [
        path
        for path in found
        if path not in own and (path.with_suffix(".md").is_file() or path.stem not in for_reading)
    ]


def _filled(shown: Mapping[str, Any], archives: Archives, kept: Kept) -> str:
    environment = Environment(
        loader=FileSystemLoader([HERE / "templates", HERE / "static"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "title": explainer_title}
    kinds = {"marked": MARKED, "unmarked": UNMARKED}
    samples = archives.as_json(kept, names=shown["names"], kinds=kinds)
    asked_for = sum(map(len, archives.shown.values()))
    return environment.get_template("page.html").render(
        shown,
        State=State,
        kept=kept,
        asked_for=asked_for,
        samples=Markup(samples),  # noqa: S704 (no "<" in it)
    )
