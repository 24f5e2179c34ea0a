"""Folders of images become rows with what stands beside each image."""

from pathlib import Path

import pytest
from PIL import Image

from datainf.core.errors import DataError
from datainf.core.run_config import DataConfig
from datainf.integrations.examples import load_examples
from datainf.integrations.image_folders import is_image_folder


def draw(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 3)).save(file)


def rows(folder: Path) -> list[dict[str, object]]:
    return list(load_examples(DataConfig(data=str(folder))))


def test_metadata_name_the_images_and_give_their_columns(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", tmp_path / "sub" / "b.jpg", tmp_path / "unnamed.png")
    (tmp_path / "metadata.jsonl").write_text(
        '{"file_name": "sub/b.jpg", "text": "two"}\n{"file_name": "a.png", "text": "1"}'
    )
    assert rows(tmp_path) == [
        {"image": str(tmp_path / "sub" / "b.jpg"), "text": "two"},
        {"image": str(tmp_path / "a.png"), "text": "1"},
    ]


def test_metadata_may_lie_in_folders_inside(tmp_path: Path) -> None:
    draw(tmp_path / "train" / "a.png", tmp_path / "more" / "x" / "b.png")
    (tmp_path / "train" / "metadata.jsonl").write_text(
        '{"file_name": "a.png", "text": "one"}'
    )
    (tmp_path / "more" / "metadata.csv").write_text("file_name,text,n\nx/b.png,two,7\n")
    assert rows(tmp_path) == [
        {"image": str(tmp_path / "more" / "x" / "b.png"), "text": "two", "n": 7},
        {"image": str(tmp_path / "train" / "a.png"), "text": "one", "n": None},
    ]
    draw(tmp_path / "c.png")
    with pytest.raises(DataError, match=r"c\.png has no metadata beside or above it"):
        rows(tmp_path)
    (tmp_path / "c.png").unlink()
    inner = tmp_path / "more" / "x" / "metadata.csv"
    inner.write_text("file_name,text\nb.png,three\n")
    with pytest.raises(DataError, match="is one of several that describe images in"):
        rows(tmp_path)
    inner.unlink()
    (tmp_path / "train" / "metadata.jsonl").write_text(
        '{"file_name": "a.png", "text": "one", "n": "seven"}'
    )
    with pytest.raises(DataError, match="do not go together"):
        rows(tmp_path)


def test_captions_stand_in_files_of_the_same_name(tmp_path: Path) -> None:
    draw(tmp_path / "b.png", tmp_path / "a.PNG", tmp_path / ".hidden.png")
    (tmp_path / "a.txt").write_text("a cat\n", encoding="utf-8-sig")
    (tmp_path / "b.txt").write_text("")
    assert rows(tmp_path) == [
        {"image": str(tmp_path / "a.PNG"), "text": "a cat"},
        {"image": str(tmp_path / "b.png"), "text": ""},
    ]


def test_folders_inside_are_labels(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "1.png", tmp_path / "dog" / "x" / "1.png")
    assert [row["label"] for row in rows(tmp_path)] == ["cat", "dog"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", tmp_path / "b.png")
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(DataError, match=r"1 of 2 images .* and b\.png has none"):
        rows(tmp_path)
    (tmp_path / "b.txt").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"b\.txt is no text in UTF-8"):
        rows(tmp_path)
    metadata = tmp_path / "metadata.csv"
    metadata.write_text("file_name,text\nc.png,c\n")
    with pytest.raises(DataError, match=r"row 0: .*c\.png is not there"):
        rows(tmp_path)
    metadata.write_text("file_name,image\na.png,b.png\n")
    with pytest.raises(DataError, match="column 'image' besides 'file_name'"):
        rows(tmp_path)
    metadata.write_text("file,text\na.png,a\n")
    with pytest.raises(DataError, match="has no column 'file_name'"):
        rows(tmp_path)


def test_a_split_of_a_folder_of_images_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    with pytest.raises(DataError, match="is a folder of images and has no splits"):
        load_examples(DataConfig(data=str(tmp_path), split="train"))


def test_a_folder_of_data_files_stays_one(tmp_path: Path) -> None:
    draw(tmp_path / "logo.png")
    (tmp_path / "train.jsonl").write_text('{"text": "a"}')
    assert not is_image_folder(tmp_path)
    assert rows(tmp_path) == [{"text": "a"}]
