"""Finished retrainings on disk: each is made once, whoever asks, and survives a kill.

    FOLDER/1a2b3c4d5e6f/             one family: base, recipe, task, data and queries
        about.json                   what they are
        0f1e2d....json               one retraining: what was removed, and the losses

Nothing in a result depends on scores, so judging one more method costs no training, and
means and sums of token losses share them: that choice does not change the training.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

from datainf.core.canonical import canonical_json, sha256_of
from datainf.core.durable import write_durably
from datainf.core.errors import NonFiniteError, StoreError
from datainf.core.run_config import RunConfig
from datainf.store.lock import FolderLock
from datainf.workflows.progress import Reporter
from datainf.workflows.retraining import Outcome, Retrainer, Retraining
from datainf.workflows.workers import worker_pool

FORMAT = 1
ABOUT = "about.json"


class Retrained:
    """A folder of finished retrainings, which trains what is missing."""

    def __init__(
        self, folder: Path, config: RunConfig, facts: Mapping[str, Any]
    ) -> None:
        """Open the family of a run.

        Args:
            folder: Holds every family.
            config: The adapter's run with the queries, settled.
            facts: Fingerprints of all that a result depends on.
        """
        about = {"format": FORMAT, **facts}
        self.folder = folder / sha256_of(about)[:12]
        self.about = about
        self._config = config

    def outcomes(
        self,
        asked: Sequence[Retraining],
        *,
        workers: int,
        diverged: int,
        reporter: Reporter,
    ) -> list[Outcome]:
        """Give the outcome of every retraining, training those that are missing.

        Args:
            asked: Which; the same one may be asked twice.
            workers: Processes that train at the same time, one torch thread each where
                there is more than one.
            diverged: How many may end in NaN.
            reporter: Told how far it is.

        Returns:
            One outcome for each that was asked, in order.

        Raises:
            NonFiniteError: If more diverge than may.
            StoreError: If a worker is killed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(self.folder)
        try:
            write_durably(self.folder / ABOUT, [canonical_json(self.about).encode()])
            unique = {one.key: one for one in asked}
            found = {key: self._read(one) for key, one in unique.items()}
            done = {key: one for key, one in found.items() if one is not None}
            # By seed: a base is loaded once for all with the same new head.
            missing = sorted(
                (one for key, one in unique.items() if key not in done),
                key=lambda one: one.seed,
            )
            _require_few_diverged(done.values(), len(unique), diverged)
            if missing:
                reporter.say(
                    f"{len(done)} of {len(unique)} retrainings are there, "
                    f"{len(missing)} to do; finished ones are kept if this is stopped"
                )
                with reporter.stage("retraining", len(missing)) as advance:
                    for one, outcome in self._train(missing, workers):
                        done[one.key] = outcome
                        advance(1)
                        _require_few_diverged(done.values(), len(unique), diverged)
            return [done[one.key] for one in asked]
        finally:
            lock.release()

    def _path(self, one: Retraining) -> Path:
        return self.folder / f"{one.key}.json"

    def _read(self, one: Retraining) -> Outcome | None:
        """Read a finished retraining, if it is there."""
        path = self._path(one)
        if not path.is_file():
            return None
        try:
            return Outcome.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{path} is damaged ({error}); remove it, and it is trained again."
            ) from error

    def _train(
        self, missing: Sequence[Retraining], workers: int
    ) -> Iterator[tuple[Retraining, Outcome]]:
        """Train here, or in processes; each writes its own result before it is told."""
        if workers == 1:
            retrainer = Retrainer(self._config)
            for one in missing:
                yield one, _make(retrainer, one, self._path(one))
            return
        with worker_pool(min(workers, len(missing)), _prepare, self._config) as pool:
            waiting = {
                pool.submit(_in_worker, one, self._path(one)): one for one in missing
            }
            for future in as_completed(waiting):
                yield waiting[future], future.result()


_of_this_process: dict[str, Retrainer] = {}


def _prepare(config: RunConfig) -> None:
    """Prepare a process that trains."""
    _of_this_process["retrainer"] = Retrainer(config)


def _in_worker(one: Retraining, path: Path) -> Outcome:
    return _make(_of_this_process["retrainer"], one, path)


def _make(retrainer: Retrainer, one: Retraining, path: Path) -> Outcome:
    """Train, and write the result down."""
    outcome = retrainer.run(one)
    body = {
        "removed": list(one.removed),
        "order": str(one.order),
        "seed": one.seed,
        **outcome.to_dict(),
    }
    write_durably(path, [canonical_json(body).encode()])
    return outcome


def _require_few_diverged(outcomes: Any, total: int, limit: int) -> None:
    """Refuse to go on when training often ends in NaN."""
    problems = [one.problem for one in outcomes if one.losses is None]
    if len(problems) > limit:
        raise NonFiniteError(
            f"{len(problems)} of {total} retrainings diverged, and at most {limit} may "
            f"(--diverged): {problems[0]}"
        )
