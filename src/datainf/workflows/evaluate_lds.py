"""`datainf evaluate lds`: retrain on random subsets, and see which scores foretold it.

A design is a share of removed examples and a batch order. S subsets a design, T of them
trained again with the next seed for the noise ceiling: S + T trainings, whatever number
of scores is judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datainf.core.evaluate_options import BatchOrder
from datainf.core.run_config import RunConfig
from datainf.evaluation.agreement import Agreement
from datainf.evaluation.bootstrap import interval_of
from datainf.evaluation.lds import draw_subsets, lds
from datainf.workflows.evaluate import Evaluated, all_scores, chosen, write_results
from datainf.workflows.ground import Ground, ceiling_of, losses_of
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.retraining import Outcome, Retraining
from datainf.workflows.verdict import ENOUGH, write_verdict


@dataclass(frozen=True)
class Design:
    """One kind of subset.

    Attributes:
        order: What becomes of the batches.
        remove: Share that is removed.
        kept: `[S, N]`: what each subset keeps.
    """

    order: BatchOrder
    remove: float
    kept: NDArray[np.bool_]

    def asked(self, seed: int) -> list[Retraining]:
        """Give the retrainings of every subset with one seed."""
        return [
            Retraining(tuple(np.flatnonzero(~row).tolist()), self.order, seed)
            for row in self.kept
        ]


@dataclass(frozen=True)
class Measured:
    """A design, trained.

    Attributes:
        design: Which.
        kept: Members of the subsets that did not diverge.
        losses: `[S, Q]`: their query losses.
        ceiling: What two seeds leave to predict; None with too few twins.
        diverged: How many trainings diverged.
    """

    design: Design
    kept: NDArray[np.bool_]
    losses: NDArray[np.float64]
    ceiling: dict[str, Any] | None
    diverged: int


def lds_run(config: RunConfig, progress: Reporter | None = None) -> Evaluated:
    """Judge scores by the linear datamodelling score.

    Args:
        config: The run, with recipe and queries.
        progress: Told how far it is.

    Returns:
        One row for each set of scores and design, best first in each design.
    """
    reporter = progress or Logged()
    methods = chosen(config)
    ground = Ground.prepare(config, reporter)
    designs = _designs(ground)
    if ground.options.subsets < ENOUGH:
        # Said before the hours, not after them.
        reporter.say(
            f"note: {ground.options.subsets} subsets are too few for a verdict, at "
            f"least {ENOUGH} are needed"
        )
    scores = all_scores(ground, methods, reporter)
    measured = _measured(ground, designs, reporter)
    found = [
        {name: lds(values, one.kept, one.losses) for name, values in scores}
        for one in measured
    ]
    table = pd.concat(
        [_table(one, results) for one, results in zip(measured, found, strict=True)],
        ignore_index=True,
    )
    details = {
        "designs": [
            _details(one, results) for one, results in zip(measured, found, strict=True)
        ]
    }
    files = write_results(ground, "lds", table, details)
    page = write_verdict(ground, table, details)
    return Evaluated(table, details, (page, *files))


def _designs(ground: Ground) -> list[Design]:
    """Draw the subsets, and refuse those that cannot be trained on."""
    options, rows = ground.options, len(ground.train.table)
    found = []
    for order in options.order:
        for share in options.remove:
            kept = draw_subsets(rows, share, options.subsets, seed=options.subset_seed)
            if order is BatchOrder.RESHUFFLED:
                ground.require_batches(int((~kept[0]).sum()))
            found.append(Design(BatchOrder(order), share, kept))
    return found


def _measured(
    ground: Ground, designs: list[Design], reporter: Reporter
) -> list[Measured]:
    """Train every design's subsets, and the first of them with another seed."""
    seed, twins = ground.recipe.seed, ground.options.twins
    plans = [(one.asked(seed), one.asked(seed + 1)[:twins]) for one in designs]
    asked = [one for plan in plans for part in plan for one in part]
    outcomes = iter(ground.outcomes(asked, reporter))
    found = []
    for design, (first, second) in zip(designs, plans, strict=True):
        firsts = [next(outcomes) for _ in first]
        seconds = [next(outcomes) for _ in second]
        found.append(_one(design, firsts, seconds))
    return found


def _one(design: Design, first: list[Outcome], second: list[Outcome]) -> Measured:
    """Take one design's losses apart."""
    losses, there = losses_of(first)
    diverged = sum(one.losses is None for one in (*first, *second))
    ceiling = ceiling_of(first, second)
    return Measured(design, design.kept[there], losses, ceiling, diverged)


def _table(one: Measured, results: Mapping[str, Agreement]) -> pd.DataFrame:
    """List the results of a design, best first.

    The resamples of all scores are the same, so that the distance to the best has an
    interval of its own, and `low_for_all` is a lower end that holds for every row at
    once: whoever picks the best of many picks luck too.

    Args:
        one: The design, trained.
        results: Name of scores -> how well they predicted it.

    Returns:
        One row for each.
    """
    ranked = sorted(results.items(), key=lambda item: -item[1].value)
    best = ranked[0][1]
    luck = np.max([found.draws - found.value for _, found in ranked], axis=0)
    rows = []
    for name, found in ranked:
        behind = interval_of(best.draws - found.draws)
        rows.append(
            {
                "batch_order": str(one.design.order),
                "removed": one.design.remove,
                "subsets": len(one.losses),
                "scores": name,
                "lds": found.value,
                "low": found.interval.low,
                "high": found.interval.high,
                "low_for_all": found.value - float(np.quantile(luck, 0.975)),
                "behind_low": behind.low,
                "behind_high": behind.high,
            }
        )
    return pd.DataFrame(rows)


def _details(one: Measured, results: Mapping[str, Agreement]) -> dict[str, Any]:
    """Write a design's results as JSON values."""
    first = next(iter(results.values()))
    return {
        "batch_order": str(one.design.order),
        "removed": one.design.remove,
        "subsets": len(one.losses),
        "queries": one.losses.shape[1],
        "diverged": one.diverged,
        "undefined_queries": list(first.undefined),
        "ceiling": one.ceiling,
        "loss_spread": float(np.median(one.losses.std(axis=0))),
        "scores": {
            name: {
                "lds": found.value,
                "low": found.interval.low,
                "high": found.interval.high,
                "flat_queries": found.flat,
                "per_query": [
                    None if np.isnan(v) else float(v) for v in found.per_query
                ],
            }
            for name, found in results.items()
        },
    }
