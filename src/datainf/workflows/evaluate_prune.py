"""`datainf evaluate prune`: drop the strongest proponents, train again, compare losses.

For each set of scores and each k: the k most negative are dropped at once, by the mean
score over the queries, or by the score of each of some queries. The change of the loss
is compared with that after dropping k random examples (as many sets as `subsets`).

One training for each distinct set; the full and the random ones are shared by all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datainf.core.errors import NonFiniteError, OptionError
from datainf.core.evaluate_options import BatchOrder
from datainf.core.run_config import RunConfig
from datainf.evaluation.lds import draw_subsets
from datainf.evaluation.prune import prune_effect, without_proponents
from datainf.workflows.evaluate import Evaluated, all_scores, chosen, write_results
from datainf.workflows.ground import Ground, losses_of
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.retraining import Outcome, Retraining

_All = list[tuple[str, NDArray[np.floating]]]


@dataclass(frozen=True)
class Cell:
    """One batch order and one k.

    Attributes:
        order: What becomes of the batches.
        k: How many examples are dropped.
        random: The random sets.
        each: Whether each query has a set of its own.
        pruned: Name of scores -> one set, or one for each of the first queries.
    """

    order: BatchOrder
    k: int
    random: list[Retraining]
    each: bool
    pruned: dict[str, list[Retraining]] = field(default_factory=dict)


def prune_run(config: RunConfig, progress: Reporter | None = None) -> Evaluated:
    """Judge scores by dropping what they call the strongest proponents.

    Args:
        config: The run, with recipe and queries.
        progress: Told how far it is.

    Returns:
        One row for each set of scores, batch order and k, strongest effect first.

    Raises:
        NonFiniteError: If the training on all examples diverges.
    """
    reporter = progress or Logged()
    methods = chosen(config)
    ground = Ground.prepare(config, reporter)
    _require_sense(ground)
    scores = all_scores(ground, methods, reporter)
    full = Retraining((), BatchOrder.KEPT, ground.recipe.seed)
    cells = [
        _cell(ground, scores, BatchOrder(order), k)
        for order in ground.options.order
        for k in ground.options.drop
    ]
    asked = [full]
    for cell in cells:
        asked += cell.random
        asked += [one for sets in cell.pruned.values() for one in sets]
    outcomes = ground.outcomes(asked, reporter)
    known = {one.key: found for one, found in zip(asked, outcomes, strict=True)}
    before = known[full.key].losses
    if before is None:
        raise NonFiniteError(
            "the training on all examples diverged; lower learning_rate."
        )
    rows = [row for cell in cells for row in _rows(cell, known, before, reporter)]
    table = pd.DataFrame(rows)
    body = {
        "full_losses": list(before),
        "each": ground.options.each,
        "designs": [
            {key: None if value != value else value for key, value in row.items()}
            for row in rows
        ],
    }
    return Evaluated(table, body, write_results(ground, "prune", table, body))


def _require_sense(ground: Ground) -> None:
    """Refuse what can be seen to fail before anything is trained."""
    each, queries = ground.options.each, len(ground.queries.table)
    if each is not None and each > queries:
        raise OptionError(
            f"each={each}, but there are {queries} queries; ask for at most as many."
        )
    most, rows = max(ground.options.drop), len(ground.train.table)
    if most >= rows:
        raise OptionError(
            f"drop={most} leaves none of {rows} training examples; drop fewer."
        )
    if BatchOrder.RESHUFFLED in ground.options.order:
        ground.require_batches(most)


def _cell(ground: Ground, scores: _All, order: BatchOrder, k: int) -> Cell:
    """Plan one batch order and k."""
    options, rows, seed = ground.options, len(ground.train.table), ground.recipe.seed

    def without(kept: NDArray[np.bool_]) -> Retraining:
        return Retraining(tuple(np.flatnonzero(~kept).tolist()), order, seed)

    sets = draw_subsets(rows, k / rows, options.subsets, seed=options.subset_seed)
    cell = Cell(order, k, [without(kept) for kept in sets], options.each is not None)
    for name, values in scores:
        each = options.each
        targets = [values.mean(axis=0)] if each is None else list(values[:each])
        cell.pruned[name] = [without(without_proponents(v, k)) for v in targets]
    return cell


def _rows(
    cell: Cell,
    known: Mapping[str, Outcome],
    before: tuple[float, ...],
    reporter: Reporter,
) -> list[dict[str, Any]]:
    """Compare what each set of scores dropped with what chance dropped."""
    chance, _ = losses_of([known[one.key] for one in cell.random])
    found = []
    for name, sets in cell.pruned.items():
        outcomes = [known[one.key].losses for one in sets]
        whole = [losses for losses in outcomes if losses is not None]
        if len(whole) < len(outcomes):
            reporter.say(f"{name}: a training without its top {cell.k} diverged")
            continue
        if cell.each:
            after = np.array([losses[query] for query, losses in enumerate(whole)])
        else:
            after = np.array(whole[0])
        queries = len(after)
        effect = prune_effect(after, np.array(before[:queries]), chance[:, :queries])
        low, high = effect.interval or (float("nan"), float("nan"))
        found.append(
            {
                "batch_order": str(cell.order),
                "dropped": cell.k,
                "scores": name,
                "effect": effect.effect,
                "low": low,
                "high": high,
                "change": effect.change,
                "random_change": effect.random_change,
                "random_sets": len(chance),
            }
        )
    return sorted(found, key=lambda row: -row["effect"])
