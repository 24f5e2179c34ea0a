"""Make the pictures of README and docs: the demo's report in Debian's chromium.

python -m scripts.screenshots [--run FOLDER]

docs/images/report.png            the first query, with what taught it
docs/images/report-overview.png   the top of the page, in dark
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from datainf.experiments.demo import run_demo
from datainf.workflows.progress import Logged

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
WIDTH, HEIGHT = 1100, 1000
COLORS = 128
"""Enough for a page of text and a few colours, at a third of the bytes."""


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
            page.screenshot(path=IMAGES / name)
            small = Image.open(IMAGES / name).convert("RGB").quantize(COLORS)
            small.save(IMAGES / name, optimize=True)
            print(IMAGES / name)
        browser.close()


if __name__ == "__main__":
    main()
