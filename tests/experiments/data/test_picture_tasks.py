"""Image tasks: which rows a seed gets, from folders, the hub's stand-ins, or drawn."""

from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from datainf.core.errors import DataError
from datainf.experiments.data import picture_tasks
from datainf.experiments.data.picture_tasks import PICTURE_TASKS, picture_rows
from datainf.experiments.data.pictures import NAMES, TUNED, WORDS


def photos(folder: Path, subjects: dict[str, int]) -> Path:
    for number, (subject, count) in enumerate(subjects.items()):
        (folder / subject).mkdir(parents=True)
        for i in range(count):
            colour = (40 * number, 50 * i, 90)
            Image.new("RGB", (5, 7), colour).save(folder / subject / f"{i:02}.jpg")
    return folder


def test_styles_are_drawn_and_no_picture_is_asked_that_was_trained_on() -> None:
    train, asked = picture_rows("styles", rows=9, held_out=6, seed=3, data_dir=None)
    assert [row["class"] for row in train] == [*TUNED] * 3
    assert [row["class"] for row in asked] == [*TUNED] * 2
    known = [np.array(row["image"]).tobytes() for row in train]
    assert not {np.array(row["image"]).tobytes() for row in asked} & {*known}
    again, _ = picture_rows("styles", rows=9, held_out=6, seed=3, data_dir=None)
    assert [np.array(row["image"]).tobytes() for row in again] == known


def test_three_photos_of_a_subject_are_trained_on_and_up_to_three_asked(
    tmp_path: Path,
) -> None:
    photos(tmp_path / "dreambooth", {"dog7": 7, "rc_car": 4, "monster_toy": 5})
    (tmp_path / "dreambooth" / "LICENSE.md").write_text("free")
    train, asked = picture_rows(
        "subjects", rows=100, held_out=100, seed=1, data_dir=str(tmp_path)
    )
    count = {s: sum(r["class"] == s for r in train) for s in ("dog7", "rc_car")}
    assert count == {"dog7": 3, "rc_car": 3}
    count = {s: sum(r["class"] == s for r in asked) for s in ("dog7", "rc_car")}
    assert count == {"dog7": 3, "rc_car": 1}
    assert not {r["image"] for r in train} & {r["image"] for r in asked}
    texts = {row["class"]: row["text"] for row in train}
    assert texts["dog7"] == f"a photo of {NAMES[0]} dog"
    assert texts["rc_car"] == f"a photo of {NAMES[2]} toy"
    for text in texts.values():
        assert {*text.split()} <= {*WORDS}
    others, _ = picture_rows(
        "subjects", rows=100, held_out=100, seed=2, data_dir=str(tmp_path)
    )
    assert [r["image"] for r in others] != [r["image"] for r in train]
    few, _ = picture_rows(
        "subjects", rows=5, held_out=1, seed=1, data_dir=str(tmp_path)
    )
    assert len(few) == 5


def test_photos_come_from_the_hub_where_no_folder_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(tmp_path / "dataset", {"dog": 4, "cat": 4})

    def download(name: str, *, repo_type: str, allow_patterns: str) -> str:
        assert (name, repo_type) == ("google/dreambooth", "dataset")
        assert allow_patterns == "dataset/*"
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    train, _ = picture_rows("subjects", rows=9, held_out=9, seed=0, data_dir=None)
    assert {row["class"] for row in train} == {"dog", "cat"}

    def offline(*_: object, **__: object) -> str:
        raise OSError("no route")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(DataError, match=r"no route.*--data-dir"):
        picture_rows("subjects", rows=9, held_out=9, seed=0, data_dir=None)


def test_too_few_photos_or_subjects_are_refused(tmp_path: Path) -> None:
    given = {"rows": 9, "held_out": 9, "seed": 0, "data_dir": str(tmp_path)}
    photos(tmp_path / "dreambooth", {"dog": 4})
    with pytest.raises(DataError, match="photos of 1 subjects"):
        picture_rows("subjects", **given)  # type: ignore[arg-type]
    photos(tmp_path / "dreambooth", {"cat": 3})
    with pytest.raises(DataError, match="subject cat has 3 photos"):
        picture_rows("subjects", **given)  # type: ignore[arg-type]


def test_photos_are_what_image_folders_take_and_a_clone_of_the_hubs_will_do(
    tmp_path: Path,
) -> None:
    place = photos(tmp_path / "dreambooth" / "dataset", {"dog": 3, "cat": 4})
    Image.new("RGB", (5, 7)).save(place / "dog" / "last.WEBP")
    (place / "dog" / "notes.txt").write_text("free")
    (place / "dog" / "._00.jpg").write_text("what a Mac leaves behind")
    train, asked = picture_rows(
        "subjects", rows=9, held_out=9, seed=0, data_dir=str(tmp_path)
    )
    dogs = {Path(row["image"]).name for row in train + asked if row["class"] == "dog"}
    assert dogs == {"00.jpg", "01.jpg", "02.jpg", "last.WEBP"}


def test_more_subjects_than_there_are_names_are_refused(tmp_path: Path) -> None:
    count = len(NAMES) + 1
    photos(tmp_path / "dreambooth", {f"dog{i:02}": 4 for i in range(count)})
    with pytest.raises(DataError, match=f"{count} subjects, and there are {count - 1}"):
        picture_rows("subjects", rows=9, held_out=9, seed=0, data_dir=str(tmp_path))


@pytest.mark.parametrize("counts", [(2, 6), (9, 1)])
def test_fewer_rows_than_styles_are_refused(counts: tuple[int, int]) -> None:
    rows, held_out = counts
    with pytest.raises(DataError, match="3 styles need at least 3 of each"):
        picture_rows("styles", rows=rows, held_out=held_out, seed=0, data_dir=None)


def test_the_papers_styles_are_read_from_disk_or_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def part(count: int) -> datasets.Dataset:
        images = [Image.new("RGB", (4, 4), (i, 0, 0)) for i in range(count)]
        names = [f"style {i % 2}" for i in range(count)]
        columns = {"image": images, "text": names, "style_class": names}
        return datasets.Dataset.from_dict(columns).cast_column(
            "image", datasets.Image()
        )

    both = datasets.DatasetDict({"train": part(7), "val": part(3)})
    both.save_to_disk(tmp_path / "styles")
    given = {"rows": 5, "held_out": 9, "seed": 0}
    train, asked = picture_rows("styles-hub", data_dir=str(tmp_path), **given)
    assert (len(train), len(asked)) == (5, 3)
    assert {row["class"] for row in train} == {"style 0", "style 1"}
    assert train[0]["image"].size == (4, 4)

    def loaded(name: str, configuration: None) -> datasets.DatasetDict:
        assert (name, configuration) == (picture_tasks.STYLES_OF_THE_PAPER, None)
        return both

    monkeypatch.setattr(datasets, "load_dataset", loaded)
    again, _ = picture_rows("styles-hub", data_dir=None, **given)
    assert [row["text"] for row in again] == [row["text"] for row in train]
    both.remove_columns("style_class").save_to_disk(tmp_path / "other" / "styles")
    with pytest.raises(DataError, match="lacks style_class; the paper's styles have"):
        picture_rows("styles-hub", data_dir=str(tmp_path / "other"), **given)


def test_only_generated_pictures_may_stand_on_a_page() -> None:
    assert {name for name, task in PICTURE_TASKS.items() if task.ours} == {"styles"}
