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
