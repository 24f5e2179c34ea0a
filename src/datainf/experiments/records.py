"""Records: what an experiment measured, one JSON line a cell, kept through a kill.

A cell is named by its key: everything that decides its result (data set, rank, seed,
method, sizes). A cell that is there is not computed again, so an interrupted experiment
goes on where it stopped, and a new method is all that a finished one lacks. Beside the
result stand the versions and the kind of machine that made it; nothing names a machine
or a place on one.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from datainf.core.canonical import canonical_json
from datainf.core.durable import write_durably
from datainf.core.errors import StoreError
from datainf.store.lock import FolderLock

Key = Mapping[str, Any]


class Records:
    """A file of cells; the same key is written once.

    Attributes:
        path: The file.
        made: Versions, machine and command, written beside each new result.
    """

    def __init__(self, path: str | Path, made: Mapping[str, Any]) -> None:
        """Read what is there; half a last line, left by a kill, is dropped.

        Args:
            path: The file; its folder is made if need be.
            made: What stands beside new results.

        Raises:
            StoreError: If a line before the last is no record.
        """
        self.path, self.made = Path(path), dict(made)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._cells: dict[str, dict[str, Any]] = {}
        lines = self.path.read_bytes().split(b"\n") if self.path.is_file() else [b""]
        # What follows the last line break was cut off.
        *whole, torn = lines
        for number, line in enumerate(whole, start=1):
            try:
                cell = json.loads(line)
                self._cells[_name(cell["key"])] = cell
            except (ValueError, KeyError, TypeError) as error:
                raise StoreError(
                    f"line {number} of {self.path} is no record; remove that line, its "
                    "cell is then measured again."
                ) from error
        if torn:
            write_durably(self.path, [line + b"\n" for line in whole])

    @classmethod
    def growing(cls, path: str | Path, made: Mapping[str, Any]) -> "Records":
        """Give records that are only added to, for one of several processes.

        Args:
            path: The file; what is there is neither read nor known.
            made: What stands beside new results.

        Returns:
            The records.
        """
        found = cls.__new__(cls)
        found.path, found.made, found._cells = Path(path), dict(made), {}
        return found

    def learn(self, others: "Records") -> None:
        """Know the cells that another process has written to the same file.

        Args:
            others: What that process has added.
        """
        self._cells.update(others._cells)

    def __len__(self) -> int:
        """Count the cells."""
        return len(self._cells)

    def __contains__(self, key: Key) -> bool:
        """Say whether a cell is there."""
        return _name(key) in self._cells

    def __getitem__(self, key: Key) -> dict[str, Any]:
        """Give a cell's result."""
        return self._cells[_name(key)]["result"]

    def get(self, key: Key) -> dict[str, Any] | None:
        """Give a cell's result, or None where it is not there."""
        cell = self._cells.get(_name(key))
        return None if cell is None else cell["result"]

    def seconds(self, key: Key) -> float | None:
        """Give what a cell took, with all it waited for; None where nobody noted it."""
        cell = self._cells.get(_name(key))
        return None if cell is None else cell.get("seconds")

    def add(
        self, key: Key, result: Mapping[str, Any], *, seconds: float | None = None
    ) -> None:
        """Keep a result, durably.

        Args:
            key: Names the cell.
            result: JSON values; NaN is written as null by whoever makes it.
            seconds: What it took, with all it waited for, such as training.
        """
        cell: dict[str, Any] = {
            "key": dict(key),
            "result": dict(result),
            "made": self.made,
        }
        if seconds is not None:
            cell["seconds"] = seconds
        line = (json.dumps(cell, sort_keys=True, allow_nan=False) + "\n").encode()
        # One write a line, so that lines of several processes stay whole.
        with self.path.open("ab", buffering=0) as file:
            while line:  # a disk that is full takes a part, and refuses the rest
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        self._cells[_name(key)] = cell

    def cell(
        self, key: Key, measure: Callable[[], Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Give a result, measured now unless it is there.

        Args:
            key: Names the cell.
            measure: Makes the result.

        Returns:
            The result.
        """
        if key not in self:
            started = perf_counter()
            result = measure()
            self.add(key, result, seconds=perf_counter() - started)
        return self[key]

    def makers(self, keys: Sequence[Key]) -> list[str]:
        """Say which versions and machines made some cells.

        Args:
            keys: The cells; those that are not there are passed over.

        Returns:
            One sentence a kind, each once, in the order of the cells.
        """
        found = [self._cells[_name(key)]["made"] for key in keys if key in self]
        said = [
            ", ".join(
                f"{name} {made[name]}" for name in sorted(made) if name != "machine"
            )
            + f"; {made.get('machine', 'unknown machine')}"
            for made in found
        ]
        return list(dict.fromkeys(said))

    def spent(self, keys: Sequence[Key]) -> str:
        """Say how long some cells took, with all they waited for.

        Args:
            keys: The cells; those that are not there are passed over.

        Returns:
            One sentence.
        """
        there = [self.seconds(key) for key in keys if key in self]
        known = [seconds for seconds in there if seconds is not None]
        if not known:
            return "How long all of it took is not recorded."
        whole = len(known) == len(there)
        some = "All" if whole else f"{len(known):,} of {len(there):,}"
        rest = "" if whole else "; of the others it is not recorded"
        return (
            f"{some} cells took {sum(known):,.0f} s together, with training, "
            f"collecting, drawing and other work on the machine{rest}."
        )


@contextmanager
def alone_in(folder: str | Path) -> Iterator[None]:
    """Let one run at a time work in an experiment's folder.

    Two would train the same adapters over each other.

    Args:
        folder: That of `--out`; made if need be.

    Yields:
        Nothing.

    Raises:
        StoreBusyError: If another run works there.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(place)
    try:
        yield
    finally:
        lock.release()


def _name(key: Key) -> str:
    """Write a key so that equal keys are equal texts."""
    return canonical_json(dict(key))
