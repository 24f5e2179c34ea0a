"""What an earlier run left: whether it may go on, and from where."""

import os
import re
from dataclasses import replace

import pytest

from datainf.core.errors import DatainfWarning, StoreError
from datainf.core.layout import Layout
from datainf.core.options import CollectOptions
from datainf.core.store_dtype import StoreDtype
from tests.store.stores import (
    IDENTITY,
    OPTIONS,
    examples,
    files,
    opened,
    write_pending,
    write_store,
)


@pytest.fixture
def unfinished(tmp_path):
    """A store of which one shard of three is written."""
    path = tmp_path / "store"

    def stop(shard):
        if shard.number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), opened(path) as writer:
        write_pending(writer, before=stop)
    return path


def finish(path):
    with opened(path) as writer:
        numbers = [shard.number for shard in writer.pending_shards()]
        write_pending(writer)
        writer.finish()
    return numbers


CHANGES = [
    ({"identity": replace(IDENTITY, base="x")}, "another base model"),
    ({"identity": replace(IDENTITY, data="x")}, "other data"),
    (
        {"identity": replace(IDENTITY, task={**IDENTITY.task, "max_length": 64})},
        "task max_length: 128 against 64",
    ),
    ({"options": replace(OPTIONS, dtype=StoreDtype.BF16)}, "dtype: fp32 against bf16"),
    ({"options": replace(OPTIONS, batch_tokens=32)}, "batch_tokens: 64 against 32"),
    ({"options": replace(OPTIONS, shard_rows=2)}, "shard_rows: 3 against 2"),
    ({"options": replace(OPTIONS, store_text=False)}, "store_text: True against False"),
    ({"layout": Layout.from_shapes({"w": (5,)})}, "other blocks"),
    ({"examples": examples()[:5]}, "rows: 7 against 5"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES)
@pytest.mark.parametrize("whole", [True, False])
def test_a_store_of_something_else_is_refused_with_what_differs(
    unfinished, change, said, whole
):
    if whole:
        finish(unfinished)
    before = files(unfinished)
    rows_alone = said.startswith(("other data", "rows: "))
    message = f"{unfinished} holds a store of something else: {said}. " + (
        "Choose another folder, delete this one, or give reuse=DIR (--reuse DIR) to "
        "keep the rows that did not change."
        if rows_alone
        else "Choose another folder, or delete this one."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        opened(unfinished, **change)
    assert files(unfinished) == before


def test_names_for_people_may_differ_and_the_first_ones_stay(unfinished):
    with opened(unfinished, identity=replace(IDENTITY, about={"model": "x"})) as writer:
        assert writer.manifest.identity.about == {"model": "tiny"}


def test_an_unfinished_store_is_not_finished_by_another_version(unfinished):
    message = (
        f"{unfinished} holds a store of something else: begun by datainf 0.1.0 and not "
        "finished, this is 0.2.0. Choose another folder, or delete this one."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        opened(unfinished, library_version="0.2.0")
    finish(unfinished)
    assert opened(unfinished, library_version="0.2.0").done


def test_an_unfinished_store_of_other_lengths_is_refused(unfinished):
    message = (
        f"{unfinished} holds an unfinished store of other examples: column 'tokens' "
        "differs. Choose another folder, or delete this one."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        opened(unfinished, examples=examples().assign(tokens=5))


def test_a_run_goes_on_after_the_last_whole_shard(unfinished, tmp_path):
    assert finish(unfinished) == [1, 2]
    write_store(tmp_path / "at once")
    assert files(unfinished) == files(tmp_path / "at once")


def test_what_a_killed_run_left_is_swept_away(unfinished):
    left = ["shard-00001.safetensors", "shard-00002.safetensors.partial"]
    left += ["examples.parquet.partial", "manifest.json.partial"]
    for name in left:
        (unfinished / name).write_bytes(b"cut short")
    (unfinished / "notes.txt").write_bytes(b"mine")
    opened(unfinished).close()
    assert sorted(files(unfinished)) == [
        ".lock",
        "examples.parquet",
        "manifest.json",
        "notes.txt",
        "shard-00000.safetensors",
    ]


def test_a_damaged_table_of_examples_is_made_again(unfinished, tmp_path):
    (unfinished / "examples.parquet").write_bytes(b"cut short")
    finish(unfinished)
    write_store(tmp_path / "at once")
    assert files(unfinished) == files(tmp_path / "at once")


@pytest.mark.parametrize("damage", ["missing", "cut short"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_lost_shard_of_a_finished_store_is_made_again(tmp_path, damage, number):
    path = tmp_path / "store"
    write_store(path)
    before = files(path)
    shard = path / f"shard-0000{number}.safetensors"
    if damage == "missing":
        shard.unlink()
    else:
        os.truncate(shard, 100)
    message = (
        f"{path}: shard {number} is missing or of another size than it was; it is made "
        "again."
    )
    with pytest.warns(DatainfWarning, match=f"^{re.escape(message)}$"):
        assert finish(path) == [number]
    assert files(path) == before


def test_a_folder_of_other_files_is_refused(tmp_path):
    for name in "abcde":
        (tmp_path / name).write_bytes(b"")
    message = (
        f"{tmp_path} has no manifest.json but holds a, b, c and 2 more; give a new or "
        "empty folder."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        opened(tmp_path)
    assert sorted(files(tmp_path)) == list("abcde")


def test_shards_without_their_manifest_are_not_overwritten(tmp_path):
    path = tmp_path / "store"
    write_store(path)
    (path / "manifest.json").unlink()
    message = (
        f"{path} has no manifest.json but holds shard-00000.safetensors, "
        "shard-00001.safetensors, shard-00002.safetensors; give a new or empty folder."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        opened(path)


def test_a_run_killed_before_its_first_manifest_begins_anew(tmp_path):
    path = tmp_path / "store"
    path.mkdir()
    for name in (".lock", "examples.parquet", "manifest.json.partial"):
        (path / name).write_bytes(b"")
    write_store(path)
    # The early leftovers were not ours to keep.
    assert "manifest.json.partial" not in files(path)


def test_the_default_shard_size_is_compared_as_a_number(tmp_path):
    options = CollectOptions(batch_tokens=64)
    with opened(tmp_path / "store", options=options) as writer:
        rows = writer.manifest.options.shard_rows
        write_pending(writer)
        writer.finish()
    assert rows == 64 * 2**20 // (13 * 4)
    assert opened(tmp_path / "store", options=options).done
    assert opened(tmp_path / "store", options=replace(options, shard_rows=rows)).done
