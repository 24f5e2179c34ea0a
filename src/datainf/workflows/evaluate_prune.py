"""`datainf evaluate prune`: drop the strongest proponents, train again, look at the loss.

For each set of scores and each k: the k most negative of the queries' mean score are
dropped at once, and the change of each query's loss is compared with that after dropping
k random examples (as many random sets as there are `subsets`). One training a set.
"""

import numpy as np
import pandas as pd

from datainf.core.errors import NonFiniteError
from datainf.core.options import BatchOrder
from datainf.core.run_config import RunConfig
from datainf.evaluation.lds import draw_subsets
from datainf.evaluation.prune import prune_effect, without_proponents
from datainf.workflows.evaluate import Evaluated, all_scores, chosen, write_results
from datainf.workflows.ground import Ground, losses_of
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.retraining import Retraining


def prune_run(config: RunConfig, progress: Reporter | None = None) -> Evaluated:
    """Judge scores by dropping what they call the strongest proponents.

    Args:
        config: The run, with recipe and queries.
        progress: Told how far it is.

    Returns:
        One row for each set of scores, batch order and k, strongest effect first.

    Raises:
        NonFiniteError: If the full training or every random one diverges.
    """
    reporter = progress or Logged()
    methods = chosen(config)
    ground = Ground.prepare(config, reporter)
    options, seed, rows = ground.options, ground.recipe.seed, len(ground.train.table)
    orders = [BatchOrder(order) for order in options.order]
    if BatchOrder.RESHUFFLED in orders:
        ground.require_batches(max(options.drop))
    scores = list(all_scores(ground, methods, reporter))
    cells = [(order, k) for order in orders for k in options.drop]
    full = Retraining((), orders[0], seed)
    asked = {("", full.order, 0, -1): full}
    for order, k in cells:
        for name, values in scores:
            kept = without_proponents(values.mean(axis=0), k)
            asked[name, order, k, -1] = _without(kept, order, seed)
        sets = draw_subsets(rows, k / rows, options.subsets, seed=options.subset_seed)
        for number, kept in enumerate(sets):
            asked["", order, k, number] = _without(kept, order, seed)
    outcomes = ground.outcomes(list(asked.values()), reporter)
    known = dict(zip(asked, outcomes, strict=True))
    before = known["", full.order, 0, -1].losses
    if before is None:
        raise NonFiniteError("the training on all examples diverged.")
    found = []
    for order, k in cells:
        chance, there = losses_of(
            [known["", order, k, number] for number in range(options.subsets)]
        )
        if not there.any():
            raise NonFiniteError(f"every training without {k} random rows diverged.")
        cell = []
        for name, _ in scores:
            after = known[name, order, k, -1].losses
            if after is None:
                reporter.say(f"{name}: the training without its top {k} diverged")
                continue
            effect = prune_effect(after, before, chance)
            low, high = effect.interval or (float("nan"), float("nan"))
            cell.append(
                {
                    "batch_order": str(order),
                    "dropped": k,
                    "scores": name,
                    "effect": effect.effect,
                    "low": low,
                    "high": high,
                    "change": effect.change,
                    "random_change": effect.random_change,
                    "random_sets": int(there.sum()),
                }
            )
        found += sorted(cell, key=lambda row: -row["effect"])
    table = pd.DataFrame(found)
    # JSON has no word for NaN.
    rows_of = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    body = {"designs": rows_of, "full_losses": [float(v) for v in before]}
    return Evaluated(table, body, write_results(ground, "prune", table, body))


def _without(kept: np.ndarray, order: BatchOrder, seed: int) -> Retraining:
    return Retraining(tuple(np.flatnonzero(~kept).tolist()), order, seed)
