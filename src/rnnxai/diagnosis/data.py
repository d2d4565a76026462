"""The images that a study is made of: whether they are there, and the published ones."""

from collections.abc import Iterator
from pathlib import Path

from rnnxai.config import Config
from rnnxai.data.source import load_source, needs_folder
from rnnxai.diagnosis.finding import Finding
from rnnxai.errors import Error


def sources(config: Config) -> Iterator[Finding]:
    """Load every source that the study uses; loading compares checksums."""
    used = {name for experiment in config.experiments.values() for name in experiment.datasets}
    for source in sorted({config.datasets[name].source for name in used}):
        subject = f"data {source}"
        try:
            images = load_source(source, config.data.root, download=False)
        except Error as error:
            if needs_folder(source) and config.data.download and _missing(config.data.root, error):
                what = f"not in {config.data.root}; the study will download it, where it is started"
                yield Finding(subject, "note", what)
            else:
                yield Finding(subject, "wrong", *_split(str(error)))
            continue
        where = f" in {config.data.root}, checksums right" if needs_folder(source) else ""
        yield Finding(subject, "ok", f"{len(images.images):,} images{where}")


def _missing(root: str, error: Error) -> bool:
    """Return whether files are missing, and none is there but wrong."""
    return str(error).startswith(str(Path(root))) and " should hold " in str(error)


def _split(message: str) -> tuple[str, str]:
    """Part a message into what was found and what to do."""
    found, _, advice = message.rpartition("; ")
    return (found, advice) if found else (message, "see docs/how-to")
