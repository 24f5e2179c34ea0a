"""The check of a shard's bytes before its numbers are believed.

Rows are used without being looked at, so one flipped bit would give other scores and
nothing would say so. Squared norms, which lie beside the rows, do not see a flip in the
last bits of a small number; the manifest's sha256 sees every one. Cost: one reading of
the shard, at the speed of sha256 (0.5 to 2 GB/s on one core).
"""

import hashlib
from pathlib import Path

from datainf.core.errors import StoreError
from datainf.store.atomic import reading


def require_checksum(path: Path, sha256: str) -> None:
    """Refuse a file whose bytes are not those that were written.

    Args:
        path: The shard's file.
        sha256: What the manifest says.

    Raises:
        StoreError: If it is altered.
    """
    with reading(path), path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise StoreError(
            f"{path} is altered: its sha256 is not the manifest's; delete it and run "
            "the command that made the store again, it makes this shard anew."
        )
