"""A writer beside the one that has the lock and the manifest."""

import re

import pytest
import torch

from datainf.core.errors import StoreError
from datainf.store.beside import BesideWriter
from datainf.store.excluded import Excluded
from datainf.store.reader import open_store
from tests.store.stores import (
    INDEX,
    asked,
    files,
    gradients,
    losses,
    opened,
    write_store,
)


def put(writer, shard):
    """Write one shard of the tiny store."""
    part = slice(shard.rows.start, shard.rows.stop)
    rows = {name: tensor[part] for name, tensor in gradients().items()}
    writer.write_shard(shard.number, rows, losses()[part], torch.tensor(INDEX)[part])


def test_shards_written_beside_count_once_the_one_with_the_lock_takes_them(tmp_path):
    whole, folder = write_store(tmp_path / "whole"), tmp_path / "store"
    with opened(folder) as writer:
        other = BesideWriter(folder, asked(), writer.manifest)
        mine, theirs, last = writer.pending_shards()
        put(writer, mine)
        before = writer.manifest
        put(other, theirs)
        assert writer.manifest == before  # nothing on disk names it yet
        made = [shard for shard in other.manifest.shards if shard.number == 1]
        writer.take(made, {2: [0, 3]})
        assert writer.manifest.pending == {2: (0, 3)}
        put(writer, last._replace(halved_at=(0, 3)))
        writer.finish()
    assert [shard.halved_at for shard in writer.manifest.shards] == [(), (), (0, 3)]
    open_store(folder)
    for name, content in files(whole.path).items():
        if name.startswith("shard-"):
            assert files(folder)[name] == content


def test_a_shard_that_is_there_is_not_taken_twice(tmp_path):
    with opened(tmp_path / "store") as writer:
        put(writer, next(writer.pending_shards()))
        with pytest.raises(ValueError, match="is not pending"):
            writer.take(writer.manifest.shards, {})


def test_it_leaves_rows_out_and_finishes_by_order_alone(tmp_path):
    folder = tmp_path / "store"
    with opened(folder) as writer:
        other = BesideWriter(folder, asked(), writer.manifest)
        for act, said in (
            (lambda: other.leave_out({5: "loss is nan"}), "leaves rows out: got 1; "),
            (other.finish, "finishes it."),
        ):
            with pytest.raises(StoreError, match=re.escape(said)):
                act()
        writer.leave_out({5: "loss is nan"})
        other.follow(writer.manifest)
    assert other.index_of(range(3)) == writer.index_of(range(3)) == [0, 1, 2]
    assert other.hashes == writer.hashes
    assert Excluded(5, f"{5:064x}", "loss is nan").to_dict() in writer.manifest.coverage
