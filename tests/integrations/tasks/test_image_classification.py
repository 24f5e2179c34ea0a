"""ImageClassification: the model's own loss, sizes, hashes, refusals."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from datainf.core.errors import AdapterError, DataError, OptionError
from datainf.core.task import PicturedTask
from datainf.integrations.fingerprint import hash_example, hash_row
from datainf.integrations.tasks.image_classification import ImageClassification
from tests.tiny_models import tiny_image_processor, tiny_tokenizer, tiny_vit

ROWS = [
    {
        "image": np.random.default_rng(i).integers(0, 256, (8, 8, 3)).astype(np.uint8),
        "label": i,
    }
    for i in range(3)
]


def refused(message, kind=DataError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def images(side=8, *, resize=True, **options):
    return ImageClassification(tiny_image_processor(side, resize=resize), **options)


def test_each_loss_is_the_models_own_of_a_batch_of_one():
    task, model = images(), tiny_vit(dtype=torch.float64)
    losses = task.losses(model, task.collate(ROWS))
    assert losses.dtype == torch.float64
    for row, loss in zip(ROWS, losses, strict=True):
        batch = dict(task.collate([row]))
        batch["pixel_values"] = batch["pixel_values"].double()
        torch.testing.assert_close(loss, model(**batch).loss, rtol=1e-12, atol=0)


def test_pixels_are_what_the_processor_makes_of_the_rgb_image():
    grey = {"image": np.full((8, 8), 51, np.uint8), "label": 0}
    batch = images().collate([grey])
    assert batch["pixel_values"].shape == (1, 3, 8, 8)
    torch.testing.assert_close(
        batch["pixel_values"], torch.full((1, 3, 8, 8), (51 / 255 - 0.5) / 0.5)
    )


def test_images_of_other_sizes_are_resized_or_refused():
    rows = [
        {"image": np.zeros((9, 5), np.uint8), "label": 0},
        {"image": np.zeros((8, 8), np.uint8), "label": 0},
    ]
    assert images().collate(rows)["pixel_values"].shape == (2, 3, 8, 8)
    message = (
        "the image processor leaves images at different sizes: [3, 9, 5] and [3, 8, "
        "8]; use one that resizes (do_resize) to a height and width, as in training."
    )
    with refused(message):
        images(resize=False).collate(rows)


def test_the_models_size_is_kept():
    task, model = images(16), tiny_vit()
    with pytest.raises(
        AdapterError,
        match=r"^the model refuses images of \[3, 16, 16\]: .* Use the image processor "
        r"of training\.$",
    ):
        task.losses(model, task.collate(ROWS))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            ["img", "label"],
            "column 'image' is missing: expected one of: img, label; did you mean "
            "'img'?.",
        ),
        (
            ["image", "labels"],
            "column 'label' is missing: expected one of: image, labels; did you mean "
            "'labels'?.",
        ),
    ],
)
def test_missing_columns_are_refused_before_any_row(columns, message):
    with refused(message):
        images().for_columns(columns)
    fitting = images(image_column=columns[0], label_column=columns[1])
    assert fitting.for_columns(columns) == fitting


def test_labels_are_checked_with_the_row_and_the_model():
    row = {"image": "a.png", "label": 5}
    message = (
        "label 5 is outside of the classes 0 to 2 in the row {'image': 'a.png', "
        "'label': 5}; correct the row or take it out."
    )
    with refused(message):
        images(num_labels=3).collate([row])
    message = (
        "label 2 is outside of the model's classes 0 to 1; correct the data, or train "
        "a head with more classes."
    )
    task = images()
    with refused(message):
        task.losses(tiny_vit(2), task.collate(ROWS))


def test_models_that_do_something_else_are_refused():
    task = images()
    batch = task.collate(ROWS)

    class Features(nn.Module):
        def forward(self, pixel_values):
            return SimpleNamespace(logits=pixel_values.flatten(2))

    message = (
        "image-classification needs logits [B, C] of at least 2 classes, the model "
        "gives [3, 3, 64]; is it an image classifier?"
    )
    with refused(message, AdapterError):
        task.losses(Features(), batch)
    model = tiny_vit()
    model.config.problem_type = "regression"
    message = (
        "model.config.problem_type is 'regression', image-classification learns one "
        "class an image; give a loss of your own."
    )
    with refused(message, AdapterError):
        task.losses(model, batch)


def test_a_tokenizer_is_no_image_processor():
    with pytest.raises(
        OptionError,
        match=r"^image-classification needs an image processor of transformers, got a "
        r"\w+; AutoImageProcessor loads one\.$",
    ):
        ImageClassification(tiny_tokenizer())


def test_patches_are_counted():
    assert images().length(ROWS[0]) == 1
    assert images(37).length(ROWS[0]) == 4


def test_descriptions_name_size_and_class():
    named = images(labels=["cat", "dog", "fox"])
    assert named.describe(ROWS[2]).endswith(", 8 × 8 → fox")
    assert images().describe(ROWS[2]).endswith(", 8 × 8 → 2")


def test_the_hash_of_a_row_is_that_of_the_files_content(tmp_path):
    path = tmp_path / "a.png"
    row, seen = {"image": str(path), "label": 0}, []
    for shade in (0, 1, 0):
        Image.new("RGB", (5, 7), (shade, 0, 0)).save(path)
        seen.append(hash_example(row, images()))
    assert seen[0] == seen[2] != seen[1]


def test_the_hash_of_an_image_is_that_of_its_pixels():
    first, same, other = (Image.new("L", (5, 7), shade) for shade in (3, 3, 4))
    hashes = [hash_row({"image": image}) for image in (first, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_settings_show_every_choice():
    assert list(images().settings()) == [
        "name",
        "image_column",
        "label_column",
        "labels",
        "num_labels",
        "processor",
    ]


def test_an_example_is_drawn_small_for_reports():
    task = images()
    assert isinstance(task, PicturedTask)
    assert task.picture(ROWS[0])[8:12] == b"WEBP"
