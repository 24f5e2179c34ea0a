"""Whole scores: every process's columns, put side by side by the one that leads.

N candidates, n of them one process's own, Q queries, G curvature groups.
"""

from dataclasses import replace

import torch

from datainf.core.records import Scores
from datainf.core.share import Share


def whole_scores(scores: Scores, share: Share) -> Scores:
    """Bring the scores of all candidates together.

    Args:
        scores: Those of this process's candidates; without their rows yet.
        share: Which those are.

    Returns:
        In the process that leads, those of all N; in the others their own.
    """
    if share.ranks == 1:
        return scores
    kept = scores.per_block
    if kept is not None:
        groups, queries, own = kept.shape
        flat = torch.from_numpy(kept.reshape(groups * queries, own))
        found = share.bring(flat).numpy()
        kept = found.reshape(groups, queries, found.shape[1])
    values = share.bring(torch.from_numpy(scores.values)).numpy()
    # The table of rows is that of fewer candidates: made anew, or attached later.
    return replace(scores, values=values, per_block=kept, train=type(scores.train)())
