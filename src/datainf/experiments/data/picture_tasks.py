"""The image tasks by name: pictures with captions and the class that detection is of.

    styles     generated pictures in three styles (`pictures`), with any base
    styles-hub the paper's three styles: cartoons, pixel art, line sketches, of the hub
    subjects   DreamBooth's photos, three a subject to train on, one to three to ask

Photos belong to their makers: what a study keeps of them for people to look at stays
in its own folder, and only generated pictures go into records and pages.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from datainf.core.errors import DataError
from datainf.core.run_config import DataConfig
from datainf.experiments.data.pictures import NAMES, THINGS, TUNED, drawn_rows
from datainf.integrations.examples import load_examples
from datainf.integrations.image_folders import IMAGES

Row = dict[str, Any]
Parts = tuple[list[Row], list[Row]]
"""Training rows and held-out rows."""

STYLES_OF_THE_PAPER = "kewu93/three_styles_prompted_250_512x512"
_STYLE_COLUMNS = ("image", "text", "style_class")
DREAMBOOTH = "google/dreambooth"
_DREAMBOOTH_PHOTOS = "dataset"
"""Folder of the photos in that repository, a folder a subject."""
_SHOWN = 3
"""Photos of a subject that are trained on; most of the rest, up to as many, are asked
about."""


@dataclass(frozen=True)
class PictureTask:
    """One of the tasks.

    Attributes:
        rows: From folder of the data (or None), training rows, held-out rows and seed
            to the rows: `image`, `text` and `class`.
        ours: Whether its pictures are generated, and may stand on a page.
    """

    rows: Callable[[str | None, int, int, int], Parts]
    ours: bool


def picture_rows(
    name: str, *, rows: int, held_out: int, seed: int, data_dir: str | None
) -> Parts:
    """Take the rows of one task.

    Args:
        name: Of `PICTURE_TASKS`.
        rows: Training rows of all classes together, at most; of `styles` as many as
            make the same number of each.
        held_out: Likewise.
        seed: Decides which, or every picture.
        data_dir: Folder with a folder a task; the hub when None.

    Returns:
        Training rows and held-out rows.
    """
    return PICTURE_TASKS[name].rows(data_dir, rows, held_out, seed)


def _styles(data_dir: str | None, rows: int, held_out: int, seed: int) -> Parts:
    """Draw them; no picture is in both parts."""
    del data_dir
    if min(rows, held_out) < len(TUNED):
        raise DataError(
            f"styles of {rows} rows and {held_out} held out: {len(TUNED)} styles need "
            f"at least {len(TUNED)} of each."
        )
    each, asked = (count // len(TUNED) for count in (rows, held_out))
    drawn = drawn_rows(TUNED, each + asked, seed)
    return drawn[: each * len(TUNED)], drawn[each * len(TUNED) :]


def _styles_of_the_paper(
    data_dir: str | None, rows: int, held_out: int, seed: int
) -> Parts:
    """Read the paper's own, chosen by chance where there are more than asked."""
    place = STYLES_OF_THE_PAPER if data_dir is None else str(Path(data_dir) / "styles")
    parts = [load_examples(DataConfig(data=place, split=x)) for x in ("train", "val")]
    missing = [x for x in _STYLE_COLUMNS if x not in parts[0].column_names]
    if missing:
        raise DataError(
            f"{place} lacks {', '.join(missing)}; the paper's styles have the columns "
            f"{', '.join(_STYLE_COLUMNS)}."
        )
    first, second = (
        [
            {
                "image": row["image"],
                "text": row["text"],
                "class": str(row["style_class"]),
            }
            for row in part.select(sorted(_some(len(part), count, seed)))
        ]
        for part, count in zip(parts, (rows, held_out), strict=True)
    )
    return first, second


def _subjects(data_dir: str | None, rows: int, held_out: int, seed: int) -> Parts:
    """Take photos of every subject; which of them are trained on is by chance."""
    known = _photos(_folder_of_photos(data_dir))
    if len(known) > len(NAMES):
        raise DataError(
            f"{len(known)} subjects, and there are {len(NAMES)} names for their "
            "captions: two would share one; take some folders away."
        )
    draw = Random(seed)
    train: list[Row] = []
    asked: list[Row] = []
    for number, (subject, photos) in enumerate(known.items()):
        if len(photos) <= _SHOWN:
            raise DataError(
                f"subject {subject} has {len(photos)} photos; {_SHOWN} to train on and "
                "one to ask about are needed."
            )
        text = f"a photo of {NAMES[number]} {_thing_of(subject)}"
        chosen = draw.sample(photos, len(photos))
        own = [{"image": str(p), "text": text, "class": subject} for p in chosen]
        train += own[:_SHOWN]
        asked += own[_SHOWN : 2 * _SHOWN]
    return _head(train, rows, seed), _head(asked, held_out, seed)


def _photos(folder: Path) -> dict[str, list[Path]]:
    """List the photos of each subject."""
    found: dict[str, list[Path]] = {}
    for photo in sorted(folder.glob("*/*")):
        if photo.suffix.lower() in IMAGES and not photo.name.startswith("."):
            found.setdefault(photo.parent.name, []).append(photo)
    if len(found) < 2:
        raise DataError(
            f"{folder} has photos of {len(found)} subjects; expected a folder a "
            "subject, as DreamBooth's repository has them."
        )
    return found


def _folder_of_photos(data_dir: str | None) -> Path:
    if data_dir is not None:
        given = Path(data_dir) / "dreambooth"
        inside = given / _DREAMBOOTH_PHOTOS  # as a clone of the repository has them
        return inside if inside.is_dir() else given
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(
            DREAMBOOTH, repo_type="dataset", allow_patterns=f"{_DREAMBOOTH_PHOTOS}/*"
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"{DREAMBOOTH} cannot be loaded from the hub ({error}); give a folder that "
            "holds `dreambooth`, a folder a subject, with --data-dir."
        ) from error
    return Path(found) / _DREAMBOOTH_PHOTOS


def _thing_of(subject: str) -> str:
    """Say what a subject is, by the words in its name.

    Not always rightly: `backpack_dog` is a backpack and `pink_sunglasses` no toy. The
    published records were made with these captions, and other ones need new adapters.

    Args:
        subject: Name of its folder.

    Returns:
        A word that the base's text encoder knows.
    """
    words = "".join(c if c.isalpha() else " " for c in subject).split()
    known = [word for word in words if word in THINGS]
    return known[-1] if known else "toy"


def _head(rows: list[Row], count: int, seed: int) -> list[Row]:
    chosen = sorted(_some(len(rows), count, seed))
    return [rows[i] for i in chosen]


def _some(total: int, count: int, seed: int) -> Sequence[int]:
    """Choose that many of them by chance, or all."""
    order = np.random.default_rng(seed).permutation(total)
    return [int(i) for i in order[:count]]


PICTURE_TASKS: Mapping[str, PictureTask] = {
    "styles": PictureTask(_styles, ours=True),
    "styles-hub": PictureTask(_styles_of_the_paper, ours=False),
    "subjects": PictureTask(_subjects, ours=False),
}
