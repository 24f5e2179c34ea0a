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

from datainf.core.errors import DataError
from datainf.core.options import BatchOrder
from datainf.core.run_config import RunConfig
from datainf.evaluation.agreement import FEWEST, Agreement
from datainf.evaluation.bootstrap import interval_of
from datainf.evaluation.lds import NoiseCeiling, draw_subsets, lds, noise_ceiling
from datainf.workflows.evaluate import Evaluated, all_scores, chosen, write_results
from datainf.workflows.ground import Ground, losses_of
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.retraining import Outcome, Retraining
from datainf.workflows.verdict import write_verdict


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
        twins: How many subsets have one.
        diverged: How many trainings diverged.
    """

    design: Design
    kept: NDArray[np.bool_]
    losses: NDArray[np.float64]
    ceiling: NoiseCeiling | None
    twins: int
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
    measured = _measured(ground, _designs(ground), reporter)
    found: list[dict[str, Agreement]] = [{} for _ in measured]
    for name, values in all_scores(ground, methods, reporter):
        for design, results in zip(measured, found, strict=True):
            results[name] = lds(values, design.kept, design.losses)
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
    if len(losses) < FEWEST:
        raise DataError(
            f"{len(losses)} of {len(first)} retrainings are left, fewer than {FEWEST}."
        )
    pairs = [
        (a.losses, b.losses)
        for a, b in zip(first, second, strict=False)
        if a.losses is not None and b.losses is not None
    ]
    ceiling = None
    if len(pairs) >= FEWEST:
        ceiling = noise_ceiling([a for a, _ in pairs], [b for _, b in pairs])
    diverged = sum(one.losses is None for one in (*first, *second))
    return Measured(design, design.kept[there], losses, ceiling, len(pairs), diverged)


def _table(one: Measured, results: Mapping[str, Agreement]) -> pd.DataFrame:
    """List the results of a design, best first, each with its distance to the best."""
    ranked = sorted(results.items(), key=lambda item: -item[1].value)
    rows = []
    for name, found in ranked:
        # The draws are of the same resamples, so the difference has its own interval.
        low, high = interval_of(ranked[0][1].draws - found.draws)
        rows.append(
            {
                "batch_order": str(one.design.order),
                "removed": one.design.remove,
                "scores": name,
                "lds": found.value,
                "low": found.interval.low,
                "high": found.interval.high,
                "behind_best": ranked[0][1].value - found.value,
                "behind_low": low,
                "behind_high": high,
            }
        )
    return pd.DataFrame(rows)


def _details(one: Measured, results: Mapping[str, Agreement]) -> dict[str, Any]:
    """Write a design's results as JSON values."""
    first = next(iter(results.values()))
    ceiling = one.ceiling
    return {
        "batch_order": str(one.design.order),
        "removed": one.design.remove,
        "subsets": len(one.losses),
        "queries": one.losses.shape[1],
        "diverged": one.diverged,
        "undefined_queries": list(first.undefined),
        "ceiling": None
        if ceiling is None
        else {
            "twins": one.twins,
            "agreement": ceiling.agreement.value,
            "low": ceiling.agreement.interval.low,
            "high": ceiling.agreement.interval.high,
            "perfect_predictor": ceiling.value,
        },
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
