"""Files that are there whole or not at all; the system's refusals in one line."""

import errno
import hashlib
import os
import re

import pytest

from datainf.core.errors import StoreError
from datainf.store.atomic import Written, reading, write_whole, writing


def test_a_file_is_written_with_its_size_and_hash(tmp_path):
    path = tmp_path / "naïve name"
    written = write_whole(path, [b"one ", memoryview(b"two")])
    assert path.read_bytes() == b"one two"
    assert written == Written(7, hashlib.sha256(b"one two").hexdigest())
    assert [entry.name for entry in tmp_path.iterdir()] == ["naïve name"]


def test_data_reaches_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path, monkeypatch
):
    steps = []

    def watch(name, said):
        real = getattr(os, name)

        def watched(*arguments):
            steps.append(said)
            return real(*arguments)

        monkeypatch.setattr(os, name, watched)

    watch("fsync", "flush")
    watch("replace", "rename")
    write_whole(tmp_path / "a", [b"x"])
    assert steps == ["flush", "rename", "flush"]


def test_an_interrupted_file_leaves_the_old_one_and_no_rest(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def pieces():
        yield b"new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, pieces())
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            errno.ENOSPC,
            "the disk is full: {path} could not be written; free some space and run "
            "the same command again, it goes on after the last whole shard.",
        ),
        (
            errno.EDQUOT,
            "the disk is full: {path} could not be written; free some space and run "
            "the same command again, it goes on after the last whole shard.",
        ),
        (
            errno.EROFS,
            "{folder} cannot be written to (Read-only file system); choose another "
            "folder.",
        ),
        (
            errno.EACCES,
            "{folder} cannot be written to (Permission denied); choose another folder.",
        ),
        (errno.ENOTDIR, "{folder} is not a folder; choose another path."),
        (errno.EIO, "{path} could not be written: Input/output error."),
    ],
)
def test_a_refusal_to_write_is_one_clear_line(tmp_path, monkeypatch, code, message):
    path = tmp_path / "a"

    def refuse(_handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    whole = message.format(path=path, folder=tmp_path)
    with pytest.raises(StoreError, match=f"^{re.escape(whole)}$") as caught:
        write_whole(path, [b"x"])
    assert isinstance(caught.value.__cause__, OSError)
    assert list(tmp_path.iterdir()) == []


def test_a_path_below_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    message = f"{tmp_path / 'file'} is not a folder; choose another path."
    with (
        pytest.raises(StoreError, match=f"^{re.escape(message)}$"),
        writing(tmp_path / "file" / "manifest.json"),
    ):
        (tmp_path / "file").mkdir(exist_ok=True)


def test_a_refusal_to_read_is_one_clear_line(tmp_path):
    message = f"{tmp_path} could not be read: Is a directory."
    with (
        pytest.raises(StoreError, match=f"^{re.escape(message)}$"),
        reading(tmp_path),
    ):
        tmp_path.read_bytes()
    missing = tmp_path / "a"
    message = (
        f"{missing} is missing; run the command that made the store again, it makes "
        "what is missing."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"), reading(missing):
        missing.read_bytes()
