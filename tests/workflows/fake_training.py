"""Retrainings whose losses are known: what leaves out an example adds its effect.

The losses of a retraining are `1 − Σ over removed examples of effect[query, example]`,
with a little noise of the seed, as if influence were exactly additive.
"""

import numpy as np

from datainf.workflows.retraining import Outcome, Retraining
from tests.workflows.run_folders import N, Q

EFFECTS = np.random.default_rng(5).normal(size=(Q, N))
"""Right scores: negative where leaving the example out raises the loss."""


def known_outcome(asked: Retraining, noise: float = 0.0) -> Outcome:
    """Give the outcome of a retraining without training."""
    removed = list(asked.removed)
    rng = np.random.default_rng([asked.seed, len(removed), *removed])
    losses = 1 - EFFECTS[:, removed].sum(axis=1) + noise * rng.normal(size=Q)
    return Outcome(tuple(losses.tolist()), "", 0.0)
