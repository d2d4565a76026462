"""Put a study on one page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnxai.config import check_config
from rnnxai.report.page import write_page
from rnnxai.study import Study


def make_report(
    config: Mapping[str, Any],
    figures: Sequence[str],
    tables: Sequence[str],
    captions: str | Path,
    path: str | Path,
) -> None:
    """Write the page of a study that is complete.

    Parameters
    ----------
    config : Mapping
        The configuration of the running workflow.
    figures : sequence of str
        The PNG files of its figures.
    tables : sequence of str
        Its tables; of those that are no CSV files, the CSV file beside them is meant.
    captions : str or Path
        Folder of captions.
    path : str or Path
        The HTML file.

    Raises
    ------
    Error
        If something is missing or broken.
    """
    write_page(Study(check_config(config)), path, captions=captions, figures=figures, tables=tables)
