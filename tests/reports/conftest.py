"""One browser and one file of each page for all tests that drive them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.reports.browser import Opened, chromium, opened
from tests.reports.pages import large_page, pictured_page, rich_page

AS_OPENED = """
document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
const queries = document.querySelectorAll("details.query");
queries.forEach((query) => { query.open = false; });
setTimeout(() => { queries[0].open = true; scrollTo(0, 0); });
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def rich_file(tmp_path_factory) -> Path:
    return rich_page(tmp_path_factory.mktemp("rich"))


@pytest.fixture(scope="session")
def pictured_file(tmp_path_factory) -> Path:
    return pictured_page(tmp_path_factory.mktemp("pictured"))


@pytest.fixture(scope="session")
def large_file(tmp_path_factory) -> Path:
    return large_page(tmp_path_factory.mktemp("large"))


@pytest.fixture(scope="module")
def rich_opened(browser: Browser, rich_file: Path) -> Iterator[Opened]:
    with opened(browser, rich_file) as found:
        yield found


@pytest.fixture
def rich(rich_opened: Opened) -> Iterator[Page]:
    """The one page of its tests, as if it had just been opened: charts cost seconds."""
    page = rich_opened.page
    page.emulate_media(color_scheme="light")
    page.evaluate(AS_OPENED)
    yield page
    rich_opened.require_sound()


@pytest.fixture
def pictured(browser: Browser, pictured_file: Path) -> Iterator[Page]:
    with opened(browser, pictured_file, viewport={"width": 390, "height": 800}) as one:
        yield one.page


@pytest.fixture
def large(browser: Browser, large_file: Path) -> Iterator[Page]:
    with opened(browser, large_file) as found:
        yield found.page
