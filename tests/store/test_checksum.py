"""The check of a shard's bytes."""

import hashlib
import re

import pytest

from datainf.core.errors import StoreError
from datainf.store.checksum import require_checksum


def test_other_bytes_are_refused_and_a_missing_file_is_named(tmp_path):
    path = tmp_path / "shard-00000.safetensors"
    path.write_bytes(b"numbers")
    require_checksum(path, hashlib.sha256(b"numbers").hexdigest())
    message = (
        f"{path} is altered: its sha256 is not the manifest's; delete it and run the "
        "command that made the store again, it makes this shard anew."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        require_checksum(path, "0" * 64)
    path.unlink()
    with pytest.raises(StoreError, match="is missing"):
        require_checksum(path, "0" * 64)
