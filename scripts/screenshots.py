"""Make the pictures of README and docs: the demo in Debian's chromium.

python -m scripts.screenshots [--run FOLDER]

docs/images/report.png            the first query, with what taught it
docs/images/report-overview.png   the top of the page, in dark
docs/images/ui.png                the web app, asked about a new prompt
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from datainf.experiments.demo import run_demo
from datainf.reports.web_app import served
from datainf.workflows.asking import asking
from datainf.workflows.progress import Logged

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
WIDTH, HEIGHT = 1100, 1000
COLORS = 128
"""Enough for a page of text and a few colours, at a third of the bytes."""
PROMPT = "ka mo ru ti: shop clay glad\n"
"""Of the demo's first kind: the words come back in reverse."""


def main(arguments: list[str] | None = None) -> None:
    """Run the demo where no run of it is given, and photograph its report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a folder that `datainf demo` wrote")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        run = given.run
        if run is None:
            run = run_demo(Path(folder) / "demo", progress=Logged()).report.parent
        photograph(run / "report.html")
        photograph_app(run)


def photograph(report: Path) -> None:
    """Take the pictures of one report."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"))
        for scheme, name, part in (
            ("light", "report.png", "queries"),
            ("dark", "report-overview.png", "overview"),
        ):
            page = browser.new_context(
                viewport={"width": WIDTH, "height": HEIGHT},
                color_scheme=scheme,  # type: ignore[arg-type]
            ).new_page()
            page.goto(report.absolute().as_uri())
            page.wait_for_selector("html[data-ready]")
            page.evaluate(
                "part => document.getElementById(part).scrollIntoView()", part
            )
            _save(page, name)
        browser.close()


def photograph_app(run: Path) -> None:
    """Take the picture of the web app over a run of the demo."""
    with (
        asking(run) as asker,
        served(asker) as address,
        sync_playwright() as started,
    ):
        browser = started.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(address)
        page.get_by_label("Prompt").fill(PROMPT)
        page.get_by_role("button", name="Find its sources").click()
        page.locator("#answer .sides").wait_for()
        page.mouse.move(0, 0)
        page.wait_for_function("!document.getAnimations().length")
        _save(page, "ui.png")
        browser.close()


def _save(page: Page, name: str) -> None:
    """Photograph what is in view."""
    page.screenshot(path=IMAGES / name)
    small = Image.open(IMAGES / name).convert("RGB").quantize(COLORS)
    small.save(IMAGES / name, optimize=True)
    print(IMAGES / name)


if __name__ == "__main__":
    main()
