"""Debian's chromium over a page: what goes wrong in it is a failure of the test."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium here (Debian: apt-get install chromium)"
)
SERIOUS = ("serious", "critical")


_STARTED: list[Browser] = []


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser, or give the one that runs: a thread may have one alone."""
    if _STARTED:
        yield _STARTED[0]
        return
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM)
        _STARTED.append(browser)
        try:
            yield browser
        finally:
            _STARTED.clear()
            browser.close()


@dataclass
class Opened:
    """A page, and what has gone wrong in it since it was last asked."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def require_sound(self) -> None:
        faults, self.faults[:] = "; ".join(self.faults), []
        if faults:
            raise AssertionError(f"the page is at fault: {faults}")


@contextmanager
def opened(browser: Browser, file: Path, **context: Any) -> Iterator[Opened]:
    """Open a file; no request may leave it, and no script may complain."""
    with visited(browser, file.as_uri(), "file:", **context) as found:
        if context.get("java_script_enabled", True):
            found.page.wait_for_selector("html[data-ready]")
        yield found


@contextmanager
def visited(
    browser: Browser, address: str, within: str = "", **context: Any
) -> Iterator[Opened]:
    """Go to a page; requests beyond it, and complaints of its scripts, are faults."""
    inside = browser.new_context(**context)
    inside.set_default_timeout(30_000)
    found = Opened(inside.new_page())
    page, faults = found.page, found.faults

    def watch(route: Any) -> None:
        if route.request.url.startswith((within or address, "data:", "blob:")):
            route.continue_()
        else:
            faults.append(f"request of {route.request.url}")
            route.abort()

    inside.route("**/*", watch)

    def heard(said: Any) -> None:
        if said.type in ("error", "warning"):
            faults.append(said.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda asked: faults.append(f"dialog {asked.message}"))
    page.goto(address)
    yield found
    inside.close()
    found.require_sound()


def nodes(page: Page) -> int:
    return int(page.evaluate("document.querySelectorAll('*').length"))


def serious(page: Page, *rules: str) -> list[str]:
    """Name what axe finds that is serious, by all rules or some, with an element."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = list(rules)
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:120]}"
        for each in found
        if each["impact"] in SERIOUS
    ]
