"""What an experiment leaves for people: a page, its figures, the records beside them.

The page ends with the command that makes it again, in which places on this machine are
names: MODEL, DATA.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from datainf.core.durable import write_durably
from datainf.experiments.records import Records


def publish(
    name: str,
    *,
    page: str,
    figures: Mapping[str, str],
    records: Records,
    folder: str | Path,
) -> Path:
    """Write page and figures into a folder, and copy the records there.

    Args:
        name: Of the experiment; names the page.
        page: Markdown.
        figures: Name -> SVG.
        records: The cells.
        folder: Made if need be; such as `docs/results`.

    Returns:
        The page.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for title, svg in figures.items():
        write_durably(place / f"{title}.svg", [svg.encode()])
    file = place / f"{name}.md"
    write_durably(file, [page.encode()])
    copy = place / records.path.name
    if not (copy.exists() and copy.samefile(records.path)):
        shutil.copyfile(records.path, copy)
    return file
