"""Images of every form are the same image; what is none is refused."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from datainf.core.errors import DataError
from datainf.integrations.tasks.images import (
    content_of,
    describe_image,
    open_image,
    processor_fingerprint,
    thumbnail,
)
from tests.tiny_models import tiny_image_processor

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
EXPECTED = (
    "expected a PIL image, a path, the bytes of an image file, or an array of whole "
    "numbers 0 to 255, [H, W] or [H, W, C]"
)


def refused(message):
    return pytest.raises(DataError, match=f"^{re.escape(message)}$")


def png(image=None):
    buffer = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ä b.png"
    path.write_bytes(png())
    return path


def test_every_form_of_an_image_is_the_same_image(file):
    forms = [
        Image.fromarray(PIXELS),
        str(file),
        file,
        png(),
        {"bytes": png(), "path": "gone.png"},
        {"bytes": None, "path": str(file)},
        PIXELS,
        PIXELS.tolist(),
        torch.from_numpy(PIXELS.copy()),
    ]
    for form in forms:
        found = open_image(form, "image")
        assert found.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(found), PIXELS)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_other_modes_become_rgb(mode):
    made = Image.fromarray(PIXELS).convert(mode)
    assert open_image(made, "image").mode == "RGB"


def test_grey_arrays_have_two_axes_or_one_channel():
    grey = PIXELS[:, :, 0]
    wanted = np.repeat(grey[:, :, None], 3, axis=2)
    for form in (grey, grey[:, :, None], grey.astype(np.int64)):
        np.testing.assert_array_equal(np.asarray(open_image(form, "image")), wanted)


def test_a_photograph_is_turned_upright():
    image = Image.fromarray(PIXELS)
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned to the right
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif)
    assert open_image(buffer.getvalue(), "image").size == (5, 7)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (PIXELS / 255, "float64 [5, 7, 3]"),
        (PIXELS.astype(np.int64) + 1, "int64 [5, 7, 3]"),
        (-PIXELS.astype(np.int64), "int64 [5, 7, 3]"),
        (PIXELS.transpose(2, 0, 1), "uint8 [3, 5, 7]"),
        (PIXELS[0, 0], "uint8 [3]"),
        (np.zeros((0, 7), np.uint8), "uint8 [0, 7]"),
    ],
    ids=["floats", "too large", "negative", "channels first", "a line", "empty"],
)
def test_arrays_that_are_no_8_bit_images_are_refused(array, said):
    with refused(f"column 'image' holds an array of {said}; {EXPECTED}."):
        open_image(array, "image")


def test_what_is_no_image_at_all_is_refused():
    with refused(f"column 'image' must hold an image, got int; {EXPECTED}."):
        open_image(7, "image")
    nothing = {"bytes": None, "path": None}
    with refused(f"column 'image' must hold an image, got NoneType; {EXPECTED}."):
        open_image(nothing, "image")


def test_values_beyond_8_bits_are_refused():
    deep = Image.fromarray(np.full((3, 5), 7000, np.uint16))
    message = (
        "column 'image' holds an image of mode I;16, whose values do not fit 8 bits: "
        "deep.png; save it as 8-bit grey or RGB."
    )
    with refused(message):
        open_image({"bytes": png(deep), "path": "deep.png"}, "image")
    with refused(message.replace("deep.png", "5 × 3")):
        open_image(deep, "image")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"not an image", "it is no image file that Pillow knows"),
        (png()[:-60], r".+"),
        (b"", "it is no image file that Pillow knows"),
    ],
    ids=["text", "truncated", "empty"],
)
def test_unreadable_files_are_refused_by_name(tmp_path, data, said):
    path = tmp_path / "broken.png"
    path.write_bytes(data)
    pattern = (
        rf"column 'image' holds an image that cannot be read \({said}\): "
        rf"{re.escape(str(path))}; save it again or take the row out\."
    )
    with pytest.raises(DataError, match=f"^{pattern}$"):
        open_image(str(path), "image")


def test_files_that_are_not_there_are_refused(tmp_path):
    path = tmp_path / "gone.png"
    message = (
        f"column 'image' names the image {path}, which cannot be read: No such file or "
        "directory; relative paths start from the working directory."
    )
    with refused(message):
        open_image(str(path), "image")
    message = (
        "column 'image' names the image a\0b, which cannot be read: embedded null "
        "byte; relative paths start from the working directory."
    )
    with refused(message):
        open_image("a\0b", "image")


def test_a_row_stands_for_the_files_bytes(file):
    assert content_of(str(file), "image") == png()
    assert content_of({"bytes": None, "path": str(file)}, "image") == png()
    assert content_of(PIXELS, "image") is PIXELS


def test_images_are_described_by_path_or_pixels(file):
    assert describe_image(str(file), "image") == f"{file}, 7 × 5"
    assert describe_image({"bytes": png(), "path": "a.png"}, "image") == "a.png, 7 × 5"
    found = describe_image(PIXELS, "image")
    assert re.fullmatch(r"image [0-9a-f]{8}, 7 × 5", found)
    assert found == describe_image(png(), "image")


def test_processors_are_told_apart_by_their_choices():
    first, same = tiny_image_processor(), tiny_image_processor()
    assert processor_fingerprint(first) == processor_fingerprint(same)
    assert processor_fingerprint(first) != processor_fingerprint(
        tiny_image_processor(16)
    )
    assert processor_fingerprint(first)["size"] == {"height": 8, "width": 8}


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((640, 480), (160, 120)), ((8, 5), (160, 100)), ((900, 1), (160, 1))],
)
def test_a_thumbnail_is_a_small_webp_file_of_one_width(size, drawn):
    found = thumbnail(Image.new("RGB", size, "red"))
    assert found[8:12] == b"WEBP"
    assert len(found) < 2000
    assert Image.open(io.BytesIO(found)).size == drawn
