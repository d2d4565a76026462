"""A headless Chromium and the page of a small study in it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_study import make_study

from rnnxai.report.page import write_page

CAPTIONS = Path(__file__).parents[2] / "workflow" / "report"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def no_browser(reason):
    """Skip, or fail where somebody insists on a browser, as .ci/run does."""
    if os.environ.get("RNNXAI_NEEDS_BROWSER"):
        pytest.fail(f"RNNXAI_NEEDS_BROWSER is set, and {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser():
    """Return a Chromium without a network."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        no_browser("playwright is not installed (the extra `test` has it)")
    path = os.environ.get("RNNXAI_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        no_browser(f"there is no Chromium ({', '.join(NAMES)}); name one in RNNXAI_BROWSER")
    with sync_playwright() as playwright:
        # As root, which containers often are, Chromium has no sandbox.
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        chromium = playwright.chromium.launch(executable_path=path, args=sandbox)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("browser") / "results")


@pytest.fixture(scope="session")
def report(study) -> Path:
    """Return the report of a study that is finished."""
    path = Path(study.config.results) / "report.html"
    write_page(study, path, captions=CAPTIONS)
    return path


@pytest.fixture
def load(browser) -> Iterator:
    """Open a page without a network; whatever it complains of, and whatever it asks for, fails the test."""
    contexts, complaints = [], []

    def load(path: Path, width: int = 1280, anchor: str = "", **settings):
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url[:200]))
        page.goto(f"{path.as_uri()}{anchor}")
        return page

    yield load
    for context in contexts:
        context.close()
    assert complaints == []
