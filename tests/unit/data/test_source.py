import sys
from types import ModuleType

import pytest

from rnnxai.data.source import load_source, needs_folder
from rnnxai.data.sources import SOURCES
from rnnxai.errors import Error


def test_only_images_of_an_installed_package_need_no_folder() -> None:
    assert [name for name in SOURCES if not needs_folder(name)] == ["digits"]
    assert len(load_source("digits", "ignored", download=True).images)
    with pytest.raises(Error, match="unknown source 'minst'"):
        needs_folder("minst")


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_that_needs_a_folder_says_so(name: str) -> None:
    if needs_folder(name):
        with pytest.raises(Error, match="needs a data folder"):
            load_source(name)
    else:
        load_source(name)


@pytest.fixture
def guest(tmp_path, monkeypatch):
    """Return a function that writes the module `guest_data`, which lies outside the package."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "guest_data", ModuleType("guest_data"))  # so that it is put back
    del sys.modules["guest_data"]

    def write(text: str) -> None:
        (tmp_path / "guest_data.py").write_text(text)

    return write


def test_a_loader_from_outside_is_taken(guest) -> None:
    guest(
        "from rnnxai.data.digits import digits as small\ndef large(root, download, mirrors): return small()"
    )
    assert not needs_folder("guest_data:small")
    assert needs_folder("guest_data:large")
    assert load_source("guest_data:small").classes == load_source("guest_data:large").classes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def load(): return 3", "source 'guest_data:load' returned a int; it must return a Source"),
        ("def load(root): ...", "takes root; nothing, or root, download, mirrors would be right"),
        ("load = print", "takes what its source does not show; nothing, or root, download, mirrors"),
    ],
)
def test_a_loader_from_outside_that_does_not_load_is_refused(guest, text: str, message: str) -> None:
    guest(text)
    with pytest.raises(Error, match=message):
        load_source("guest_data:load")
