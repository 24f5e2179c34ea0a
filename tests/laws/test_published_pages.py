"""Pages in the documentation say what the records beside them say."""

from pathlib import Path

import numpy as np
import pytest

from tests.tiny_diffusion import DIFFUSERS

if not DIFFUSERS:
    pytest.skip("diffusers cannot be imported", allow_module_level=True)

from datainf.experiments import text_to_image
from datainf.experiments.cells import Measured
from datainf.experiments.presets import IMAGE_PRESETS
from datainf.experiments.records import Records
from datainf.experiments.tables import share
from datainf.experiments.text_generation import variants
from datainf.experiments.text_to_image import tasks_of
from datainf.experiments.text_to_image_page import page
from datainf.experiments.text_to_image_timesteps import chance, passes
from datainf.experiments.variants import refusals

DOCS = Path(__file__).parents[2] / "docs"
RESULTS = DOCS / "results"
STYLES = ("styles", 4)


@pytest.fixture(scope="module")
def measured() -> Measured:
    study, compared = IMAGE_PRESETS["small"], variants()
    refused = {**refusals(compared), **text_to_image._without_margins(compared)}
    records = Records(RESULTS / "text-to-image.jsonl", {})
    return Measured(study, records, tasks_of(study), refused)


def test_the_page_of_pictures_is_that_of_its_records(measured: Measured) -> None:
    told = (RESULTS / "text-to-image.md").read_text(encoding="utf-8")
    command = told.split("```\n")[1].rstrip("\n")
    found = page(measured, command)
    # Line by line, so that a fault is short to read.
    assert found.splitlines() == told.splitlines()


def test_the_guide_to_pictures_has_the_numbers_of_the_records(
    measured: Measured,
) -> None:
    text = (DOCS / "jobs" / "pictures.md").read_text(encoding="utf-8")
    found = passes(measured, STYLES)
    for start, key in (
        ("| Spearman of", "spearman"),
        ("| of a query's ten", "overlap"),
    ):
        (line,) = (x for x in text.splitlines() if x.startswith(start))
        shown = [float(cell) for cell in line.split("|")[2:-1]]
        wanted = [float(np.mean(one[key])) for one in found.values()]
        # To the two digits shown, whichever way a half is rounded.
        np.testing.assert_allclose(shown, wanted, atol=0.00501)
    by_chance = chance(measured, STYLES)
    assert f"chance keeps {share(by_chance)}" in text
