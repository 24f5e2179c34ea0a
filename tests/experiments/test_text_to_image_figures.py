"""The figures of `text-to-image`: dots, timesteps, and sheets of pictures."""

from xml.etree import ElementTree

import pytest

from tests.tiny_diffusion import DIFFUSERS

if not DIFFUSERS:
    pytest.skip("diffusers cannot be imported", allow_module_level=True)

from datainf.experiments import text_to_image_figures as drawn
from datainf.experiments.drawn import ENDS, EXPLAINED, PROMPTS
from datainf.experiments.text_to_image import BASELINES


@pytest.fixture(scope="module")
def figures(found_pictures):
    measured, _ = found_pictures
    return drawn.figures(measured)


def test_every_figure_is_named_as_the_page_names_it(figures):
    assert set(figures) == {
        "text-to-image",
        "text-to-image-timesteps",
        "text-to-image-styles-r2-drawn",
        "text-to-image-styles-r2-explained",
        "text-to-image-subjects-r2-drawn",
    }
    for svg in figures.values():
        ElementTree.fromstring(svg)


def test_methods_have_a_dot_a_gradient_and_baselines_one(figures):
    svg = figures["text-to-image"]
    methods = ("dot", "datainf")
    assert svg.count("<circle") == 2 * (len(methods) + len(BASELINES))
    assert svg.count('class="mark"') == 2 * len(methods)
    assert ">gradient of the loss<" in svg
    assert ">of D-TRAK&#39;s square<" in svg
    assert "relatif" not in svg


def test_sheets_have_their_pictures(figures):
    before_and_after = figures["text-to-image-styles-r2-drawn"]
    assert before_and_after.count("<image") == 2 * PROMPTS
    explained = figures["text-to-image-styles-r2-explained"]
    assert explained.count("<image") == EXPLAINED * (1 + 2 * ENDS)
    assert explained.count('class="frame"') == EXPLAINED
    assert explained.count('class="note"') == EXPLAINED * 2 * ENDS
    assert "−" in explained
