"""Random projection of a matrix gradient on both of its sides.

    φ(G) = P_out G P_inᵀ = Σ_t (P_out g_t)(P_in x_t)ᵀ      for G = Σ_t g_t x_tᵀ

P_out `[k, o]` and P_in `[k, i]` of independent signs ±1/√k (`projection.py`), the
identity for a side that is no longer than k. E[φ(G)·φ(V)] = G·V exactly, since E[PᵀP]
is the identity and the two are independent. For one projected side the variance is at
most 2‖G‖²‖V‖²/k. Where G is a sum over T tokens, its factors are projected, and the
o × i numbers of G never are: O(T(o + i)k + Tk²) time.

o, i sides of a block; k numbers of a projected side, which o or i stay when shorter.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.linalg.projection import sign_slabs

OUTPUTS, INPUTS = "outputs", "inputs"


def side_matrix(
    block: str, side: str, *, size: int, width: int, seed: int, like: Tensor
) -> Float[Tensor, "size k"]:
    """Make the matrix of one side, transposed.

    Args:
        block: The block's name.
        side: `OUTPUTS` or `INPUTS`.
        size: The side's length.
        width: Numbers of the projected side, k.
        seed: Chooses the signs.
        like: A tensor whose dtype and device the matrix takes.

    Returns:
        Pᵀ, to be multiplied with from the right.
    """
    name = f"{side} of {block}"
    slabs = sign_slabs(name, size=size, width=width, seed=seed, like=like)
    return torch.cat([signs for _, signs in slabs])


def project_sides(
    g: Float[Tensor, "B o i"],
    outputs: Float[Tensor, "o _"] | None,
    inputs: Float[Tensor, "i _"] | None,
) -> Float[Tensor, "B _ _"]:
    """Project matrices that are there already.

    Args:
        g: One a row.
        outputs: P_outᵀ; None leaves the side as it is.
        inputs: P_inᵀ, likewise.

    Returns:
        P_out G P_inᵀ of each.
    """
    if outputs is not None:
        g = outputs.T @ g
    return g if inputs is None else g @ inputs
