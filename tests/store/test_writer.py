"""StoreWriter: what it writes, what it refuses, what it leaves when it fails."""

import errno
import os
import re
from dataclasses import replace

import pytest
import torch

from datainf.core.errors import (
    DatainfWarning,
    NonFiniteError,
    OptionError,
    StoreBusyError,
    StoreError,
)
from datainf.core.store_dtype import StoreDtype
from datainf.store.reader import open_store
from tests.store.stores import (
    INDEX,
    LAYOUT,
    OPTIONS,
    examples,
    files,
    gradients,
    losses,
    opened,
    write_pending,
    write_store,
)

FIRST = torch.tensor(INDEX[:3])


def first_rows(**changes):
    return {**{name: rows[:3] for name, rows in gradients().items()}, **changes}


def test_a_store_is_written_shard_by_shard(tmp_path):
    with opened(tmp_path / "store") as writer:
        assert not writer.done
        assert writer.path == tmp_path / "store"
        pending = list(writer.pending_shards())
        assert [(s.number, s.rows, s.halved_at) for s in pending] == [
            (0, range(3), ()),
            (1, range(3, 6), ()),
            (2, range(6, 7), ()),
        ]
        write_pending(writer)
        assert list(writer.pending_shards()) == []
        assert not writer.done
        writer.finish()
        assert writer.done
    assert [s.halved_at for s in writer.manifest.shards] == [(), (0, 2), ()]


def test_a_finished_store_leaves_nothing_to_do(tmp_path):
    path = tmp_path / "store"
    write_store(path)
    before = files(path)
    with opened(path) as writer:
        assert writer.done
        assert list(writer.pending_shards()) == []
        writer.finish()
        message = f"{path} is complete or its writer is closed."
        with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
            writer.record_halving(0, 1)
    assert files(path) == before


def test_the_order_in_which_shards_are_made_does_not_show(tmp_path):
    rows = gradients()
    with opened(tmp_path / "backwards") as writer:
        writer.record_halving(1, 0)
        writer.record_halving(1, 2)
        for number, part, _ in reversed(list(writer.pending_shards())):
            at = slice(part.start, part.stop)
            mine = {name: tensor[at] for name, tensor in rows.items()}
            index = torch.tensor(INDEX)[at]
            writer.write_shard(number, mine, losses()[at], index)
        writer.finish()
    write_store(tmp_path / "forwards")
    assert files(tmp_path / "backwards") == files(tmp_path / "forwards")


def test_halvings_are_on_disk_at_once_and_are_replayed(tmp_path):
    path = tmp_path / "store"
    with opened(path) as writer:
        writer.record_halving(2, 1)
        writer.record_halving(2, 4)
    with opened(path) as writer:
        assert [s.halved_at for s in writer.pending_shards()] == [(), (), (1, 4)]


def test_a_second_writer_is_refused(tmp_path):
    path = tmp_path / "store"
    message = (
        f"{path} is being written by another process; wait until it ends, or choose "
        "another folder."
    )
    with opened(path), pytest.raises(StoreBusyError, match=f"^{re.escape(message)}$"):
        opened(path)
    opened(path).close()


def test_a_failed_start_gives_the_lock_back(tmp_path, monkeypatch):
    path = tmp_path / "store"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(StoreError, match=r"^the disk is full: "):
            opened(path)
    opened(path).close()


@pytest.mark.parametrize("name", ["with space", "naïve ☃"])
def test_a_folder_may_have_any_name(tmp_path, name):
    assert len(write_store(tmp_path / name / "deeper")) == len(INDEX)


@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_shard_that_is_not_pending_is_refused(tmp_path, number):
    path = tmp_path / "store"
    with opened(path) as writer:
        writer.write_shard(0, first_rows(), losses()[:3], FIRST)
        message = (
            f"shard {number} of {path} is not pending: it holds 3 shards, 1 of them "
            "written."
        )
        with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
            writer.write_shard(number, first_rows(), losses()[:3], FIRST)


def test_an_unfinished_store_cannot_be_marked_complete(tmp_path):
    path = tmp_path / "store"
    with opened(path) as writer:
        writer.write_shard(0, first_rows(), losses()[:3], FIRST)
        message = f"{path} cannot be finished: 2 of 3 shards are still to be written."
        with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
            writer.finish()


def test_a_loss_that_is_no_number_is_refused(tmp_path):
    bad = losses()[:3].clone()
    bad[2] = float("nan")
    message = (
        "loss of example 2 is nan (1 of 3 examples of this shard); leave such examples "
        "out."
    )
    with (
        opened(tmp_path / "store") as writer,
        pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"),
    ):
        writer.write_shard(0, first_rows(), bad, FIRST)


def test_a_gradient_that_is_no_number_leaves_the_folder_as_it_was(tmp_path):
    name = LAYOUT.names[1]
    rows = gradients()[name][:3].clone()
    rows[1, 2] = float("inf")
    with opened(tmp_path / "store") as writer:
        before = files(tmp_path / "store")
        with pytest.raises(
            NonFiniteError, match=f"^gradient of example 1, block {name},"
        ):
            writer.write_shard(0, first_rows(**{name: rows}), losses()[:3], FIRST)
        assert files(tmp_path / "store") == before


def test_numbers_too_small_for_fp16_are_said(tmp_path):
    options = replace(OPTIONS, dtype=StoreDtype.FP16)
    name = LAYOUT.names[0]
    with opened(tmp_path / "store", options=options) as writer:
        small = {name: gradients()[name][:3] * 1e-9}
        with pytest.warns(DatainfWarning, match=r"^shard-00000\.safetensors: fp16 is"):
            writer.write_shard(0, first_rows(**small), losses()[:3], FIRST)


def write_next(writer):
    """Write shard 1 without a halving before it."""
    rows = {name: tensor[3:6] for name, tensor in gradients().items()}
    writer.write_shard(1, rows, losses()[3:6], torch.tensor(INDEX[3:6]))


def full_disk(_handle):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_loses_only_the_shard_that_was_being_written(tmp_path, monkeypatch):
    path = tmp_path / "store"
    with opened(path) as writer:
        writer.write_shard(0, first_rows(), losses()[:3], FIRST)
        before = files(path)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full_disk)
            message = (
                f"the disk is full: {path / 'shard-00001.safetensors'} could not be "
                "written; free some space and run the same command again, it goes on "
                "after the last whole shard."
            )
            with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
                write_next(writer)
        assert files(path) == before
    write_store(path)
    write_store(tmp_path / "at once")
    assert files(path) == files(tmp_path / "at once")


def test_a_read_only_folder_is_refused_before_any_work(tmp_path, monkeypatch):
    path = tmp_path / "store"

    def refuse(*_arguments):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    message = (
        f"{path} cannot be written to (Read-only file system); choose another folder."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        opened(path)


def test_a_finished_store_on_a_read_only_disk_is_reused(tmp_path, monkeypatch):
    path = tmp_path / "store"
    write_store(path)

    def refuse(*_arguments):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    assert opened(path).done


def test_a_path_that_is_a_file_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(StoreError, match=f"^{re.escape(str(path))} is not a"):
        opened(path)


def test_a_store_that_another_writer_finished_meanwhile_is_done(tmp_path, monkeypatch):
    path = tmp_path / "store"

    def finish_first(self, folder):
        monkeypatch.undo()
        write_store(folder)
        self.__init__(folder)

    monkeypatch.setattr("datainf.store.lock.FolderLock.__init__", finish_first)
    with opened(path) as writer:
        assert writer.done
    assert len(open_store(path)) == len(INDEX)


@pytest.mark.parametrize("dtype", list(StoreDtype))
def test_squared_norms_are_those_of_the_rows_after_rounding(tmp_path, dtype):
    options = replace(OPTIONS, dtype=dtype)
    rows = {name: torch.randn(3, size) for name, size in LAYOUT.sizes.items()}
    table = examples()[:3]
    with opened(tmp_path, options=options, examples=table) as writer:
        writer.write_shard(0, rows, losses()[:3], FIRST)
        writer.finish()
    (part,) = open_store(tmp_path).rows()
    for column, name in enumerate(LAYOUT.names):
        slow = part.gradients[name].double().square().sum(dim=1)
        torch.testing.assert_close(
            part.squared_norms[:, column], slow, rtol=1e-14, atol=0
        )
