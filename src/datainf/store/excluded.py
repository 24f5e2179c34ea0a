"""Rows that a store leaves out because their loss or gradient is no number.

They stand in the manifest's `coverage`, beside the parameters that are left out: each
with its place in the data set, its hash, and why. An entry speaks of the example of
that hash alone, so that a row that was mended counts as another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from datainf.core.errors import NonFiniteError, StoreError


@dataclass(frozen=True, order=True)
class Excluded:
    """A row that is left out.

    Attributes:
        index: Its place in the data set.
        hash: Its hash.
        reason: Which number of it is NaN or infinite.
    """

    index: int
    hash: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Write it as an entry of `coverage`."""
        return {"example": self.index, "hash": self.hash, "reason": self.reason}


def excluded_in(coverage: Iterable[Any]) -> list[Excluded]:
    """Read the rows that are left out.

    Args:
        coverage: As in a manifest.

    Returns:
        The rows, in the data's order.
    """
    found = [
        Excluded(entry["example"], str(entry.get("hash")), str(entry.get("reason")))
        for entry in coverage
        if isinstance(entry, Mapping) and type(entry.get("example")) is int
    ]
    return sorted(found)


def parameters_in(coverage: Iterable[Any]) -> list[Any]:
    """Give what coverage says of parameters.

    Args:
        coverage: As in a manifest.

    Returns:
        The entries that speak of no example.
    """
    return [
        entry
        for entry in coverage
        if not (isinstance(entry, Mapping) and "example" in entry)
    ]


def without(table: pa.Table, excluded: Iterable[Excluded]) -> pa.Table:
    """Take rows out of a table of examples.

    Args:
        table: The examples.
        excluded: Rows to leave out; one whose hash differs stays.

    Returns:
        The rest, in order.

    Raises:
        NonFiniteError: If nothing is left.
    """
    gone = {(row.index, row.hash): row for row in excluded}
    keys = zip(table["index"].to_pylist(), table["hash"].to_pylist(), strict=True)
    kept = [number for number, key in enumerate(keys) if key not in gone]
    if not kept:
        first = min(gone.values())
        raise NonFiniteError(
            f"none of {len(table)} examples is left: of each the loss or a gradient is "
            f"NaN or infinite (example {first.index}: {first.reason}); check the "
            "model's weights and number format."
        )
    return table if len(kept) == len(table) else table.take(kept)


def require_skipping(folder: object, excluded: list[Excluded]) -> None:
    """Refuse a store that leaves rows out to someone who wants all of them.

    Args:
        folder: The store.
        excluded: What it leaves out.

    Raises:
        StoreError: If that is anything.
    """
    if excluded:
        raise StoreError(
            f"{folder} leaves out {said(excluded)}; give on_nonfinite='skip' "
            "(--on-nonfinite skip) to use it without them, or choose another folder."
        )


def said(excluded: list[Excluded]) -> str:
    """Count and name rows that are left out.

    Args:
        excluded: At least one.

    Returns:
        As in "2 examples (5: its loss is nan; 7: its loss is inf)".
    """
    few = "; ".join(f"{row.index}: {row.reason}" for row in excluded[:5])
    more = f"; and {len(excluded) - 5} more" if len(excluded) > 5 else ""
    count = f"{len(excluded)} example" + ("s" if len(excluded) > 1 else "")
    return f"{count} ({few}{more})"
