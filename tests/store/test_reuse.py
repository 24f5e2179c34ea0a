"""Rows by the hashes of their examples; moving a store aside and removing it."""

import re

import pytest
import torch

from datainf.core.errors import StoreBusyError, StoreError
from datainf.store.lock import FolderLock
from datainf.store.reader import open_store
from datainf.store.reuse import ReusedRows, aside, move_aside, remove_store
from tests.store.stores import N, examples, gradients, losses, opened, write_store

HASHES = examples()["hash"].tolist()


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_rows_come_in_the_order_in_which_they_are_asked_for(tmp_path, dtype):
    rows = ReusedRows(write_store(tmp_path / "store", dtype))
    places = [6, 0, 5, 0, 3]
    found, loss = rows.take([HASHES[place] for place in places])
    assert loss.tolist() == losses()[places].tolist()
    for name, right in gradients().items():
        assert torch.equal(found[name].float(), right[places])
    assert HASHES[0] in rows
    assert "none" not in rows


def test_of_rows_with_equal_hashes_the_first_serves(tmp_path):
    table = examples().assign(hash="same")
    with opened(tmp_path / "store", examples=table) as writer:
        for number, part, _ in writer.pending_shards():
            at = slice(part.start, part.stop)
            mine = {name: rows[at] for name, rows in gradients().items()}
            index = torch.tensor(writer.index_of(part))
            writer.write_shard(number, mine, losses()[at], index)
        writer.finish()
    _, loss = ReusedRows(open_store(tmp_path / "store")).take(["same"] * N)
    assert loss.tolist() == [losses()[0]] * N


def test_a_store_moves_aside_whole_and_once(tmp_path):
    path = tmp_path / "store"
    write_store(path)
    move_aside(path)
    assert not path.exists()
    assert write_store(path).path == path
    message = (
        f"{aside(path)} is there already, from a run that was cut off; delete {path} "
        "to go on from it, or delete it."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        move_aside(path)
    remove_store(aside(path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["store"]


def test_a_store_that_is_being_written_stays(tmp_path):
    write_store(tmp_path / "store")
    lock = FolderLock(tmp_path / "store")
    with pytest.raises(StoreBusyError):
        move_aside(tmp_path / "store")
    lock.release()
    move_aside(tmp_path / "store")


def test_files_of_others_stay_when_a_store_is_removed(tmp_path):
    write_store(tmp_path / "store")
    (tmp_path / "store" / "notes.txt").write_text("mine")
    remove_store(tmp_path / "store")
    assert [p.name for p in (tmp_path / "store").iterdir()] == ["notes.txt"]
