"""A prompt and its picture; left empty, the adapter draws it once."""

import numpy as np
import pytest
from PIL import Image

from datainf.core.questions import Entry, Said
from datainf.integrations.diffusion.generated import generated
from datainf.workflows import drawn_queries as module
from datainf.workflows.questions.drawing import DrawingQuestion
from tests.tiny_diffusion import DIFFUSERS, tiny_images, tiny_subject

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")


@pytest.fixture(scope="module")
def question():
    return DrawingQuestion(*tiny_subject(prompt="a cat"), tiny_images())


def test_the_fields_are_prompt_seed_and_picture(question):
    prompt, seed, image = question.fields
    assert (prompt.value, prompt.needed, seed.value) == ("a cat", True, 0)
    assert (image.entry, image.needed) == (Entry.PICTURE, False)


def test_a_picture_is_drawn_by_its_seed_and_not_twice(question, tmp_path, monkeypatch):
    posed = question.posed({"prompt": "a", "seed": 5}, tmp_path)
    (wanted,) = generated(question.model, ["a"], seed=5, side=16)
    assert np.array_equal(np.array(posed.example["image"]), np.array(wanted))
    assert posed.said == Said("The adapter drew", "seed 5")
    # It has no name: the place where it is kept is gone when the run is closed.
    assert str(tmp_path) not in question.task.describe(posed.example)
    monkeypatch.setattr(module, "generated", None)
    again = question.posed({"prompt": "a", "seed": 5}, tmp_path)
    assert np.array_equal(again.example["image"], posed.example["image"])


def test_a_picture_that_is_given_is_taken_as_it_is(question, tmp_path):
    own = Image.new("RGB", (16, 16), (9, 80, 200))
    posed = question.posed({"prompt": "a", "seed": 0, "image": own}, tmp_path)
    assert (posed.example, posed.said) == ({"text": "a", "image": own}, None)
