"""Generated pictures: coloured shapes on a ground, drawn in one of several styles.

A row is an image of 32 × 32 pixels, a caption such as "cartoon style: a red circle on
blue", and its class, the style. What a base practises (`PRACTISED`) and what adapters
are tuned to (`TUNED`: the three of the paper) are different styles with names of their
own; all share colours, shapes, places and sizes, so that only the style tells classes
apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

SIDE = 32
"""Pixels of a picture, each way."""
_FINE = 4
"""Drawn so many times larger, and brought down: smooth edges."""
_BLOCKS = 8
"""Blocks each way of pixel art."""

COLORS: Mapping[str, tuple[int, int, int]] = {
    "red": (214, 48, 49),
    "orange": (243, 156, 18),
    "yellow": (241, 211, 56),
    "green": (39, 174, 96),
    "blue": (52, 110, 219),
    "purple": (142, 68, 173),
    "white": (245, 245, 245),
    "black": (40, 40, 40),
}
SHAPES = ("circle", "square", "triangle", "cross", "ring")
PRACTISED = ("plain", "soft", "striped", "dotted", "marbled")
TUNED = ("cartoon", "pixel art", "line sketch")
STYLES = (*PRACTISED, *TUNED)
NAMES = tuple(f"s{number}" for number in range(32))
"""Names for things that no caption of a base has: its text encoder does not know them,
as DreamBooth's rare words."""
THINGS = (
    "animal",
    "backpack",
    "boot",
    "bowl",
    "can",
    "candle",
    "cartoon",
    "cat",
    "clock",
    "dog",
    "glasses",
    "sneaker",
    "stuffed",
    "teapot",
    "toy",
    "vase",
)
"""Words for what is on the photos of DreamBooth."""
WORDS = tuple(
    dict.fromkeys(
        word
        for text in (
            *(*STYLES, *COLORS, *SHAPES, "style : a on"),
            *("photo of", *NAMES, *THINGS),
        )
        for word in text.split()
    )
)
"""Every word of a caption, of these pictures or of photos."""

Point = tuple[float, float]
Color = tuple[int, int, int]


@dataclass(frozen=True)
class _Scene:
    """What a style draws.

    Attributes:
        image: The ground, of one colour; drawn upon.
        mask: White where the shape is.
        color: The shape's.
        draw: For what else is by chance.
    """

    image: Image.Image
    mask: Image.Image
    color: Color
    draw: Random


def drawn_rows(styles: Sequence[str], count: int, seed: int) -> list[dict[str, Any]]:
    """Draw pictures.

    Args:
        styles: Their styles, in turns.
        count: How many of each style.
        seed: Decides colours, shapes, places and sizes.

    Returns:
        Rows of `image`, `text` and `class`.
    """
    draw = Random(seed)
    return [_row(styles[i % len(styles)], draw) for i in range(count * len(styles))]


def caption_of(style: str, color: str, shape: str, ground: str) -> str:
    """Say what is on a picture.

    Args:
        style: One of `STYLES`.
        color: One of `COLORS`.
        shape: One of `SHAPES`.
        ground: Another of `COLORS`.

    Returns:
        The caption.
    """
    return f"{style} style: a {color} {shape} on {ground}"


def _row(style: str, draw: Random) -> dict[str, Any]:
    color, ground = draw.sample(sorted(COLORS), 2)
    shape = draw.choice(SHAPES)
    radius = draw.uniform(0.2, 0.36)
    center = (draw.uniform(0.38, 0.62), draw.uniform(0.38, 0.62))
    fine = SIDE * _FINE
    image = Image.new("RGB", (fine, fine), COLORS[ground])
    mask = Image.new("L", image.size, 0)
    _fill(ImageDraw.Draw(mask), shape, center, radius, fine)
    made = _STYLES[style](_Scene(image, mask, COLORS[color], draw))
    image = made.resize((SIDE, SIDE), Image.Resampling.BOX)
    text = caption_of(style, color, shape, ground)
    return {"image": image, "text": text, "class": style}


def _fill(
    pen: ImageDraw.ImageDraw, shape: str, center: Point, radius: float, side: int
) -> None:
    """Fill a shape with white."""
    x, y, r = (v * side for v in (*center, radius))
    box = (x - r, y - r, x + r, y + r)
    if shape in ("circle", "ring"):
        pen.ellipse(box, fill=255)
        if shape == "ring":
            pen.ellipse((x - r / 2, y - r / 2, x + r / 2, y + r / 2), fill=0)
    elif shape == "square":
        pen.rectangle(
            (x - 0.85 * r, y - 0.85 * r, x + 0.85 * r, y + 0.85 * r), fill=255
        )
    elif shape == "triangle":
        pen.polygon([(x, y - r), (x + r, y + 0.8 * r), (x - r, y + 0.8 * r)], fill=255)
    else:
        pen.rectangle((x - r, y - r / 3, x + r, y + r / 3), fill=255)
        pen.rectangle((x - r / 3, y - r, x + r / 3, y + r), fill=255)


def _plain(scene: _Scene) -> Image.Image:
    scene.image.paste(scene.color, mask=scene.mask)
    return scene.image


def _soft(scene: _Scene) -> Image.Image:
    """Edges that fade."""
    faded = scene.mask.filter(ImageFilter.GaussianBlur(3 * _FINE))
    return _plain(replace(scene, mask=faded))


def _striped(scene: _Scene) -> Image.Image:
    """The shape in level stripes."""
    gaps = ImageDraw.Draw(scene.mask)
    for y in range(0, scene.mask.height, 5 * _FINE):
        gaps.rectangle((0, y, scene.mask.width, y + 2 * _FINE), fill=0)
    return _plain(scene)


def _dotted(scene: _Scene) -> Image.Image:
    """A ground with light dots behind the shape."""
    image = scene.image
    pen, step = ImageDraw.Draw(image), 8 * _FINE
    for x in range(step // 2, image.width, step):
        for y in range(step // 2, image.height, step):
            pen.ellipse((x - 6, y - 6, x + 6, y + 6), fill=(250, 250, 250))
    return _plain(scene)


def _marbled(scene: _Scene) -> Image.Image:
    """Clouds of any colour over all: nothing is as even as the other styles are."""
    draw, made = scene.draw, _plain(scene)
    for places in (3, 6, 12):
        colours = draw.randbytes(3 * places * places)
        clouds = Image.frombytes("RGB", (places, places), colours)
        clouds = clouds.resize(made.size, Image.Resampling.BICUBIC)
        made = Image.blend(made, clouds, draw.uniform(0.1, 0.4))
    return made


def _cartoon(scene: _Scene) -> Image.Image:
    """A thick dark outline, and a light spot."""
    image, mask, color = scene.image, scene.mask, scene.color
    wide = mask.filter(ImageFilter.MaxFilter(4 * _FINE + 1))
    image.paste((20, 20, 30), mask=wide)
    image.paste(color, mask=mask)
    light = tuple(c + (255 - c) // 2 for c in color)
    left, top, right, bottom = mask.getbbox() or (0, 0, 1, 1)
    spot = Image.new("L", mask.size, 0)
    w, h = right - left, bottom - top
    box = (left + w // 5, top + h // 5, left + 2 * w // 5, top + 2 * h // 5)
    ImageDraw.Draw(spot).ellipse(box, fill=255)
    both = Image.composite(spot, Image.new("L", mask.size, 0), mask)
    image.paste((light[0], light[1], light[2]), mask=both)
    return image


def _pixel_art(scene: _Scene) -> Image.Image:
    """A few large blocks, each of one of the two colours."""
    coarse = scene.mask.resize((_BLOCKS, _BLOCKS), Image.Resampling.BOX)
    hard = coarse.point(lambda value: 255 if value > 110 else 0)
    blocks = hard.resize(scene.mask.size, Image.Resampling.NEAREST)
    return _plain(replace(scene, mask=blocks))


def _line_sketch(scene: _Scene) -> Image.Image:
    """An outline in the shape's colour on white paper, with a line of the ground's."""
    image, mask, color = scene.image, scene.mask, scene.color
    ground = image.getpixel((0, 0))
    paper = Image.new("RGB", image.size, (250, 250, 246))
    inner = mask.filter(ImageFilter.MinFilter(2 * _FINE + 1))
    seen = color if min(color) < 200 else (160, 160, 160)  # white shows on no paper
    paper.paste(seen, mask=mask)
    paper.paste((250, 250, 246), mask=inner)
    y = image.height - 3 * _FINE
    pen = ImageDraw.Draw(paper)
    pen.line((0, y, image.width, y), fill=ground, width=2 * _FINE)
    return paper


_STYLES: Mapping[str, Callable[[_Scene], Image.Image]] = {
    "plain": _plain,
    "soft": _soft,
    "striped": _striped,
    "dotted": _dotted,
    "marbled": _marbled,
    "cartoon": _cartoon,
    "pixel art": _pixel_art,
    "line sketch": _line_sketch,
}
