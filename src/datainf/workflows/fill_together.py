"""Fill a store with several processes: each makes whole shards, one the manifest.

The shards that are missing are dealt out in turns. After a minute's work (at the end of
the shard that is then being made) all tell each other what they made, the process that
leads notes it in the manifest, and what is left is dealt out anew: so a slower process
makes fewer, and a run that dies loses a minute. A shard's batches are planned from its
rows alone, so the store is the one that a single process makes, to the bit on the same
kind of machine with the same number of threads, whatever the number of processes.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datainf.core.errors import StoreError
from datainf.integrations.ranks import Ranks
from datainf.store.beside import BesideWriter
from datainf.store.excluded import excluded_in
from datainf.store.manifest import Manifest, Shard
from datainf.store.parsing import build, decode
from datainf.store.writer import PendingShard, StoreWriter
from datainf.workflows.fill import Filling
from datainf.workflows.progress import Advance

ROUND_SECONDS = 60.0
"""Work between two words with the others."""

# A network file system may show a new file to other machines after this long.
_SEEN_WITHIN = 60.0
_LOOK_AGAIN = 0.5


class FillingTogether:
    """One process's part in filling a store.

    Attributes:
        filling: What the store is filled from.
        writer: The store: opened by the process that leads, beside it in the others.
        ranks: The processes.
        seconds: Work between two words with the others.
    """

    def __init__(
        self,
        filling: Filling,
        writer: StoreWriter,
        ranks: Ranks,
        seconds: float = ROUND_SECONDS,
    ) -> None:
        """Take a part."""
        self.filling = filling
        self.writer = writer
        self.ranks = ranks
        self.seconds = seconds

    def fill(self) -> None:
        """Make shards until none is missing; the process that leads finishes."""
        reporter, ranks = self.filling.reporter, self.ranks
        count = len(self.filling.rows.table)
        there = self._done()
        if there:
            reporter.say(
                f"{self.writer.path}: {there} of {count} examples are there already"
            )
        with reporter.stage("gradients", count) as advance:
            bar = _Bar(advance)
            bar.move_to(there)
            while pending := list(self.writer.pending_shards()):
                self._round(pending[ranks.here.rank :: ranks.count], bar)
                bar.move_to(self._done())
        if ranks.leads:
            self.writer.finish()

    def _round(self, mine: Sequence[PendingShard], bar: "_Bar") -> None:
        """Make shards for a while, then tell and hear of all."""
        before = self.writer.manifest
        reasons: dict[int, str] = {}
        error: Exception | None = None
        try:
            self._work(mine, reasons, bar)
        except Exception as found:  # noqa: BLE001 - the others hear of it
            error = found
        news = {**_news(before, self.writer.manifest), "reasons": reasons}
        told = self.ranks.told(news)
        here = self.ranks.here.rank
        others = [each for rank, each in enumerate(told) if rank != here]
        with self.ranks.step():
            shards = _shards(others)
            if self.ranks.leads:
                for shard in shards:
                    require_seen(self.writer.path / shard.name)
            self.writer.take(shards, _halvings(others))
            if error is not None:
                raise error
        left_out = {
            int(at): why for each in told for at, why in each["reasons"].items()
        }
        if left_out:
            self._leave_out(left_out)

    def _work(
        self, mine: Sequence[PendingShard], reasons: dict[int, str], bar: "_Bar"
    ) -> None:
        """Make shards until time is up, or an example is no number."""
        end = time.monotonic() + self.seconds
        for shard in mine:
            reasons.update(self.filling.write(self.writer, shard, bar.advance))
            if reasons or time.monotonic() >= end:
                return

    def _leave_out(self, reasons: Mapping[int, str]) -> None:
        """Let the process that leads leave rows out, and go on from its manifest."""
        with self.ranks.step():
            if self.ranks.leads:
                self.writer.leave_out(reasons)
        said = led(self.ranks, self.writer.manifest)
        if isinstance(self.writer, BesideWriter):
            self.writer.follow(said)

    def _done(self) -> int:
        """Count the examples that are made, or left out."""
        manifest = self.writer.manifest
        rows = sum(shard.rows for shard in manifest.shards)
        return rows + len(excluded_in(manifest.coverage))


def led(ranks: Ranks, manifest: Manifest | None) -> Manifest:
    """Give every process the manifest of the one that leads.

    Args:
        ranks: The processes.
        manifest: That of this one; only the leader's is looked at.

    Returns:
        The leader's.
    """
    mine = manifest if ranks.leads else None
    text = ranks.told(None if mine is None else mine.to_bytes().decode())[0]
    return build(decode(text.encode()))


def require_seen(path: Path) -> None:
    """Refuse to go on where processes do not see each other's files.

    Args:
        path: A file that another process has written.

    Raises:
        StoreError: If it does not show up.
    """
    end = time.monotonic() + _SEEN_WITHIN
    while not path.is_file():
        if time.monotonic() > end:
            raise StoreError(
                f"{path} is not there, though another process has written it: the "
                "store must lie on a file system that every machine sees."
            )
        time.sleep(_LOOK_AGAIN)


class _Bar:
    """A bar that shows own examples as they are done, and the others' now and then."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._shown = 0.0

    def advance(self, steps: float) -> None:
        """Count examples done here."""
        self._shown += steps
        self._advance(steps)

    def move_to(self, done: int) -> None:
        """Show what all have done."""
        self.advance(done - self._shown)


def _news(before: Manifest, now: Manifest) -> dict[str, Any]:
    """Say, as JSON values, which shards were made and which halved on the way."""
    known = {shard.number for shard in before.shards}
    halved = {
        number: list(at)
        for number, at in now.pending.items()
        if before.pending.get(number) != at
    }
    made = [asdict(shard) for shard in now.shards if shard.number not in known]
    return {"made": made, "halved": halved}


def _shards(reports: Iterable[Mapping[str, Any]]) -> list[Shard]:
    return [
        Shard(**{**made, "halved_at": tuple(made["halved_at"])})
        for report in reports
        for made in report["made"]
    ]


def _halvings(reports: Iterable[Mapping[str, Any]]) -> dict[int, tuple[int, ...]]:
    return {
        int(number): tuple(at)
        for report in reports
        for number, at in report["halved"].items()
    }
