"""Keep the books of finished runs, and write the page that sets the study beside published numbers."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from rnnxai.errors import Error
from rnnxai.figures.save import save
from rnnxai.files import write_text
from rnnxai.models.counts import parameter_counts
from rnnxai.reproduction.compare import compare
from rnnxai.reproduction.evidence import gather
from rnnxai.reproduction.page import Made, write
from rnnxai.reproduction.picture import draw_cosines, draw_steps
from rnnxai.reproduction.published import read_published
from rnnxai.reproduction.records import LIKENESS, RUNS, add_records, open_book
from rnnxai.scoring.differences import differences, write_differences
from rnnxai.scoring.summary import COUNTED_OTHERWISE
from rnnxai.scoring.table import write_table
from rnnxai.study import Study

COMMAND = "snakemake --profile profiles/slurm"
BOOKS = {"runs": "scores.csv", "likeness": "likeness.csv"}
"""Files of the books in the folder of the reproduction."""
GALLERY = "figures/README.md"
"""Page in the same folder, written by hand, with figures that were kept of a run."""
_FORMS = {"runs": RUNS, "likeness": LIKENESS}
_MAJORITY_STEPS = 12
"""Steps of the thesis' majority sequences; its other networks read single images."""
_COSINES = "Cosines on {}: published, and ours."
_STEPS = "Along which steps the relevance of a digit 1 lies: published, and ours."


def keep(
    kind: Literal["runs", "likeness"], folder: str | Path, path: str | Path, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Put rows into a book.

    Parameters
    ----------
    kind : {"runs", "likeness"}
        Which book.
    folder : path
        Where the books are.
    path : path
        Output: the rows, as a table of their own.
    rows : iterable of Mapping
        From :mod:`rnnxai.reproduction.run` or :mod:`rnnxai.reproduction.likeness`.
    """
    made = list(rows)
    add_records(Path(folder) / BOOKS[kind], _FORMS[kind], made)
    write_table(path, pd.DataFrame(made))


def write_reproduction(study: Study) -> tuple[Path, pd.DataFrame]:
    """Write the page, its tables and its pictures, from the books and the published values alone.

    Parameters
    ----------
    study : Study
        With a section ``reproduction``. Its results need not be there.

    Returns
    -------
    Path
        The page.
    DataFrame
        The published values beside ours.

    Raises
    ------
    Error
        If the study has no such section, or a file cannot be read.
    """
    settings = study.config.reproduction
    if settings is None:
        raise Error(
            "the configuration has no section reproduction, so there is nothing to set the study beside"
        )
    folder, page = Path(settings.folder), Path(settings.page)
    published = read_published(settings.published)
    runs, likeness = (open_book(folder / BOOKS[name], book) for name, book in _FORMS.items())
    evidence = gather(study, runs, likeness)
    compared = compare(published, evidence, _counts(published))
    comparisons = {name: study.comparisons(name) for name in study.datasets}
    names = [name for name in evidence.scores if name not in COUNTED_OTHERWISE]
    apart = differences(evidence.runs, names, comparisons, evidence.folds, evidence.level)
    write_table(folder / "comparison.csv", compared)
    write_differences(apart, folder / "differences.csv")
    shown = list(_pictures(study, compared, folder, page))
    gallery = folder / GALLERY
    kept = Path(os.path.relpath(gallery, page.parent)).as_posix() if gallery.exists() else ""
    write_text(page, write(Made(study, evidence, published, compared, apart), COMMAND, shown, kept))
    return page, compared


def _counts(published: pd.DataFrame) -> dict[tuple[str, int], int]:
    rows = published[published["metric"] == "parameters"]
    return {
        (name, steps): parameter_counts(
            name, image_size=(28, 84 if steps == _MAJORITY_STEPS else 28), steps=steps
        ).thesis
        for name, steps in zip(rows["architecture"], rows["steps"].tolist(), strict=True)
    }


def _pictures(study: Study, compared: pd.DataFrame, folder: Path, page: Path) -> Iterable[tuple[str, str]]:
    drawn = {
        f"cosine-{name}": (draw_cosines(compared, name), _COSINES.format(name)) for name in study.datasets
    }
    drawn["relevance-per-step"] = (draw_steps(compared), _STEPS)
    for name, (picture, caption) in drawn.items():
        if picture is None:
            continue
        png, *_ = save(*picture, folder / name, ("png", "svg"))
        yield Path(os.path.relpath(png, page.parent)).as_posix(), caption
