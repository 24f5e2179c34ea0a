"""`datainf evaluate loo`: train again without one example at a time.

K examples, named or drawn at random, and T of them a second time with the next seed:
one training's noise is larger than most single examples' effect, and the agreement of
the two seeds says how much larger. K + T trainings.
"""

from typing import Any

import numpy as np
import pandas as pd

from datainf.core.evaluate_options import BatchOrder
from datainf.core.run_config import RunConfig
from datainf.evaluation.agreement import Agreement
from datainf.evaluation.loo import loo, require_examples
from datainf.workflows.evaluate import Evaluated, all_scores, chosen, write_results
from datainf.workflows.ground import Ground, ceiling_of, losses_of
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.retraining import Retraining


def loo_run(config: RunConfig, progress: Reporter | None = None) -> Evaluated:
    """Judge scores by leaving examples out one by one.

    Args:
        config: The run, with recipe and queries.
        progress: Told how far it is.

    Returns:
        One row for each set of scores and batch order, best first.
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
    scores = all_scores(ground, methods, reporter)
    outcomes = ground.outcomes(asked, reporter)
    known = {one.key: outcome for one, outcome in zip(asked, outcomes, strict=True)}
    tables, details = [], []
    for order, first, second in zip(orders, firsts, seconds, strict=True):
        made = [known[one.key] for one in first]
        losses, there = losses_of(made)
        left = [k for k, ok in zip(examples, there, strict=True) if ok]
        found = {name: loo(values, left, losses) for name, values in scores}
        tables.append(_table(order, found))
        details.append(
            {
                "batch_order": str(order),
                "examples": left,
                "diverged": int((~there).sum()),
                "ceiling": ceiling_of(made, [known[one.key] for one in second]),
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
