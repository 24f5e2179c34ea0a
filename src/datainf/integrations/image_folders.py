"""A folder of images as rows: one an image, with what stands beside it.

    image   the file's path
    text    its caption, from a file of the same name that ends in .txt
    label   the folder it lies in, where images lie in folders of their own
    ...     the columns of metadata.jsonl, .csv, .tsv or .parquet, by `file_name`

as diffusers' training scripts and the `imagefolder` of `datasets` read them; metadata
may lie in folders inside (`train/metadata.jsonl`), each naming what lies beside or
under it. Nothing is opened, so a broken file is told by the task that reads it, with
its name. Hidden files are left out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from datainf.core.errors import DataError
from datainf.integrations.data_files import SUFFIXES, read_table

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
_METADATA = "metadata"
_FILE = "file_name"


def is_image_folder(path: Path) -> bool:
    """Tell a folder of images from a folder of data files.

    Args:
        path: The folder.

    Returns:
        Whether metadata of images lie in it, or images and no data files.
    """
    files = [file for file in path.iterdir() if file.is_file()]
    if any(file.stem == _METADATA and file.suffix in SUFFIXES for file in files):
        return True
    return bool(_images_in(path)) and not any(
        file.suffix.lower() in SUFFIXES for file in files
    )


def read_image_folder(path: Path) -> pa.Table:
    """Read a folder of images.

    Args:
        path: The folder.

    Returns:
        The rows, in the order of metadata or else of the paths.

    Raises:
        DataError: If metadata name a file that is not there or do not describe
            every image once, only some images have a caption file, or there are none.
    """
    described = _metadata_in(path)
    if described:
        if described[0].parent != path:
            _require_all_described(path, described)
        tables = [_with_images(read_table(file), file) for file in described]
        try:
            return pa.concat_tables(tables, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(
                f"the metadata of images in {path} do not go together ({error}): "
                f"{', '.join(map(str, described))}; give columns one type, or each "
                "folder by itself."
            ) from error
    images = _images_in(path)
    columns: dict[str, list[Any]] = {"image": [str(image) for image in images]}
    texts = [image.with_suffix(".txt") for image in images]
    bare = [
        image for image, text in zip(images, texts, strict=True) if not text.is_file()
    ]
    if len(bare) < len(images):
        if bare:
            raise DataError(
                f"{len(images) - len(bare)} of {len(images)} images in {path} have a "
                f"caption in a .txt file, and {bare[0].name} has none; write one for "
                "each, empty where there is nothing to say."
            )
        columns["text"] = [_caption(text) for text in texts]
    if any(image.parent != path for image in images):
        columns["label"] = [image.relative_to(path).parts[0] for image in images]
    return pa.table(columns)


def _with_images(table: pa.Table, metadata: Path) -> pa.Table:
    """Put the images' paths beside what the metadata say of them."""
    if _FILE not in table.column_names:
        raise DataError(
            f"{metadata} has no column {_FILE!r}, which names each row's image; it has "
            f"{', '.join(table.column_names)}."
        )
    if "image" in table.column_names:
        raise DataError(
            f"{metadata} has a column 'image' besides {_FILE!r}, and an image can be "
            "but one; take one of them out."
        )
    names: Sequence[Any] = table.column(_FILE).to_pylist()
    files = [metadata.parent / str(name) for name in names]
    for number, file in enumerate(files):
        if not file.is_file():
            raise DataError(
                f"{metadata}, row {number}: {file} is not there; put it there, or take "
                "the row out."
            )
    rest = table.drop_columns([_FILE])
    image = pa.array([str(file) for file in files])
    return pa.table(
        {"image": image, **dict(zip(rest.column_names, rest.columns, strict=True))}
    )


def _metadata_in(path: Path) -> list[Path]:
    """Find the metadata of a folder's images: its own, or else those inside of it."""
    own = (path / f"{_METADATA}{suffix}" for suffix in SUFFIXES)
    for file in own:
        if file.is_file():
            return [file]
    return sorted(
        file
        for file in path.rglob(f"{_METADATA}.*")
        if file.suffix in SUFFIXES and file.is_file() and not _hidden(file, path)
    )


def _require_all_described(path: Path, described: Sequence[Path]) -> None:
    """Refuse to pass over images, or to take them twice, where metadata lie inside."""
    folders = [file.parent for file in described]
    for file in described:
        above = [one for one in folders if one in file.parents]
        if len(above) > 1:
            raise DataError(
                f"{file} is one of several that describe images in {above[0]}; keep "
                "one file of metadata for each image."
            )
    for image in _images_in(path):
        if not any(folder in image.parents for folder in folders):
            raise DataError(
                f"{image} has no metadata beside or above it, and others in {path} "
                f"have: {described[0]}; write some for it, or give one folder."
            )


def _images_in(path: Path) -> list[Path]:
    return sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in IMAGES and file.is_file() and not _hidden(file, path)
    )


def _hidden(file: Path, path: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(path).parts)


def _caption(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file} is no text in UTF-8 ({error.reason}); save it as UTF-8."
        ) from error
