"""The page of `text-to-image`: its numbers, pictures and sentences are the records'."""

import re

import pytest

from tests.tiny_diffusion import DIFFUSERS

if not DIFFUSERS:
    pytest.skip("diffusers cannot be imported", allow_module_level=True)


from datainf.experiments import text_to_image_page as pages
from datainf.experiments import text_to_image_timesteps as timesteps
from datainf.experiments.cells import Measured
from datainf.experiments.comparing import cells
from datainf.experiments.data.picture_tasks import _thing_of
from datainf.experiments.records import Records
from datainf.experiments.tables import mean_text
from datainf.experiments.variants import Variant
from tests.experiments.places import tiny_picture_study

GROUP = ("styles", 2)
SIDES = ("loss", "square")


@pytest.fixture(scope="module")
def text(found_pictures):
    measured, _ = found_pictures
    return pages.page(measured, "datainf reproduce text-to-image --data-dir DATA")


def test_a_line_of_the_table_is_the_mean_over_the_seeds(found_pictures, text):
    measured, _ = found_pictures
    results = cells(measured, GROUP, Variant("dot").key)
    line = next(x for x in text.splitlines() if x.startswith("| `dot` |"))
    shown = [
        mean_text([one[s][m] for one in results])
        for s in SIDES
        for m in ("auc", "recall")
    ]
    assert line.startswith("| `dot` | " + " | ".join(shown) + " |")
    table = pages.summary(measured)
    row = table[(table["gradient"] == "square") & (table["method"] == "pixels")]
    expected = cells(measured, GROUP, Variant("pixels").key)[0]["loss"]["auc"]
    assert row[row["task"] == "styles"]["AUC"].item() == pytest.approx(expected)


def test_the_first_table_has_ours_beside_the_papers(text):
    lines = text.splitlines()
    styles = [x for x in lines if x.startswith("| styles, r = 2 | loss")]
    subjects = [x for x in lines if x.startswith("| subjects, r = 2 | loss")]
    assert styles[0].endswith("| .692 / .533 | .820 / .687 | 1 |")
    assert subjects[0].endswith("| .820 / .210 | .865 / .315 | 4 |")


def test_it_says_how_the_subjects_captions_are_made(text):
    assert "`backpack_dog` is called dog, `pink_sunglasses` toy" in text
    things = map(_thing_of, ("backpack_dog", "pink_sunglasses"))
    assert list(things) == ["dog", "toy"]


def test_pictures_stand_where_there_are_any(text):
    assert "](text-to-image-styles-r2-drawn.svg)" in text
    assert "](text-to-image-styles-r2-explained.svg)" in text
    assert "](text-to-image-subjects-r2-drawn.svg)" in text
    assert "text-to-image-subjects-r2-explained" not in text


def test_the_page_ends_with_its_command_and_names_no_place(found_pictures, text):
    _, folder = found_pictures
    assert "```\ndatainf reproduce text-to-image --data-dir DATA\n```" in text
    assert str(folder) not in text
    assert "- `trak`: it differentiates margins of labels" in text
    assert re.search(r"All cells took [\d,]+ s together", text)
    assert re.search(r"Training took [\d.]+ s \(median\)", text)


def test_what_is_not_measured_is_said_to_be_missing(tmp_path):
    study = tiny_picture_study(tmp_path)
    empty = Measured(study, Records(tmp_path / "r.jsonl", {}), [], {})
    text = pages.page(empty, "command")
    assert text.count("Nothing is measured yet.") == 3
    assert timesteps.passes(empty, GROUP) == {}
