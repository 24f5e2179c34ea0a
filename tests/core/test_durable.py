"""Files that are there whole or not at all."""

import os

import pytest

from datainf.core.durable import flush_folder, write_durably


def test_a_file_that_cannot_be_finished_leaves_the_old_one_and_no_rest(
    tmp_path, monkeypatch
):
    path = tmp_path / "file"
    write_durably(path, [b"old"])

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_durably(path, [b"new"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_folder_is_flushed_and_its_handle_closed(tmp_path, monkeypatch):
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    flush_folder(tmp_path)
    (handle,) = flushed
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)
