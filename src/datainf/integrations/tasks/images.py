"""Images of a row: opened from whatever a data set holds, brought to RGB.

    a PIL image · a path · the bytes of a file · {"bytes", "path"} as `datasets` and
    parquet files hold them · an array of whole numbers 0..255, [H, W] or [H, W, C]

Nothing is rescaled or guessed: arrays of other numbers, and images whose values do not
fit 8 bits, are refused. A photograph that says how it was held (EXIF) is turned
upright, as `datasets` does. Relative paths start from the working directory; nothing is
fetched.
"""

import hashlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from datainf.core.errors import DataError
from datainf.integrations.tasks.tokens import brief

if TYPE_CHECKING:
    from PIL.Image import Image

# What Pillow turns into RGB without losing more than transparency.
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV")
_EXPECTED = (
    "expected a PIL image, a path, the bytes of an image file, or an array of whole "
    "numbers 0 to 255, [H, W] or [H, W, C]"
)
# Pixels along the longer side of a thumbnail.
_SIDE = 160
# A query that the adapter drew (`workflows.drawn_queries`); its folder says nothing.
_DRAWN = re.compile(r"\bdrawn[/\\]seed-(\d+)-[0-9a-f]{16}\.png$")
# Entries of a processor's configuration that change no pixel.
_NO_CHOICE = ("processor_class", "return_tensors", "auto_map", "_processor_class")


def open_image(value: Any, column: str) -> "Image":
    """Open an image.

    Args:
        value: What stands in the row.
        column: Its column, for messages.

    Returns:
        The image, in RGB.

    Raises:
        DataError: If it cannot be read as an image.
    """
    # Here, so that the package can be imported without it, and quickly.
    from PIL import Image as pil  # noqa: N813 - a module with a class's name
    from PIL import ImageOps, UnidentifiedImageError

    held = content_of(value, column)
    found: Image
    try:
        if isinstance(held, bytes):
            found = pil.open(io.BytesIO(held))
        elif isinstance(held, pil.Image):
            found = held
        else:
            found = pil.fromarray(_pixels(held, column))
        found.load()
        if found.mode in _MODES:
            return ImageOps.exif_transpose(found).convert("RGB")
    except DataError:
        raise
    # Decoders of broken files raise what they like: SyntaxError, struct.error, ...
    except Exception as error:
        # Pillow names the place in memory that it read from.
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "it is no image file that Pillow knows" if unknown else error
        raise DataError(
            f"column {column!r} holds an image that cannot be read ({reason}): "
            f"{name_of(value) or _shown(value)}; save it again or take the row out."
        ) from error
    raise DataError(
        f"column {column!r} holds an image of mode {found.mode}, whose values do not "
        f"fit 8 bits: {name_of(value) or f'{found.width} × {found.height}'}; save it "
        "as 8-bit grey or RGB."
    )


def content_of(value: Any, column: str) -> Any:
    """Read a file's bytes where a row names a file, so that a row stands for itself.

    Args:
        value: What stands in the row.
        column: Its column, for messages.

    Returns:
        Bytes, or an image or array as it is.

    Raises:
        DataError: If the file cannot be read, or nothing is there.
    """
    if isinstance(value, Mapping):
        held = value.get("bytes")
        value = value.get("path") if held is None else held
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if not isinstance(value, (str, Path)):
        return value
    try:
        return Path(value).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"column {column!r} names the image {value}, which cannot be read: "
            f"{reason}; relative paths start from the working directory."
        ) from error


def name_of(value: Any) -> str:
    """Give the path of an image, empty where it has none."""
    if isinstance(value, Mapping):
        value = value.get("path")
    if isinstance(value, (str, Path)):
        return str(value)
    return str(getattr(value, "filename", "") or "")


def thumbnail(image: "Image", side: int = _SIDE) -> bytes:
    """Draw an image small, for a report.

    Args:
        image: Any size; tiny ones are drawn larger, pixel by pixel.
        side: Pixels of its longer side.

    Returns:
        The bytes of a WebP file: a few thousand for 160 pixels.
    """
    from PIL.Image import Resampling

    factor = side / max(image.size)
    size = tuple(max(1, round(length * factor)) for length in image.size)
    how = Resampling.NEAREST if factor > 1 else Resampling.LANCZOS
    drawn = io.BytesIO()
    image.resize((size[0], size[1]), how).save(drawn, "WEBP", quality=75)
    return drawn.getvalue()


def describe_image(value: Any, column: str) -> str:
    """Write an image in words: its path, seed or a hash of its pixels, and its size.

    Args:
        value: What stands in the row.
        column: Its column, for messages.

    Returns:
        Such as `cats/7.png, 640 × 480`.
    """
    image, name = open_image(value, column), name_of(value)
    if drawn := _DRAWN.search(name):
        name = f"drawn from seed {drawn[1]}"
    digest = hashlib.sha256(image.tobytes()).hexdigest()[:8]
    return f"{name or f'image {digest}'}, {image.width} × {image.height}"


def processor_fingerprint(processor: Any) -> dict[str, Any]:
    """Describe an image processor by its choices, not by where it lies.

    Args:
        processor: An image processor of transformers.

    Returns:
        JSON values: its kind, sizes, means and what it does.
    """
    held = {
        key: value
        for key, value in processor.to_dict().items()
        if key not in _NO_CHOICE and value is not None
    }
    plain: dict[str, Any] = json.loads(json.dumps(held, default=str, sort_keys=True))
    return plain


def _pixels(value: Any, column: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Check an array of pixels; lists are what tables without types make of arrays."""
    if isinstance(value, Tensor):
        value = value.cpu().numpy()
    if not isinstance(value, (np.ndarray, list, tuple)):
        raise DataError(
            f"column {column!r} must hold an image, got {type(value).__name__}; "
            f"{_EXPECTED}."
        )
    array = np.asarray(value)
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    whole = array.dtype.kind in "ui" and array.size > 0
    if not (shaped and whole and array.min() >= 0 and array.max() <= 255):
        raise DataError(
            f"column {column!r} holds an array of {array.dtype} {list(array.shape)}; "
            f"{_EXPECTED}."
        )
    array = array.astype(np.uint8)
    return array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array


def _shown(value: Any) -> str:
    return brief({"image": value})
