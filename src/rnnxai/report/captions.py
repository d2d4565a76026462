"""Captions: the reStructuredText that Snakemake's report shows too, as HTML."""

from pathlib import Path

from rnnxai.errors import Error

_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "halt_level": 2,  # what is not understood is an error, not a red box on the page
    "report_level": 5,
    "initial_header_level": 4,
    "math_output": "MathML",
    "syntax_highlight": "none",
}


class Captions:
    """The captions of a folder, by name.

    Parameters
    ----------
    folder : Path or None
        Where ``{name}.rst`` are. Without a folder nothing has a caption.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def __call__(self, name: str, otherwise: str = "") -> str:
        """Return a caption as HTML.

        Parameters
        ----------
        name : str
            What it is about: a figure, a table, ``workflow``.
        otherwise : str
            Plain text for one that is not there.

        Raises
        ------
        Error
            If the file is no reStructuredText.
        """
        path = None if self._folder is None else self._folder / f"{name}.rst"
        if path is None or not path.is_file():
            return as_html(_escaped(otherwise), name)
        return as_html(path.read_text(encoding="utf-8"), str(path))

    def opening(self, name: str, otherwise: str = "") -> str:
        """Return the first paragraph of a caption as HTML."""
        return self(name, otherwise).partition("</p>")[0] + "</p>"


def as_html(text: str, source: str) -> str:
    """Turn reStructuredText into the HTML of its paragraphs.

    Raises
    ------
    Error
        If it is not understood.
    """
    from docutils.core import publish_parts
    from docutils.utils import SystemMessage

    try:
        parts = publish_parts(text, source, writer="html5", settings_overrides=_SETTINGS)
    except SystemMessage as error:
        raise Error(f"{source} is no reStructuredText: {error}") from error
    return str(parts["body"]).strip()


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\`*_|" else letter for letter in text)
