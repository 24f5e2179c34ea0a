"""`datainf evaluate loo`: train again without one example at a time.

K examples, chosen by number or drawn at random; all of them trained a second time with
the next seed where twins are asked for, since one training's noise is larger than most
single examples' effect. K (+ twins) trainings.
"""

from typing import Any

import numpy as np
import pandas as pd

from datainf.core.errors import DataError
from datainf.core.options import BatchOrder
from datainf.core.run_config import RunConfig
from datainf.evaluation.agreement import FEWEST, Agreement
from datainf.evaluation.lds import noise_ceiling
from datainf.evaluation.loo import loo, require_examples
from datainf.workflows.evaluate import Evaluated, all_scores, chosen, write_results
from datainf.workflows.ground import Ground, losses_of
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.retraining import Retraining


def loo_run(config: RunConfig, progress: Reporter | None = None) -> Evaluated:
    """Judge scores by leaving examples out one by one.

    Args:
        config: The run, with recipe and queries.
        progress: Told how far it is.

    Returns:
        One row for each set of scores and batch order, best first.

    Raises:
        DataError: If too few retrainings are left.
    """
    reporter = progress or Logged()
    methods = chosen(config)
    ground = Ground.prepare(config, reporter)
    examples = _examples(ground)
    seed, twins = ground.recipe.seed, ground.options.twins
    orders = [BatchOrder(order) for order in ground.options.order]
    if BatchOrder.RESHUFFLED in orders:
        ground.require_batches(1)
    firsts = [[Retraining((k,), order, seed) for k in examples] for order in orders]
    seconds = [
        [Retraining((k,), order, seed + 1) for k in examples[:twins]]
        for order in orders
    ]
    asked = [one for part in (*firsts, *seconds) for one in part]
    outcomes = ground.outcomes(asked, reporter)
    known = {one.key: outcome for one, outcome in zip(asked, outcomes, strict=True)}
    scores = list(all_scores(ground, methods, reporter))
    tables, details = [], []
    for order, first, second in zip(orders, firsts, seconds, strict=True):
        losses, there = losses_of([known[one.key] for one in first])
        if len(losses) < FEWEST:
            raise DataError(
                f"{len(losses)} of {len(first)} retrainings are left, fewer than "
                f"{FEWEST}."
            )
        left = [k for k, ok in zip(examples, there, strict=True) if ok]
        found = {name: loo(values, left, losses) for name, values in scores}
        tables.append(_table(order, found))
        pairs = [
            (known[a.key].losses, known[b.key].losses)
            for a, b in zip(first, second, strict=False)
        ]
        pairs = [(a, b) for a, b in pairs if a is not None and b is not None]
        ceiling = None
        if len(pairs) >= FEWEST:
            ceiling = noise_ceiling([a for a, _ in pairs], [b for _, b in pairs])
        details.append(
            {
                "batch_order": str(order),
                "examples": left,
                "diverged": int((~there).sum()),
                "agreement_of_two_seeds": None
                if ceiling is None
                else ceiling.agreement.value,
                "scores": {name: _values(one) for name, one in found.items()},
            }
        )
    table = pd.concat(tables, ignore_index=True)
    body = {"designs": details}
    return Evaluated(table, body, write_results(ground, "loo", table, body))


def _examples(ground: Ground) -> list[int]:
    """Take the examples that are named, or draw as many as there are subsets."""
    rows = len(ground.train.table)
    named = [int(k) for k in ground.options.examples]
    if named:
        require_examples(rows, named)
        return named
    rng = np.random.default_rng(ground.options.subset_seed)
    return [int(k) for k in rng.permutation(rows)[: ground.options.subsets]]


def _values(found: Agreement) -> dict[str, Any]:
    return {
        "loo": found.value,
        "low": found.interval.low,
        "high": found.interval.high,
        "per_query": [None if np.isnan(v) else float(v) for v in found.per_query],
    }


def _table(order: BatchOrder, found: dict[str, Agreement]) -> pd.DataFrame:
    rows = [
        {
            "batch_order": str(order),
            "scores": name,
            "loo": one.value,
            "low": one.interval.low,
            "high": one.interval.high,
        }
        for name, one in sorted(found.items(), key=lambda item: -item[1].value)
    ]
    return pd.DataFrame(rows)
