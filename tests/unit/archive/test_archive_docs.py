from pathlib import Path

import pytest

from rnnxai.archive.damage import KINDS
from rnnxai.archive.format import EXPLANATION, FIELDS, MAPS, PROVENANCE
from rnnxai.seal import COMPLETE, CONTENT, DIGEST, VALUES

PAGE = (Path(__file__).parents[3] / "docs/archive-format.md").read_text()
TYPES = {"f4": "float32", "f8": "float64", "u1": "uint8", "u2": "uint16", "u4": "uint32"}


@pytest.mark.parametrize("field", [MAPS, *FIELDS], ids=lambda field: field.name)
def test_the_page_has_a_row_for_every_array(field):
    assert f"| `{field.name}` | {', '.join(field.dims)} | {TYPES[field.dtype]} |" in PAGE


@pytest.mark.parametrize("name", [*PROVENANCE, *EXPLANATION, CONTENT, DIGEST, COMPLETE, VALUES])
def test_the_page_names_every_attribute(name):
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_has_every_kind_of_damage(kind):
    assert f"| `{kind}` | {KINDS[kind]} |" in PAGE
