"""Rows on disk beside what is made of them: written once, and never exchanged."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datainf.core.durable import write_durably
from datainf.core.errors import OptionError
from datainf.core.run_config import DataConfig


def keep_rows(
    folder: Path, parts: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, DataConfig]:
    """Write rows into a folder, unless the very same are there.

    Args:
        folder: Made if need be; what is made of the rows lies in it too.
        parts: Name -> rows.

    Returns:
        Name -> where the rows lie: `NAME.jsonl`.

    Raises:
        OptionError: If the folder holds other rows: what was made of those would stand
            beside what is made of these.
    """
    found = {}
    for name, rows in parts.items():
        file = folder / f"{name}.jsonl"
        text = "".join(json.dumps(row, default=str) + "\n" for row in rows).encode()
        if not file.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            write_durably(file, [text])
        elif file.read_bytes() != text:
            raise OptionError(
                f"{file} holds other rows than these, and results on them are kept "
                "there; give another --out, or the data as they were."
            )
        found[name] = DataConfig(data=str(file))
    return found
