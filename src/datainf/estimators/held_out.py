"""damping="auto": λ of each group by how well its inverse does on unseen rows.

Half of a sample of the curvature rows makes the inverse, the other half judges it
(`linalg.held_out` has the criterion), for every damping of a grid of half decades; the
best is taken, group by group. The sample's rows are equally spaced in the order of the
rows' lengths, so it follows from the rows themselves, whatever their order. Costs
O(m²d + m³) a group for m sampled rows, once a fit; memory m² and one slab.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from datainf.core.errors import OptionError
from datainf.core.options import Normalize
from datainf.core.source import GradientSource
from datainf.estimators.stream import GroupRows
from datainf.linalg.gram import gram_matrix
from datainf.linalg.held_out import held_out_losses

GRID = tuple(10.0 ** (k / 2) for k in range(-8, 7))
"""The dampings tried: 1e-4 to 1e3 by half decades; 0.1 is one of them."""

SAMPLED = 1024
"""Curvature rows looked at, at most."""

LEAST = 8
"""Fewer rows cannot be halved and tell anything."""

_CPU = torch.device("cpu")


def sample(lengths: Float64[Tensor, " N"]) -> list[int]:
    """Choose the rows that the criterion looks at.

    Args:
        lengths: Length of every curvature row over all blocks.

    Returns:
        At most `SAMPLED` positions, in the order of their rows' lengths.

    Raises:
        OptionError: If there are too few rows.
    """
    if len(lengths) < LEAST:
        raise OptionError(
            f"damping='auto' judges the inverse on rows it has not seen and needs at "
            f"least {LEAST} curvature rows, got {len(lengths)}; give a number."
        )
    order = lengths.argsort(stable=True)
    count = min(SAMPLED, len(order))
    at = torch.linspace(0, len(order) - 1, count, dtype=torch.float64).round().long()
    return order[at].tolist()


def judged_dampings(
    curvature: GradientSource,
    groups: Mapping[str, Sequence[str]],
    totals: Mapping[str, float],
    *,
    lengths: Float64[Tensor, " N"],
    normalize: Normalize,
) -> dict[str, float]:
    """Choose every group's damping.

    Args:
        curvature: The curvature rows.
        groups: Group name -> its blocks.
        totals: Group name -> Σᵢ ‖gᵢ‖², scaled where asked.
        lengths: Length of every row over all blocks, not scaled.
        normalize: What rows are divided by.

    Returns:
        Group name -> the best damping of the grid; the largest where the sample has no
        gradient to judge by.
    """
    chosen = sample(lengths)
    found = {}
    for group, members in groups.items():
        rows = GroupRows(
            group, curvature, tuple(members), torch.float64, _CPU, normalize
        )
        unit = totals[group] / (len(curvature) * rows.parameters)
        gram = gram_matrix(rows.slabs(chosen), count=len(chosen))
        if not bool(gram.diagonal().any()):
            found[group] = GRID[-1]
            continue
        losses = held_out_losses(gram, [damping * unit for damping in GRID])
        found[group] = GRID[int(rows.share.largest(losses).argmin())]
    return found


def said(dampings: Mapping[str, float]) -> str:
    """Say in one sentence what was chosen.

    Args:
        dampings: Group -> damping.

    Returns:
        The sentence.
    """
    found = sorted(dampings.values())
    middle = found[len(found) // 2]
    return (
        f"damping='auto' chose by held-out rows: {middle:.3g} in the middle group of "
        f"{len(found)}, from {found[0]:.3g} to {found[-1]:.3g}."
    )
