"""File names in words."""

import re

_OF = re.compile(r"(?P<dataset>.+?)(-t(?P<steps>\d+))?(-fold-(?P<fold>.+))?")


def title_of(name: str) -> str:
    """Return a name in words, as a heading: ``where-did-the-score-go``."""
    words = name.replace("-", " ").replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}"


def what_of(stem: str) -> str:
    """Return in words what a file is of: ``mnist-maj-t12-fold-0``."""
    found = _OF.fullmatch(stem)
    if found is None:
        return stem
    parts = [found["dataset"]]
    parts += [f"T = {found['steps']}"] if found["steps"] else []
    if found["fold"]:
        parts.append("fixed split" if found["fold"] == "quality" else f"fold {found['fold']}")
    return ", ".join(parts)
