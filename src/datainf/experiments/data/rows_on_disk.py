"""Rows on disk beside what is made of them: written once, and never exchanged.

NAME.jsonl           rows of texts and numbers
NAME/metadata.jsonl  rows with an image, as a folder of images is read
NAME/0000.png, ...   their images
"""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datainf.core.durable import write_durably
from datainf.core.errors import OptionError
from datainf.core.run_config import DataConfig
from datainf.integrations.tasks.images import open_image

_IMAGE = "image"
_METADATA = "metadata.jsonl"


def keep_rows(
    folder: Path, parts: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, DataConfig]:
    """Write rows into a folder, unless the very same are there.

    Args:
        folder: Made if need be; what is made of the rows lies in it too.
        parts: Name -> rows.

    Returns:
        Name -> where the rows lie: `NAME.jsonl`, or the folder `NAME` of images.

    Raises:
        OptionError: If the folder holds other rows: what was made of those would stand
            beside what is made of these.
    """
    return {
        name: (_keep_pictures if rows and _IMAGE in rows[0] else _keep)(
            folder, name, rows
        )
        for name, rows in parts.items()
    }


def _keep(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> DataConfig:
    file = folder / f"{name}.jsonl"
    _write_once(file, rows)
    return DataConfig(data=str(file))


def _keep_pictures(
    folder: Path, name: str, rows: Sequence[Mapping[str, Any]]
) -> DataConfig:
    """Write images as PNG, which loses nothing, and their table last."""
    own = folder / name
    told = []
    for number, row in enumerate(rows):
        file = own / f"{number:04}.png"
        image = open_image(row[_IMAGE], _IMAGE)
        if not file.is_file():
            drawn = io.BytesIO()
            image.save(drawn, "PNG")
            own.mkdir(parents=True, exist_ok=True)
            write_durably(file, [drawn.getvalue()])
        elif open_image(file, _IMAGE) != image:
            raise _other(file)
        rest = {key: value for key, value in row.items() if key != _IMAGE}
        told.append({"file_name": file.name, **rest})
    _write_once(own / _METADATA, told)
    return DataConfig(data=str(own))


def _write_once(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(row, default=str) + "\n" for row in rows).encode()
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(file, [text])
    elif file.read_bytes() != text:
        raise _other(file)


def _other(file: Path) -> OptionError:
    return OptionError(
        f"{file} holds other rows than these, and results on them are kept "
        "there; give another --out, or the data as they were."
    )
