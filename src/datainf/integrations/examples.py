"""Load examples: from a data file, a folder, or the hub of `datasets`.

What `DataConfig.data` may be, tried in this order:

- a data file (`data_files` says how each kind is read), held in memory: nothing is
  written beside it or into a cache;
- a folder written by `save_to_disk`;
- a folder of images, with their captions and labels (`image_folders`);
- a folder of data files, whose names up to the first `-` or `.` are the splits;
- a name on the hub, with its configuration after a colon ("nyu-mll/glue:sst2").
"""

from pathlib import Path

import datasets
import pyarrow as pa
from datasets import Dataset, DatasetDict

from datainf.core.errors import DataError, near, near_path
from datainf.core.run_config import DataConfig
from datainf.integrations.data_files import SUFFIXES, read_table
from datainf.integrations.image_folders import is_image_folder, read_image_folder


def load_examples(config: DataConfig) -> Dataset:
    """Load the examples that a `DataConfig` names.

    Args:
        config: `data`, `split` and `limit` are used.

    Returns:
        The rows, at least one.

    Raises:
        DataError: If nothing is there, it cannot be read, the split is missing or
            unknown, or there are no rows.
    """
    path = Path(config.data).expanduser()
    if not config.data:
        raise DataError("no data given: expected a file, a folder or a hub name.")
    if path.is_dir():
        found = _folder(path, config.split)
    elif path.exists() or path.suffix.lower() in SUFFIXES:
        found = _file(path, config.split)
    else:
        found = _hub(config.data, config.split)
    if not len(found):
        raise DataError(f"{config.data} holds no rows; give at least one.")
    if config.limit is not None:
        found = found.select(range(min(config.limit, len(found))))
    return found


def _file(path: Path, split: str | None) -> Dataset:
    if not path.exists():
        raise DataError(f"{path} does not exist{near_path(path) or '.'}")
    return _whole(read_table(path), split, path)


def _whole(table: pa.Table, split: str | None, path: Path) -> Dataset:
    """Take rows that have no splits."""
    if split is not None:
        kind = "one file" if path.is_file() else "a folder of images"
        raise DataError(
            f"split={split!r} was given, but {path} is {kind} and has no splits; "
            "leave split out."
        )
    return Dataset(table)


def _folder(path: Path, split: str | None) -> Dataset:
    if (path / "dataset_info.json").is_file() or (path / "dataset_dict.json").is_file():
        return _choose(datasets.load_from_disk(str(path)), split, str(path))
    if is_image_folder(path):
        return _whole(read_image_folder(path), split, path)
    splits: dict[str, list[Path]] = {}
    for file in sorted(path.iterdir()):
        if file.is_file() and file.suffix.lower() in SUFFIXES:
            name = file.name.replace("-", ".").split(".")[0]
            splits.setdefault(name, []).append(file)
    if not splits:
        raise DataError(
            f"{path} holds no data: expected files that end in {', '.join(SUFFIXES)}, "
            "images, or a folder written by datasets' save_to_disk."
        )
    files = splits[_split_name(list(splits), split, str(path))]
    try:
        return Dataset(pa.concat_tables([read_table(file) for file in files]))
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{', '.join(map(str, files))} do not have the same columns."
        ) from error


def _hub(data: str, split: str | None) -> Dataset:
    name, _, configuration = data.partition(":")
    try:
        found = datasets.load_dataset(name, configuration or None)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{data} is no file or folder here, and as a hub name it cannot be loaded: "
            f"{reason}"
        ) from error
    return _choose(found, split, data)


def _choose(found: Dataset | DatasetDict, split: str | None, where: str) -> Dataset:
    """Take the split that was asked for."""
    if isinstance(found, DatasetDict):
        return found[_split_name(list(found), split, where)]
    if split is not None and str(found.split) != split:
        raise DataError(
            f"split={split!r} was given, but {where} is one data set and has no "
            "splits; leave split out."
        )
    return found


def _split_name(names: list[str], split: str | None, where: str) -> str:
    """Choose a split; the only one need not be named."""
    if split is None and len(names) == 1:
        return names[0]
    if split is None:
        raise DataError(f"{where} has several splits; give split=: {', '.join(names)}.")
    if split not in names:
        raise DataError(f"{where} has no split {split!r}: {near(split, names)}.")
    return split
