"""One writer a folder."""

import errno
import fcntl
import os
import re
import subprocess
import sys

import pytest

from datainf.core.errors import StoreBusyError, StoreError
from datainf.store.lock import FolderLock

HOLDER = """
import fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def busy(folder) -> str:
    message = (
        f"{folder} is being written by another process; wait until it ends, or choose "
        "another folder."
    )
    return f"^{re.escape(message)}$"


def test_a_second_lock_is_refused_until_the_first_is_released(tmp_path):
    first = FolderLock(tmp_path)
    with pytest.raises(StoreBusyError, match=busy(tmp_path)):
        FolderLock(tmp_path)
    first.release()
    first.release()
    FolderLock(tmp_path).release()


def test_a_lock_of_another_process_ends_when_that_is_killed(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-S", "-c", HOLDER, str(tmp_path / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StoreBusyError, match=busy(tmp_path)):
            FolderLock(tmp_path)
        other.kill()
        other.wait()
    FolderLock(tmp_path).release()


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch):
    def refuse(_handle, _how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    message = f"{tmp_path / '.lock'} could not be written: No locks available."
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        FolderLock(tmp_path)
