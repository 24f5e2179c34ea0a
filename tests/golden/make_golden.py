"""Writes the golden stores: `python -m tests.golden.make_golden`.

They are kept for ever: one that is there is never written again. A new format version
gets new folders beside the old ones.
"""

from pathlib import Path

from datainf.core.options import StoreDtype
from datainf.store.lock import LOCK_NAME
from tests.store.stores import write_store

FOLDER = Path(__file__).parent


def golden_store(dtype: StoreDtype) -> Path:
    """Name the golden store of a number format."""
    return FOLDER / f"store-v1-{dtype}"


def main() -> None:
    """Write the stores that are not there."""
    for dtype in StoreDtype:
        path = golden_store(dtype)
        if not path.exists():
            write_store(path, dtype)
            (path / LOCK_NAME).unlink()


if __name__ == "__main__":
    main()
