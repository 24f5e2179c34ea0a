"""Choose the damping whose inverse does best on rows it has not seen.

Split the rows in two halves, A and B. With P = (AᵀA/m + λI)⁻¹ made of A and Σ the true
second moment E[g gᵀ], which B looks at independently,

    J(λ) = ½ E (bᵀ P b')² − E bᵀ P b  =  ½ ‖Σ^½ P Σ^½ − I‖² + constant

over independent rows b, b': a loss of the inverse that weighs every direction of the
gradients alike, whatever their size (an affine-invariant quadratic loss, as in Haff,
Annals of Statistics 1980, doi:10.1214/aos/1176345010). Means over B estimate both terms
without bias, the first over pairs b ≠ b'. Too small a λ blows up directions in which A
saw too little, too large a λ ignores what A saw. Everything comes from the Gram matrix
of A and B. n rows, L dampings.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor


def held_out_losses(
    gram: Float64[Tensor, "n n"], lambdas: Sequence[float]
) -> Float64[Tensor, " L"]:
    """Compute J for several λ, halves taking turns as A and B.

    Args:
        gram: Dot products of the rows with each other; rows 0, 3, 4, 7, 8, ... are one
            half and 1, 2, 5, 6, ... the other, so that rows in order of their length
            are divided fairly. At least 4.
        lambdas: λ in squared-gradient units, positive.

    Returns:
        J(λ), the mean of both turns.
    """
    place = torch.arange(len(gram), device=gram.device) % 4
    first = ((place == 0) | (place == 3)).nonzero().flatten()
    second = ((place == 1) | (place == 2)).nonzero().flatten()
    turns = [
        _losses(gram, fitted, unseen, lambdas)
        for fitted, unseen in ((first, second), (second, first))
    ]
    return (turns[0] + turns[1]) / 2


def _losses(
    gram: Float64[Tensor, "n n"],
    fitted: Tensor,
    unseen: Tensor,
    lambdas: Sequence[float],
) -> Float64[Tensor, " L"]:
    """Compute J of the inverse made of some rows, on others."""
    count = len(fitted)
    values, vectors = torch.linalg.eigh(gram[fitted][:, fitted] / count)
    floor = values.amax() * count * torch.finfo(values.dtype).eps
    seen = values > floor
    values, vectors = values[seen], vectors[:, seen]
    # coordinates of the unseen rows along the eigenvectors of AᵀA/m
    along = gram[unseen][:, fitted] @ vectors / (count * values).sqrt()
    # what lies outside the span of A is divided by λ alone
    outside = gram[unseen][:, unseen] - along @ along.T
    found = []
    for damping in lambdas:
        products = (along / (values + damping)) @ along.T + outside / damping
        own = products.diagonal()
        others = (products.square().sum() - own.square().sum()) / (
            len(unseen) * (len(unseen) - 1)
        )
        found.append(others / 2 - own.mean())
    return torch.stack(found)
